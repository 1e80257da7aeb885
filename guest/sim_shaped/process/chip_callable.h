// Packs an orchestration and its kernels into the block of bytes that registers a callable.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "npusim/callable.h"

namespace sim_shaped {

using Bytes = std::vector<uint8_t>;

// Kernels get the function ids 0, 1, ... in their order.
Bytes pack_callable(const Bytes &orchestration, const std::vector<Bytes> &kernels,
                    const std::vector<ArgDirection> &signature);

}  // namespace sim_shaped
