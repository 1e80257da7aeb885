#include "host/temporary_object.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sim_shaped {
namespace {

bool write_new_file(std::string &path, const uint8_t *bytes, size_t size) {
    const int file = mkstemp(path.data());
    if (file < 0) return false;
    const bool complete = fchmod(file, 0755) == 0 && write(file, bytes, size) == static_cast<ssize_t>(size);
    close(file);
    return complete;
}

}  // namespace

bool TemporaryObject::open(std::string path, const uint8_t *bytes, size_t size) {
    close();
    if (write_new_file(path, bytes, size)) handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    std::remove(path.c_str());
    if (handle_ == nullptr) std::fprintf(stderr, "cannot load %s: %s\n", path.c_str(), dlerror());
    return handle_ != nullptr;
}

void TemporaryObject::close() {
    if (handle_ != nullptr) dlclose(handle_);
    handle_ = nullptr;
}

void *TemporaryObject::address(const char *name) const { return dlsym(handle_, name); }

}  // namespace sim_shaped
