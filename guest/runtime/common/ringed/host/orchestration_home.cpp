#include "orchestration_home.h"

#include <cstdio>
#include <cstring>

#include "common/ringed/travelling_orchestration.h"
#include "npusim/platform.h"
#include "npusim/runtime_status.h"

namespace rt {
namespace {

constexpr size_t ALIGNMENT = 64;
constexpr uint64_t FIXED_BUFFER = NPUSIM_FIXED_BUFFER;

int last_error() {
    const int code = npusim_last_error();
    return code != 0 ? code : -1;
}

}  // namespace

void OrchestrationHome::before_unloading(uint64_t aicpu_object) {
    const auto release =
        reinterpret_cast<void (*)()>(npusim_symbol(aicpu_object, "simpler_aicpu_release_callables"));
    if (release != nullptr) release();
}

int OrchestrationHome::take(int32_t id, const ChipCallable &source) {
    const uint32_t transfer = npusim_object_transfer();
    if (transfer != NPUSIM_TRANSFER_SEPARATE) {
        const bool is_fixed = transfer == NPUSIM_TRANSFER_FIXED_BUFFER;
        if (is_fixed && source.binary_size_ > FIXED_BUFFER) {
            npusim_log(3, "the orchestration does not fit into the buffer in front of the runtime structure");
            return -1;
        }
        travelling_.assign(is_fixed ? FIXED_BUFFER : aligned(source.binary_size_), 0);
        std::memcpy(travelling_.data(), source.storage_, source.binary_size_);
        return 0;
    }
    char owner[32];
    std::snprintf(owner, sizeof(owner), "orchestration cid%d", id);
    bytes_ = static_cast<uint8_t *>(npusim_malloc(source.binary_size_, ALIGNMENT, owner));
    return bytes_ == nullptr ? last_error() : npusim_copy_to_device(bytes_, source.storage_, source.binary_size_);
}

int OrchestrationHome::load(int32_t id, const ChipCallable &source, uint64_t generation, const Entries &entries) {
    RegistrationOrder order{};
    order.callable_id = id;
    order.callable_generation = generation;
    order.orchestration = bytes_;
    order.orchestration_size = source.binary_size_;
    std::memcpy(order.entry_name, source.func_name_, sizeof(order.entry_name));
    std::memcpy(order.config_name, source.config_name_, sizeof(order.config_name));
    order.status = STATUS_SCHEDULER_TIMEOUT;
    order_ = order;
    if (travels()) return 0;
    auto *device = static_cast<RegistrationOrder *>(npusim_malloc(sizeof(order), ALIGNMENT, "registration order"));
    if (device == nullptr) return last_error();
    NpusimLaunch launch{};
    launch.aicpu_entry = entries.aicpu_register;
    launch.runtime = device;
    launch.aicpu_threads = 1;
    int code = npusim_copy_to_device(device, &order, sizeof(order));
    if (code == 0) code = npusim_launch(&launch);
    if (code == 0) code = npusim_wait();
    if (code == 0) code = npusim_copy_from_device(&order, device, sizeof(order));
    npusim_free(device);
    if (code != 0) return code;
    return order.status > 0 ? -order.status : order.status;
}

uint64_t OrchestrationHome::room() const { return travels() ? travelling_.size() + TRAVELLING_ORDER_BYTES : 0; }

void OrchestrationHome::write(uint8_t *host, const uint8_t *device) const {
    RegistrationOrder order = order_;
    order.orchestration = device;
    std::memcpy(host, travelling_.data(), travelling_.size());
    std::memcpy(host + travelling_.size(), &order, sizeof(order));
}

void OrchestrationHome::release() {
    travelling_.clear();
    if (bytes_ != nullptr) npusim_free(bytes_);
    bytes_ = nullptr;
}

}  // namespace rt
