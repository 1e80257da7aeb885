#include "common/host/prepared_run.h"

#include <cstdio>
#include <memory>
#include <new>

namespace rt {
namespace {

constexpr size_t ALIGNMENT = 64;
constexpr int32_t MIN_AICPU_THREADS = 2;  // one to orchestrate or resolve, one to schedule

int last_error() {
    const int code = npusim_last_error();
    return code != 0 ? code : -1;
}

bool is_valid(const ChipStorageTaskArgs &args) {
    if (args.tensor_count_ < 0 || args.tensor_count_ > CHIP_MAX_TENSOR_ARGS) return false;
    if (args.scalar_count_ < 0 || args.scalar_count_ > CHIP_MAX_SCALAR_ARGS) return false;
    for (int32_t index = 0; index < args.tensor_count_; ++index) {
        const ChipTensor &tensor = args.tensor(index);
        if (tensor.ndims == 0 || tensor.ndims > MAX_TENSOR_DIMS || element_size(tensor.dtype) == 0) return false;
        if (tensor.buffer.addr == 0 || tensor.buffer.size == 0) return false;
    }
    return true;
}

}  // namespace

int PreparedRun::prepare(DeviceContext &context, int32_t callable_id, const ChipStorageTaskArgs &args,
                         const CallConfig &config, const NativeRunDescriptor &descriptor) {
    const Callable *callable = context.callable(callable_id);
    if (callable == nullptr || !is_valid(args)) return -1;
    const auto active = static_cast<int32_t>(context.topology().schedulers) + 1;
    const int32_t threads = config.aicpu_thread_num == 0 ? active : config.aicpu_thread_num;
    if (threads < MIN_AICPU_THREADS || threads > active) return -1;
    if (descriptor.pipeline_slot >= PTO_PIPELINE_MAX_DEPTH || descriptor.arena_bank >= PTO_PIPELINE_MAX_DEPTH) return -1;
    if (const char *reason = RunMemory::refusal(config.runtime_env)) {
        npusim_log(3, reason);
        return -1;
    }
    if (phase_ != Phase::NONE || !context.claim()) return -1;

    owner_ = &context;
    result_ = 0;
    schedulers_ = static_cast<uint32_t>(threads) - 1;
    staged_count_ = 0;
    accepted_state_ = descriptor.accepted_state;
    accepted_value_ = descriptor.accepted_value;
    phase_ = Phase::PREPARED;

    // The arguments are 33 KB: too much for the stack of a caller that may have little.
    const std::unique_ptr<ChipStorageTaskArgs> device_args(new (std::nothrow) ChipStorageTaskArgs(args));
    int code = device_args == nullptr ? -1 : context.memory().prepare(config.runtime_env);
    if (code == 0) code = stage_tensors(*callable, *device_args);
    if (code == 0) code = copy_image(context, callable_id, *callable, *device_args);
    if (code != 0) {
        release();
        context.unclaim();
        phase_ = Phase::NONE;
    }
    return code;
}

int PreparedRun::stage_tensors(const Callable &callable, ChipStorageTaskArgs &args) {
    for (int32_t index = 0; index < args.tensor_count_; ++index) {
        ChipTensor &tensor = args.tensors_[index];
        tensor.owner_task_id = PTO2TaskId::invalid();
        if (tensor.address_space == AddressSpace::DEVICE) continue;
        const int code = stage(tensor, callable.direction(index), index);
        if (code != 0) return code;
    }
    return 0;
}

int PreparedRun::stage(ChipTensor &tensor, ArgDirection direction, int32_t argument) {
    char owner[32];
    std::snprintf(owner, sizeof(owner), "tensor arg%d", argument);
    void *host = reinterpret_cast<void *>(tensor.buffer.addr);
    void *device = npusim_malloc(tensor.buffer.size, ALIGNMENT, owner);
    if (device == nullptr) return last_error();
    const bool copy_back = direction == ArgDirection::OUT || direction == ArgDirection::INOUT;
    staged_[staged_count_++] = {host, device, tensor.buffer.size, copy_back};
    tensor.buffer.addr = reinterpret_cast<uint64_t>(device);
    tensor.address_space = AddressSpace::DEVICE;
    return direction == ArgDirection::OUT ? 0 : npusim_copy_to_device(device, host, tensor.buffer.size);
}

int PreparedRun::copy_image(DeviceContext &context, int32_t callable_id, const Callable &callable,
                            const ChipStorageTaskArgs &args) {
    const std::unique_ptr<RunImage> image(new (std::nothrow) RunImage());
    if (image == nullptr) return -1;
    RunOrder &order = image->order;
    order.clusters = context.topology().clusters;
    order.schedulers = schedulers_;
    order.callable_id = callable_id;
    order.callable_generation = callable.generation();
    order.kernels = callable.device_kernels();
    order.kernel_count = callable.kernels().size();
    order.args = args;
    const int code = context.memory().fill(*image, callable);
    if (code != 0) return code;
    return context.memory().copy(*image, callable);
}

int PreparedRun::launch(DeviceContext &context) {
    if (phase_ != Phase::PREPARED || owner_ != &context) return -1;
    NpusimLaunch launch{};
    launch.aicpu_entry = context.entries().aicpu_execute;
    launch.aicore_entry = context.entries().aicore_execute;
    launch.runtime = context.memory().runtime();
    launch.aicpu_threads = context.topology().aicpu_launched;
    launch.block_dim = context.topology().clusters;
    context.memory().set_queues_clean(false);
    const int code = npusim_launch(&launch);
    if (code != 0) return code;
    if (accepted_state_ != nullptr) __atomic_store_n(accepted_state_, accepted_value_, __ATOMIC_RELEASE);
    phase_ = Phase::LAUNCHED;
    return 0;
}

int PreparedRun::poll(DeviceContext &context) {
    if (owner_ != &context || (phase_ != Phase::LAUNCHED && phase_ != Phase::ENDED)) return -1;
    if (phase_ == Phase::LAUNCHED) {
        const int state = npusim_poll();
        if (state == 0) return 0;
        end(context, state < 0 ? state : 0);
    }
    return result_ == 0 ? 1 : result_;
}

int PreparedRun::wait(DeviceContext &context) {
    if (owner_ != &context || (phase_ != Phase::LAUNCHED && phase_ != Phase::ENDED)) return -1;
    return phase_ == Phase::LAUNCHED ? end(context, npusim_wait()) : result_;
}

// The device has ended the run with this code: what do the runtime's own threads say?
int PreparedRun::end(DeviceContext &context, int device_code) {
    phase_ = Phase::ENDED;
    result_ = device_code;
    if (device_code != 0) return result_;
    RunOutcome outcome{};
    result_ = npusim_copy_from_device(&outcome, &context.memory().runtime()->run.outcome, sizeof(outcome));
    if (result_ != 0) return result_;
    const int32_t orchestrator = outcome.orchestrator_status.load(std::memory_order_relaxed);
    const int32_t scheduler = outcome.scheduler_status.load(std::memory_order_relaxed);
    result_ = orchestrator != 0 ? -orchestrator : -scheduler;
    context.memory().set_queues_clean(result_ == 0);
    return result_;
}

int PreparedRun::copy_back() {
    for (uint32_t index = 0; index < staged_count_; ++index) {
        const Staged &staged = staged_[index];
        if (!staged.copy_back) continue;
        const int code = npusim_copy_from_device(staged.host, staged.device, staged.bytes);
        if (code != 0) return code;
    }
    return 0;
}

void PreparedRun::release() {
    while (staged_count_ > 0) npusim_free(staged_[--staged_count_].device);
}

int PreparedRun::finalize(DeviceContext &context) {
    if (phase_ == Phase::NONE || owner_ != &context) return -1;
    if (phase_ == Phase::LAUNCHED) wait(context);
    int code = result_;
    if (code == 0 && phase_ == Phase::ENDED) code = copy_back();
    release();
    context.unclaim();
    phase_ = Phase::NONE;
    owner_ = nullptr;
    return code;
}

}  // namespace rt
