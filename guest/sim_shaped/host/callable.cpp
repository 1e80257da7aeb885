#include "host/callable.h"

namespace sim_shaped {

int Callable::load_kernels(const ChipCallable &source) {
    signature_.assign(source.signature_, source.signature_ + source.sig_count_);
    for (int32_t index = 0; index < source.child_count_; ++index) {
        const int32_t func_id = source.child_func_ids_[index];
        if (func_id < 0 || func_id >= MAX_FUNC_ID) return -1;
        const CoreCallable &child = *source.child(index);
        TemporaryObject object;
        const std::string path = "/tmp/kernel_" + std::to_string(func_id) + "_XXXXXX";
        if (!object.open(path, child.binary_data(), child.binary_size_)) return -1;
        const auto entry = object.symbol<void(int64_t *)>("kernel_entry");
        if (entry == nullptr) return -1;
        kernels_.push_back({func_id, child, std::move(object)});
        kernels_.back().callable.resolved_addr_ = reinterpret_cast<uint64_t>(entry);
    }
    return 0;
}

void Callable::list_kernels(const CoreCallable *(&kernels)[MAX_FUNC_ID]) const {
    for (const Kernel &kernel : kernels_) kernels[kernel.func_id] = &kernel.callable;
}

}  // namespace sim_shaped
