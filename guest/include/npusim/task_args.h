// The arguments of one run as they cross the host API.
#pragma once

#include <cstddef>
#include <cstdint>

#include "npusim/callable.h"
#include "npusim/tensor.h"

struct ChipStorageTaskArgs {
    ChipTensor tensors_[CHIP_MAX_TENSOR_ARGS];
    uint64_t scalars_[CHIP_MAX_SCALAR_ARGS];
    int32_t tensor_count_;
    int32_t scalar_count_;

    const ChipTensor &tensor(int32_t index) const { return tensors_[index]; }
    uint64_t scalar(int32_t index) const { return scalars_[index]; }
    int32_t tensor_count() const { return tensor_count_; }
    int32_t scalar_count() const { return scalar_count_; }
};
static_assert(offsetof(ChipStorageTaskArgs, scalars_) == 32768);
static_assert(offsetof(ChipStorageTaskArgs, tensor_count_) == 33792);
static_assert(offsetof(ChipStorageTaskArgs, scalar_count_) == 33796);
static_assert(sizeof(ChipStorageTaskArgs) == 33856);
