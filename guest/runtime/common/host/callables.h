// Registered callables: an orchestration, where the runtime wants it, and the kernels it names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "npusim/callable.h"
#include "orchestration_home.h"  // each runtime has its own

namespace rt {

class Callable {
public:
    Callable() = default;
    ~Callable() { release(); }
    Callable(const Callable &) = delete;
    Callable &operator=(const Callable &) = delete;

    // Registers the kernels and brings the orchestration to where it is called. 0, or a negative code: then nothing is
    // left of the attempt.
    int load(int32_t id, const ChipCallable &source, const Entries &entries);
    void release();

    bool exists() const { return generation_ != 0; }
    uint64_t generation() const { return generation_; }
    const uint64_t *device_kernels() const { return kernel_table_; }
    const std::vector<uint64_t> &kernels() const { return kernels_; }
    const OrchestrationHome &orchestration() const { return orchestration_; }
    ArgDirection direction(int32_t argument) const;

private:
    int register_kernels(const ChipCallable &source);
    int copy_kernel_table(int32_t id);

    uint64_t generation_ = 0;
    std::vector<ArgDirection> signature_;
    std::vector<uint64_t> kernels_;  // by function id, 0 where there is none
    uint64_t *kernel_table_ = nullptr;  // the same on the device
    OrchestrationHome orchestration_;
};

}  // namespace rt
