#include "orchestration_home.h"

#include <cstring>

namespace rt {

int OrchestrationHome::load(int32_t id, const ChipCallable &source, uint64_t generation, const Entries &entries) {
    RegistrationOrder order{};
    order.callable_id = id;
    order.callable_generation = generation;
    order.orchestration = source.storage_;
    order.orchestration_size = source.binary_size_;
    std::memcpy(order.entry_name, source.func_name_, sizeof(order.entry_name));
    std::memcpy(order.config_name, source.config_name_, sizeof(order.config_name));
    const int32_t status = register_orchestration(&entries, order, &registered_);
    return status > 0 ? -status : status;
}

}  // namespace rt
