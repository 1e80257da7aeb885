// What a kernel object is written against: it exports kernel_entry, whose argument array holds one pointer to a tensor
// descriptor for each tensor, then the scalars, and at two fixed places the contexts of the call.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "npusim/tensor.h"

constexpr int32_t KERNEL_LOCAL_CONTEXT_INDEX = 48;
constexpr int32_t KERNEL_GLOBAL_CONTEXT_INDEX = 49;
constexpr int32_t KERNEL_ARGUMENT_SLOTS = 50;

// Which part of the task this call is.
struct KernelLocalContext {
    int32_t block_idx;
    int32_t block_num;
};
// Which core of the cluster this call runs on.
struct KernelGlobalContext {
    int32_t sub_block_id;  // 0 for AIC and AIV0, 1 for AIV1
};

namespace npusim {

inline const ChipTensor &tensor(const int64_t *args, int32_t index) {
    return *reinterpret_cast<const ChipTensor *>(static_cast<uintptr_t>(args[index]));
}
template <typename T>
T *data(const int64_t *args, int32_t index) {
    return tensor(args, index).data<T>();
}
// `index` counts from the first argument, tensors included.
template <typename T>
T scalar(const int64_t *args, int32_t index) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(int64_t));
    T value;
    std::memcpy(&value, &args[index], sizeof(T));
    return value;
}
inline int32_t sub_block_id(const int64_t *args) {
    const auto context = static_cast<uintptr_t>(args[KERNEL_GLOBAL_CONTEXT_INDEX]);
    return reinterpret_cast<const KernelGlobalContext *>(context)->sub_block_id;
}

}  // namespace npusim

extern "C" __attribute__((visibility("default"))) void kernel_entry(int64_t *args);
