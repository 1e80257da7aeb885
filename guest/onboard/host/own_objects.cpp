#include "onboard/host/own_objects.h"

#include <dlfcn.h>

namespace onboard {
namespace {

// The shim is the first object of the namespace, so its function is the one that everybody finds.
template <typename Function>
void find(const char *name, Function *function) {
    *function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

OwnObjects::OwnObjects() {
    find("npusim_load", &load_);
    find("npusim_symbol", &symbol_);
    find("npusim_unload", &unload_);
    find("npusim_last_error", &last_error_);
}

const OwnObjects &OwnObjects::get() {
    static const OwnObjects own;
    return own;
}

uint64_t OwnObjects::load(uint32_t origin, const void *bytes, size_t size, const char *name) const {
    return load_(origin, bytes, size, name);
}

void *OwnObjects::symbol(uint64_t object, const char *name) const { return symbol_(object, name); }

int OwnObjects::unload(uint64_t object) const { return unload_(object); }

int OwnObjects::last_error() const { return last_error_(); }

}  // namespace onboard
