#include "host/prepared_run.h"

#include <cstdio>

namespace sim_shaped {
namespace {

constexpr size_t HEAP_SIZE = 4 << 20;

}  // namespace

PreparedRun::PreparedRun(SimDeviceRunnerBase &device, const Callable &callable, int32_t callable_id,
                         const ChipStorageTaskArgs &args)
    : device_(device) {
    runtime_.callable_id = callable_id;
    callable.list_kernels(runtime_.kernels);
    runtime_.heap = static_cast<uint8_t *>(allocate(HEAP_SIZE));
    runtime_.heap_size = HEAP_SIZE;
    runtime_.args = args;
    stage_arguments(callable);
    prepare_registers();
}

PreparedRun::~PreparedRun() {
    wait();
    for (void *memory : allocations_) device_.memory().free(memory);
}

void *PreparedRun::allocate(size_t size) {
    allocations_.push_back(device_.memory().alloc(size));
    return allocations_.back();
}

void PreparedRun::stage_arguments(const Callable &callable) {
    for (int32_t index = 0; index < runtime_.args.tensor_count(); ++index) {
        ChipTensor &tensor = runtime_.args.tensors_[index];
        const Staged staged{reinterpret_cast<void *>(tensor.buffer.addr), allocate(tensor.buffer.size),
                            tensor.buffer.size, callable.direction(index) != ArgDirection::IN};
        if (callable.direction(index) != ArgDirection::OUT) {
            device_.copy_to_device(staged.device, staged.host, staged.size);
        }
        tensor.buffer.addr = reinterpret_cast<uint64_t>(staged.device);
        tensor.address_space = AddressSpace::DEVICE;
        staged_.push_back(staged);
    }
}

void PreparedRun::prepare_registers() {
    auto *blocks = static_cast<uint8_t *>(allocate(CORES * REGISTER_BLOCK_SIZE));
    device_.device_memset(blocks, 0, CORES * REGISTER_BLOCK_SIZE);
    register_table_ = static_cast<uint64_t *>(allocate(CORES * sizeof(uint64_t)));
    for (int core = 0; core < CORES; ++core) {
        uint8_t *block = blocks + core * REGISTER_BLOCK_SIZE;
        *reinterpret_cast<uint32_t *>(block + DATA_MAIN_BASE) = TOKEN_IDLE;
        *reinterpret_cast<uint32_t *>(block + COND) = TOKEN_IDLE;
        register_table_[core] = reinterpret_cast<uint64_t>(block);
    }
}

void PreparedRun::launch(const DeviceEntries &entries) {
    launched_ = std::chrono::steady_clock::now();
    completion_.expect(CORES + AICPU_THREADS_LAUNCHED);
    threads_.reserve(CORES + AICPU_THREADS_LAUNCHED);
    for (int core = 0; core < CORES; ++core) {
        threads_.push_back(device_.create_thread([this, entries, core] { run_core(entries, core); }));
    }
    for (int thread = 0; thread < AICPU_THREADS_LAUNCHED; ++thread) {
        threads_.push_back(device_.create_thread([this, entries] { run_aicpu_thread(entries); }));
    }
}

void PreparedRun::run_core(const DeviceEntries &entries, int core) {
    entries.aicore_execute(&runtime_, core, type_of(core), static_cast<uint32_t>(core), registers(), 0, 0);
    completion_.thread_finished(0);
}

// More threads are started than are wanted; the first to arrive stay.
void PreparedRun::run_aicpu_thread(const DeviceEntries &entries) {
    if (aicpu_arrivals_.fetch_add(1) >= AICPU_THREADS_ACTIVE) return completion_.thread_finished(0);
    const int status = entries.aicpu_execute(&runtime_);
    const auto wall = std::chrono::steady_clock::now() - launched_;
    wall_ns_.store(static_cast<uint64_t>(std::chrono::nanoseconds(wall).count()));
    completion_.thread_finished(status);
}

int PreparedRun::wait() {
    if (threads_.empty()) return completion_.first_error();
    for (std::thread &thread : threads_) thread.join();
    threads_.clear();
    report_wall();
    return completion_.first_error();
}

void PreparedRun::report_wall() const {
    const auto wall = static_cast<unsigned long long>(wall_ns_.load());
    std::fprintf(stderr, "[STRACE] v=1 clk=dev name=chip.run.runner_run.device_wall ts=0 dur=%llu\n", wall);
}

void PreparedRun::copy_results_back() {
    for (const Staged &staged : staged_) {
        if (staged.is_result) device_.copy_from_device(staged.host, staged.device, staged.size);
    }
}

}  // namespace sim_shaped
