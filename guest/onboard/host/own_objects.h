// Objects that the host loads into its own process, such as an orchestration that builds its graph there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "npusim/platform.h"

namespace onboard {

// The shim's functions. In this object their names mean the board's, so they are asked for by name.
class OwnObjects {
public:
    static const OwnObjects &get();

    uint64_t load(uint32_t origin, const void *bytes, size_t size, const char *name) const;
    void *symbol(uint64_t object, const char *name) const;
    int unload(uint64_t object) const;
    int register_callable(NpusimCallable callable, const void *bytes, size_t size, const char *name, uint64_t *object) const;
    uint64_t begin_callable(NpusimCallable callable) const;
    int end_callable(NpusimCallable callable) const;
    int unregister_callable(NpusimCallable callable) const;
    size_t callable_loads() const;
    uint32_t object_transfer() const;
    // Why the last load failed: a code, negated.
    int last_error() const;

private:
    OwnObjects();

    uint64_t (*load_)(uint32_t, const void *, size_t, const char *);
    void *(*symbol_)(uint64_t, const char *);
    int (*unload_)(uint64_t);
    int (*register_callable_)(NpusimCallable, const void *, size_t, const char *, uint64_t *);
    uint64_t (*begin_callable_)(NpusimCallable);
    int (*end_callable_)(NpusimCallable);
    int (*unregister_callable_)(NpusimCallable);
    size_t (*callable_loads_)();
    uint32_t (*object_transfer_)();
    int (*last_error_)();
};

}  // namespace onboard
