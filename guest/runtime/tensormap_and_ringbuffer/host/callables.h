// Registered callables: an orchestration on the device, loaded by the AICPU, and the kernels it names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "npusim/callable.h"

namespace tmr {

class Callable {
public:
    Callable() = default;
    ~Callable() { release(); }
    Callable(const Callable &) = delete;
    Callable &operator=(const Callable &) = delete;

    // Registers the kernels, copies the orchestration to the device and has the AICPU load it. 0, or a negative code:
    // then nothing is left of the attempt.
    int load(int32_t id, const ChipCallable &source, uint64_t register_entry);
    void release();

    bool exists() const { return generation_ != 0; }
    uint64_t generation() const { return generation_; }
    const uint64_t *kernels() const { return kernel_table_; }
    uint64_t kernel_count() const { return kernels_.size(); }
    ArgDirection direction(int32_t argument) const;

private:
    int register_kernels(const ChipCallable &source);
    int copy_to_device(int32_t id, const ChipCallable &source);
    int load_on_aicpu(int32_t id, const ChipCallable &source, uint64_t register_entry);

    uint64_t generation_ = 0;
    std::vector<ArgDirection> signature_;
    std::vector<uint64_t> kernels_;  // by function id, 0 where there is none
    uint64_t *kernel_table_ = nullptr;  // the same on the device
    uint8_t *orchestration_ = nullptr;  // on the device
};

}  // namespace tmr
