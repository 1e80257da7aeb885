// A registered callable: kernels that are loaded, and an orchestration that the AICPU has loaded.
#pragma once

#include <cstdint>
#include <vector>

#include "common/runtime.h"
#include "host/temporary_object.h"

namespace sim_shaped {

class Callable {
public:
    // 0, or -1 if a kernel cannot be loaded.
    int load_kernels(const ChipCallable &source);

    // The kernels by function id, with the addresses to call.
    void list_kernels(const CoreCallable *(&kernels)[MAX_FUNC_ID]) const;
    ArgDirection direction(int32_t argument) const { return signature_[static_cast<size_t>(argument)]; }
    size_t argument_count() const { return signature_.size(); }

private:
    struct Kernel {
        int32_t func_id;
        CoreCallable callable;
        TemporaryObject object;
    };

    std::vector<ArgDirection> signature_;
    std::vector<Kernel> kernels_;
};

}  // namespace sim_shaped
