// Whether two views of one buffer have an element in common.
#pragma once

#include <cstdint>

#include "npusim/tensor.h"

namespace rt {

enum class Overlap {
    NONE,
    SOME,     // they share bytes, or it cannot be told that they do not
    COVERED,  // every byte of the second is one of the first
};

// `first` and `second` view the same buffer. Exact for contiguous views and for boxes of one strided tensor.
Overlap overlap(const ChipTensor &first, const ChipTensor &second);

}  // namespace rt
