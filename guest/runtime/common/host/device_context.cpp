#include "common/host/device_context.h"

#include "common/identity/identity.h"

namespace rt {
namespace {

int last_error() {
    const int code = npusim_last_error();
    return code != 0 ? code : -1;
}

int refuse(const char *reason) {
    npusim_log(3, reason);
    return -1;
}

uint64_t entry(uint64_t object, const char *name) { return reinterpret_cast<uint64_t>(npusim_symbol(object, name)); }

}  // namespace

int DeviceContext::init(const uint8_t *aicpu, size_t aicpu_size, const uint8_t *aicore, size_t aicore_size,
                        const CallConfig *prewarm) {
    if (ready_) return refuse("the device context is initialised already");
    if (!identity_is_own()) return refuse("this runtime is bound to another one's symbols");
    const RuntimeEnv environment = prewarm != nullptr ? prewarm->runtime_env : RuntimeEnv{};
    if (const char *reason = RunMemory::refusal(environment)) return refuse(reason);
    npusim_topology(&topology_);
    if (topology_.clusters > MAX_CLUSTERS) return refuse("the device has more clusters than this runtime can drive, 64");
    if (topology_.schedulers == 0 || topology_.schedulers > MAX_SCHEDULERS) {
        return refuse("this runtime needs 1 to 8 schedulers");
    }
    ready_ = true;  // from here on, finalize undoes what was done
    int code = 0;
    aicpu_object_ = npusim_load(NPUSIM_ORIGIN_AICPU, aicpu, aicpu_size, "libaicpu_kernel.so");
    if (aicpu_object_ == 0) code = last_error();
    if (code == 0) {
        aicore_object_ = npusim_load(NPUSIM_ORIGIN_AICORE, aicore, aicore_size, "libaicore_kernel.so");
        if (aicore_object_ == 0) code = last_error();
    }
    if (code == 0) {
        entries_.aicpu_execute = entry(aicpu_object_, "aicpu_execute");
        entries_.aicore_execute = entry(aicore_object_, "aicore_execute_wrapper");
        bool complete = entries_.aicpu_execute && entries_.aicore_execute;
        if (!OrchestrationHome::ON_HOST) {
            entries_.aicpu_register = entry(aicpu_object_, "simpler_aicpu_register_callable");
            complete = complete && entries_.aicpu_register;
        }
        code = complete ? memory_.prepare(environment) : last_error();
    }
    if (code != 0) finalize();
    return code;
}

void DeviceContext::finalize() {
    if (!ready_) return;
    for (Callable &callable : callables_) callable.release();
    memory_.release();
    if (aicore_object_ != 0) npusim_unload(aicore_object_);
    if (aicpu_object_ != 0) {
        OrchestrationHome::before_unloading(aicpu_object_);
        npusim_unload(aicpu_object_);
    }
    aicore_object_ = aicpu_object_ = 0;
    entries_ = Entries{};
    ready_ = false;
}

int DeviceContext::register_callable(int32_t id, const ChipCallable &source) {
    return callables_[id].load(id, source, entries_);
}

int DeviceContext::unregister_callable(int32_t id) {
    callables_[id].release();
    return 0;
}

const Callable *DeviceContext::callable(int32_t id) const {
    if (id < 0 || id >= MAX_REGISTERED_CALLABLE_IDS || !callables_[id].exists()) return nullptr;
    return &callables_[id];
}

}  // namespace rt
