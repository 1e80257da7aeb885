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
    find("npusim_register_callable", &register_callable_);
    find("npusim_begin_callable", &begin_callable_);
    find("npusim_end_callable", &end_callable_);
    find("npusim_unregister_callable", &unregister_callable_);
    find("npusim_callable_loads", &callable_loads_);
    find("npusim_object_transfer", &object_transfer_);
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

int OwnObjects::register_callable(NpusimCallable callable, const void *bytes, size_t size, const char *name,
                                  uint64_t *object) const {
    return register_callable_(callable, bytes, size, name, object);
}

uint64_t OwnObjects::begin_callable(NpusimCallable callable) const { return begin_callable_(callable); }

int OwnObjects::end_callable(NpusimCallable callable) const { return end_callable_(callable); }

int OwnObjects::unregister_callable(NpusimCallable callable) const { return unregister_callable_(callable); }

size_t OwnObjects::callable_loads() const { return callable_loads_(); }

uint32_t OwnObjects::object_transfer() const { return object_transfer_(); }

int OwnObjects::last_error() const { return last_error_(); }

}  // namespace onboard
