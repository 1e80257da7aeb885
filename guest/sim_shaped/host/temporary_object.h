// A shared object that was given as bytes: written to a file, loaded from it, and the file removed again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sim_shaped {

class TemporaryObject {
public:
    TemporaryObject() = default;
    ~TemporaryObject() { close(); }
    TemporaryObject(TemporaryObject &&other) noexcept : handle_(other.handle_) { other.handle_ = nullptr; }
    TemporaryObject &operator=(TemporaryObject &&) = delete;

    // `path` ends in XXXXXX. False, and a line on standard error, if the object cannot be loaded.
    bool open(std::string path, const uint8_t *bytes, size_t size);
    void close();

    template <typename Function>
    Function *symbol(const char *name) const {
        return reinterpret_cast<Function *>(address(name));
    }

private:
    void *address(const char *name) const;

    void *handle_ = nullptr;
};

}  // namespace sim_shaped
