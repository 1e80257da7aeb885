#include "process/chip_worker.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

#include "npusim/call_config.h"

namespace sim_shaped {
namespace {

constexpr int32_t CALLABLE_ID = 0;
constexpr CallConfig CONFIG{};

// What a host process looks for besides the functions that this one calls.
constexpr const char *OTHER_FUNCTIONS[] = {
    "ensure_acl_ready_ctx", "get_pipeline_contract", "supports_concurrent_native_prepare_ctx",
    "get_arena_bank_gm_heap_base_ctx", "get_retained_temp_addr_ctx", "device_malloc_ctx", "device_free_ctx",
    "committed_device_memory_ctx", "copy_to_device_ctx", "copy_from_device_ctx", "simpler_provision_dma_workspace",
    "simpler_unregister_callable", "get_aicpu_dlopen_count", "get_host_dlopen_count", "get_run_stream_set_create_count",
    "create_comm_stream_ctx", "destroy_comm_stream_ctx", "comm_init", "comm_alloc_windows",
    "comm_get_local_window_base", "comm_get_window_size", "comm_derive_context", "comm_alloc_domain_windows",
    "comm_release_domain_windows", "comm_global_domain_prepare", "comm_global_domain_import",
    "comm_global_domain_release", "comm_barrier", "comm_destroy", "simpler_host_log_bind_state"};

void *load(const std::string &path, int scope) {
    void *object = dlopen(path.c_str(), RTLD_NOW | scope);
    if (object == nullptr) throw Failure(dlerror());
    return object;
}

void *find(void *object, const char *name) {
    void *address = dlsym(object, name);
    if (address == nullptr) throw Failure(dlerror());
    return address;
}

template <typename Function>
void find(void *object, const char *name, Function **function) {
    *function = reinterpret_cast<Function *>(find(object, name));
}

void check(const std::string &call, int code) {
    if (code != 0) throw Failure(call + " returned " + std::to_string(code));
}

}  // namespace

HostRuntime::HostRuntime(const std::string &directory) {
    load(directory + "/libcpu_sim_context.so", RTLD_GLOBAL);
    object = load(directory + "/libhost_runtime.so", RTLD_LOCAL);
    find(object, "create_device_context", &create_device_context);
    find(object, "destroy_device_context", &destroy_device_context);
    find(object, "simpler_init", &init);
    find(object, "finalize_device", &finalize_device);
    find(object, "get_runtime_size", &runtime_size);
    find(object, "get_runtime_alignment", &runtime_alignment);
    find(object, "simpler_register_callable", &register_callable);
    find(object, "simpler_run", &run);
    find(object, "simpler_prepare_run", &prepare_run);
    find(object, "simpler_launch_run", &launch_run);
    find(object, "simpler_poll_run", &poll_run);
    find(object, "simpler_wait_run", &wait_run);
    find(object, "simpler_finalize_run", &finalize_run);
    for (const char *name : OTHER_FUNCTIONS) find(object, name);
}

HostRuntime::~HostRuntime() { dlclose(object); }

ChipWorker::ChipWorker(const HostRuntime &host, int device_id, const Bytes &aicpu, const Bytes &aicore)
    : host_(host), context_(host.create_device_context()) {
    if (context_ == nullptr) throw Failure("create_device_context returned null");
    check("simpler_init", host.init(context_, device_id, aicpu.data(), aicpu.size(), aicore.data(), aicore.size(),
                                    nullptr, 0, nullptr));
    const size_t alignment = host.runtime_alignment();
    const size_t size = (host.runtime_size() + alignment - 1) / alignment * alignment;
    storage_ = std::memset(std::aligned_alloc(alignment, size), 0, size);
}

ChipWorker::~ChipWorker() {
    host_.finalize_device(context_);
    host_.destroy_device_context(context_);
    std::free(storage_);
}

void ChipWorker::register_callable(const Bytes &callable) {
    check("simpler_register_callable", host_.register_callable(context_, CALLABLE_ID, callable.data()));
}

void ChipWorker::run(const ChipStorageTaskArgs &args, Waiting waiting) {
    NativeRunDescriptor descriptor{};
    descriptor.run_id = descriptor.dispatch_id = descriptor.run_epoch = descriptor.generation = ++runs_;
    const int code = waiting == Waiting::BY_POLLING
                         ? run_in_steps(args, descriptor)
                         : host_.run(context_, storage_, CALLABLE_ID, &args, &CONFIG, &descriptor);
    check("run " + std::to_string(runs_), code);
}

int ChipWorker::run_in_steps(const ChipStorageTaskArgs &args, const NativeRunDescriptor &descriptor) {
    int code = host_.prepare_run(context_, storage_, CALLABLE_ID, &args, &CONFIG, &descriptor);
    if (code != 0) return code;
    code = host_.launch_run(context_, storage_);
    if (code == 0) {
        while (host_.poll_run(context_, storage_) == SIMPLER_NATIVE_RUN_POLL_NOT_READY) {
        }
        code = host_.wait_run(context_, storage_);
    }
    const int end = host_.finalize_run(context_, storage_);
    return code != 0 ? code : end;
}

}  // namespace sim_shaped
