#include "host/device_runner.h"

#include <cstdlib>
#include <new>

#include "context/sim_context.h"

using sim_shaped::AicoreExecute;
using sim_shaped::AicpuExecute;
using sim_shaped::Callable;
using sim_shaped::DeviceEntries;
using sim_shaped::PreparedRun;

int DeviceRunner::init(int device_id, const uint8_t *aicpu, size_t aicpu_size, const uint8_t *aicore,
                       size_t aicore_size) {
    attach(device_id);
    aicore_bytes_.assign(aicore, aicore + aicore_size);
    if (!aicpu_.open("/tmp/aicpu_sim_XXXXXX", aicpu, aicpu_size)) return PTO_RUNTIME_ERR_INVALID;
    if (const char *timeout = std::getenv("SIMPLER_SCHEDULER_TIMEOUT_MS")) {
        aicpu_.symbol<void(int)>("set_scheduler_timeout_ms")(std::atoi(timeout));
    }
    return 0;
}

int DeviceRunner::finalize() {
    if (run_ != nullptr) return PTO_RUNTIME_ERR_INVALID;
    callables_.clear();
    aicore_.close();
    aicpu_.close();
    detach();
    return 0;
}

int DeviceRunner::register_callable(int32_t id, const ChipCallable &source) {
    Callable callable;
    int code = callable.load_kernels(source);
    if (code != 0) return code;
    aicpu_.symbol<void(int)>("set_orch_device_id")(device_id());
    sim_shaped::Registration registration{id, source.storage_, source.binary_size_};
    code = aicpu_.symbol<int(void *)>("simpler_aicpu_register_callable")(&registration);
    if (code != 0) return code;
    callables_.erase(id);
    callables_.emplace(id, std::move(callable));
    ++callables_loaded_;
    return 0;
}

int DeviceRunner::prepare(void *storage, int32_t id, const ChipStorageTaskArgs &args) {
    const auto found = callables_.find(id);
    if (found == callables_.end() || run_ != nullptr) return PTO_RUNTIME_ERR_INVALID;
    if (found->second.argument_count() != static_cast<size_t>(args.tensor_count())) return PTO_RUNTIME_ERR_INVALID;
    clear_cpu_sim_shared_storage();
    const int code = load_aicore();
    if (code == 0) run_ = new (storage) PreparedRun(*this, found->second, id, args);
    return code;
}

int DeviceRunner::load_aicore() {
    if (!aicore_.open("/tmp/aicore_sim_XXXXXX", aicore_bytes_.data(), aicore_bytes_.size())) {
        return PTO_RUNTIME_ERR_INVALID;
    }
    const auto identify = aicore_.symbol<void(void *, void *)>("set_sim_core_identity_helpers");
    if (identify != nullptr) {
        identify(reinterpret_cast<void *>(sim_context_set_subblock_id),
                 reinterpret_cast<void *>(sim_context_set_cluster_id));
    }
    return 0;
}

int DeviceRunner::launch() {
    const auto set_registers = aicpu_.symbol<void(uint64_t)>("set_platform_regs");
    const DeviceEntries entries{aicpu_.symbol<AicpuExecute>("aicpu_execute"),
                                aicore_.symbol<AicoreExecute>("aicore_execute_wrapper")};
    if (!set_registers || !entries.aicpu_execute || !entries.aicore_execute) return PTO_RUNTIME_ERR_INVALID;
    set_registers(run_->registers());
    run_->launch(entries);
    return 0;
}

int DeviceRunner::finalize_run() {
    const int code = run_->wait();
    if (code == 0) run_->copy_results_back();
    run_->~PreparedRun();
    run_ = nullptr;
    return code;
}
