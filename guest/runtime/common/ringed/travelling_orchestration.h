// An orchestration that travels with each run, in front of the runtime structure and in one copy with it:
//
//   | its bytes, and what is left of the buffer | RegistrationOrder | Runtime ...
#pragma once

#include <cstdint>

#include "common/device/run_image.h"
#include "common/orchestration/orchestration.h"

namespace rt {

constexpr uint64_t TRAVELLING_ALIGNMENT = 64;

constexpr uint64_t aligned(uint64_t bytes) { return (bytes + TRAVELLING_ALIGNMENT - 1) & ~(TRAVELLING_ALIGNMENT - 1); }

constexpr uint64_t TRAVELLING_ORDER_BYTES = aligned(sizeof(RegistrationOrder));

inline const RegistrationOrder &order_in_front_of(const Runtime *runtime) {
    const auto *bytes = reinterpret_cast<const uint8_t *>(runtime) - TRAVELLING_ORDER_BYTES;
    return *reinterpret_cast<const RegistrationOrder *>(bytes);
}

}  // namespace rt
