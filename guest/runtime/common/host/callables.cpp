#include "common/host/callables.h"

#include <cstdio>
#include <cstring>

#include "npusim/platform.h"

namespace rt {
namespace {

constexpr size_t ALIGNMENT = 64;

int last_error() {
    const int code = npusim_last_error();
    return code != 0 ? code : -1;
}

// Names in a callable are not always terminated.
bool is_terminated(const char (&name)[CALLABLE_FUNC_NAME_MAX]) { return std::memchr(name, '\0', sizeof(name)) != nullptr; }

bool is_valid(const ChipCallable &source) {
    if (source.child_count_ < 0 || source.child_count_ > CHIP_MAX_CHILDREN) return false;
    if (source.sig_count_ < 0 || source.sig_count_ > CHIP_MAX_TENSOR_ARGS) return false;
    if (!is_terminated(source.func_name_) || !is_terminated(source.config_name_)) return false;
    if (source.binary_size_ == 0 || source.func_name_[0] == '\0') return false;
    for (int32_t index = 0; index < source.child_count_; ++index) {
        const int32_t id = source.child_func_ids_[index];
        if (id < 0 || id >= RUNTIME_MAX_FUNC_ID || source.child_offsets_[index] % CALLABLE_ALIGN != 0) return false;
        if (source.child(index)->binary_size_ == 0) return false;
    }
    return true;
}

}  // namespace

ArgDirection Callable::direction(int32_t argument) const {
    const auto index = static_cast<size_t>(argument);
    return index < signature_.size() ? signature_[index] : ArgDirection::INOUT;
}

int Callable::load(int32_t id, const ChipCallable &source, const Entries &entries) {
    if (!is_valid(source)) return -1;
    static uint64_t generations = 0;
    release();
    signature_.assign(source.signature_, source.signature_ + source.sig_count_);
    generation_ = ++generations;
    int code = register_kernels(source);
    if (code == 0) code = orchestration_.take(id, source);
    if (code == 0) code = copy_kernel_table(id);
    if (code == 0) code = orchestration_.load(id, source, generation_, entries);
    if (code != 0) release();
    return code;
}

int Callable::register_kernels(const ChipCallable &source) {
    int32_t highest = -1;
    for (int32_t index = 0; index < source.child_count_; ++index) {
        if (source.child_func_ids_[index] > highest) highest = source.child_func_ids_[index];
    }
    kernels_.assign(static_cast<size_t>(highest + 1), 0);
    for (int32_t index = 0; index < source.child_count_; ++index) {
        const CoreCallable &child = *source.child(index);
        uint64_t &place = kernels_[static_cast<size_t>(source.child_func_ids_[index])];
        if (place != 0) return -1;
        place = npusim_register_kernel(source.child_func_ids_[index], child.binary_data(), child.binary_size_);
        if (place == 0) return last_error();
    }
    return 0;
}

int Callable::copy_kernel_table(int32_t id) {
    if (kernels_.empty()) return 0;
    const size_t bytes = kernels_.size() * sizeof(uint64_t);
    char owner[32];
    std::snprintf(owner, sizeof(owner), "kernel table cid%d", id);
    kernel_table_ = static_cast<uint64_t *>(npusim_malloc(bytes, ALIGNMENT, owner));
    if (kernel_table_ == nullptr) return last_error();
    return npusim_copy_to_device(kernel_table_, kernels_.data(), bytes);
}

void Callable::release() {
    for (const uint64_t kernel : kernels_) {
        if (kernel != 0) npusim_unregister_kernel(kernel);
    }
    kernels_.clear();
    orchestration_.release();
    if (kernel_table_ != nullptr) npusim_free(kernel_table_);
    kernel_table_ = nullptr;
    signature_.clear();
    generation_ = 0;
}

}  // namespace rt
