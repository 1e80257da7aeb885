// Communication between devices: this runtime has one device and offers none of it.
#include "npusim/runtime_c_api.h"

extern "C" {

void *create_comm_stream_ctx(DeviceContextHandle) { return nullptr; }
int destroy_comm_stream_ctx(DeviceContextHandle, void *) { return PTO_RUNTIME_ERR_UNSUPPORTED; }
CommHandle comm_init(int, int, void *, const char *) { return nullptr; }
int comm_alloc_windows(CommHandle, size_t, uint64_t *) { return PTO_RUNTIME_ERR_UNSUPPORTED; }
int comm_get_local_window_base(CommHandle, uint64_t *) { return PTO_RUNTIME_ERR_UNSUPPORTED; }
int comm_get_window_size(CommHandle, size_t *) { return PTO_RUNTIME_ERR_UNSUPPORTED; }
int comm_derive_context(CommHandle, const uint32_t *, size_t, uint32_t, size_t, size_t, uint64_t *) {
    return PTO_RUNTIME_ERR_UNSUPPORTED;
}
int comm_alloc_domain_windows(CommHandle, uint64_t, const uint32_t *, size_t, uint32_t, size_t, uint64_t *,
                              uint64_t *) {
    return PTO_RUNTIME_ERR_UNSUPPORTED;
}
int comm_release_domain_windows(CommHandle, uint64_t, size_t, uint32_t) { return PTO_RUNTIME_ERR_UNSUPPORTED; }
int comm_global_domain_prepare(uint64_t, uint32_t, uint32_t, size_t, uint32_t, void *, uint64_t *) {
    return PTO_RUNTIME_ERR_UNSUPPORTED;
}
int comm_global_domain_import(uint64_t, const void *, size_t, uint64_t *) { return PTO_RUNTIME_ERR_UNSUPPORTED; }
int comm_global_domain_release(uint64_t) { return PTO_RUNTIME_ERR_UNSUPPORTED; }
int comm_barrier(CommHandle) { return PTO_RUNTIME_ERR_UNSUPPORTED; }
int comm_destroy(CommHandle) { return PTO_RUNTIME_ERR_UNSUPPORTED; }

}  // extern "C"
