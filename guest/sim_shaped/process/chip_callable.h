// Packs an orchestration and its kernels into the block of bytes that registers a callable.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "npusim/callable.h"

namespace sim_shaped {

using Bytes = std::vector<uint8_t>;

// Children begin at multiples of 64 from the storage, so the block as a whole needs no alignment beyond malloc's.
Bytes pack_callable(const Bytes &orchestration, const std::vector<Bytes> &kernels,
                    const std::vector<ArgDirection> &signature);

}  // namespace sim_shaped
