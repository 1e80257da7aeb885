#include "process/chip_callable.h"

#include <algorithm>
#include <cstring>

namespace sim_shaped {
namespace {

constexpr char ENTRY[] = "aicpu_orchestration_entry";

size_t aligned(size_t offset) { return (offset + CALLABLE_ALIGN - 1) / CALLABLE_ALIGN * CALLABLE_ALIGN; }

void place(const void *bytes, size_t size, size_t offset, Bytes &block) {
    if (block.size() < offset + size) block.resize(offset + size);
    std::memcpy(block.data() + offset, bytes, size);
}

void place_kernel(const Bytes &kernel, size_t offset, Bytes &block) {
    CoreCallable header{};
    header.binary_size_ = static_cast<uint32_t>(kernel.size());
    place(&header, sizeof(header), offset, block);
    place(kernel.data(), kernel.size(), offset + CoreCallable::binary_data_offset(), block);
}

}  // namespace

Bytes pack_callable(const Bytes &orchestration, const std::vector<Bytes> &kernels,
                    const std::vector<ArgDirection> &signature) {
    ChipCallable header{};
    std::copy(signature.begin(), signature.end(), header.signature_);
    header.sig_count_ = static_cast<int32_t>(signature.size());
    header.binary_size_ = static_cast<uint32_t>(orchestration.size());
    std::strcpy(header.func_name_, ENTRY);
    header.func_name_len_ = sizeof(ENTRY) - 1;
    header.child_count_ = static_cast<int32_t>(kernels.size());

    constexpr size_t STORAGE = offsetof(ChipCallable, storage_);
    Bytes block;
    place(orchestration.data(), orchestration.size(), STORAGE, block);
    for (size_t id = 0; id < kernels.size(); ++id) {
        const size_t offset = aligned(block.size() - STORAGE);
        header.child_func_ids_[id] = static_cast<int32_t>(id);
        header.child_offsets_[id] = static_cast<uint32_t>(offset);
        place_kernel(kernels[id], STORAGE + offset, block);
    }
    place(&header, STORAGE, 0, block);
    return block;
}

}  // namespace sim_shaped
