// Callables: code with a signature, in the byte layout in which it crosses the host API.
//
// A ChipCallable is an orchestration object with its kernels. Its storage holds the orchestration's ELF, then each child
// at a multiple of CALLABLE_ALIGN. A child is a CoreCallable, whose ELF begins at the next multiple of CALLABLE_ALIGN
// after its header.
#pragma once

#include <cstddef>
#include <cstdint>

enum class ArgDirection : int32_t { SCALAR = 0, IN = 1, OUT = 2, INOUT = 3 };

constexpr int CORE_MAX_TENSOR_ARGS = 32;
constexpr int CORE_MAX_SCALAR_ARGS = 16;
constexpr int CHIP_MAX_TENSOR_ARGS = 256;
constexpr int CHIP_MAX_SCALAR_ARGS = 128;
constexpr int CHIP_MAX_CHILDREN = 1024;
constexpr int CALLABLE_FUNC_NAME_MAX = 64;
constexpr uint32_t CALLABLE_ALIGN = 64;
constexpr uint32_t CALLABLE_CHILD_ALIGN = 16;
constexpr int32_t MAX_REGISTERED_CALLABLE_IDS = 64;
constexpr int32_t RUNTIME_MAX_FUNC_ID = 1024;

struct CoreCallable {
    ArgDirection signature_[CORE_MAX_TENSOR_ARGS];
    int32_t sig_count_;
    uint32_t binary_size_;
    uint64_t resolved_addr_;

    static constexpr size_t binary_data_offset();
    const uint8_t *binary_data() const { return reinterpret_cast<const uint8_t *>(this) + binary_data_offset(); }
};
constexpr size_t CoreCallable::binary_data_offset() {
    return (sizeof(CoreCallable) + CALLABLE_ALIGN - 1) / CALLABLE_ALIGN * CALLABLE_ALIGN;
}
static_assert(sizeof(CoreCallable) == 144);
static_assert(offsetof(CoreCallable, sig_count_) == 128);
static_assert(offsetof(CoreCallable, binary_size_) == 132);
static_assert(offsetof(CoreCallable, resolved_addr_) == 136);
static_assert(CoreCallable::binary_data_offset() == 192);

struct ChipCallable {
    ArgDirection signature_[CHIP_MAX_TENSOR_ARGS];  // tensors first, then scalars
    int32_t sig_count_;
    uint32_t binary_size_;
    char func_name_[CALLABLE_FUNC_NAME_MAX];
    uint32_t func_name_len_;
    int32_t child_func_ids_[CHIP_MAX_CHILDREN];
    uint32_t child_offsets_[CHIP_MAX_CHILDREN];  // from the start of storage_
    int32_t child_count_;
    char config_name_[CALLABLE_FUNC_NAME_MAX];
    uint32_t config_name_len_;
    alignas(CALLABLE_CHILD_ALIGN) uint8_t storage_[CALLABLE_CHILD_ALIGN];  // as long as its contents

    const CoreCallable *child(int32_t index) const {
        return reinterpret_cast<const CoreCallable *>(storage_ + child_offsets_[index]);
    }
};
static_assert(offsetof(ChipCallable, sig_count_) == 1024);
static_assert(offsetof(ChipCallable, binary_size_) == 1028);
static_assert(offsetof(ChipCallable, func_name_) == 1032);
static_assert(offsetof(ChipCallable, func_name_len_) == 1096);
static_assert(offsetof(ChipCallable, child_func_ids_) == 1100);
static_assert(offsetof(ChipCallable, child_offsets_) == 5196);
static_assert(offsetof(ChipCallable, child_count_) == 9292);
static_assert(offsetof(ChipCallable, config_name_) == 9296);
static_assert(offsetof(ChipCallable, config_name_len_) == 9360);
static_assert(offsetof(ChipCallable, storage_) == 9376);
