// The cube's view of a picture for convolution: factors in L0 that are made of what lies in L1 on the way there.
#pragma once

#include "npusim/tile.h"

namespace npusim::tile {

class ConvCore : public Core {
public:
    using Core::Core;

    // Fills `to` from L1, each element as `element(row, col)` has it: the windows of a picture as rows of a matrix, at the
    // price of a move of as many bytes.
    template <typename T, typename F>
    void gather(L0aTile<T> to, F element) {  // MTE1
        record_local(NPUSIM_PATH_L1_TO_L0A, to, to);
        each(to, [&](uint32_t row, uint32_t col) { to.at(row, col) = element(row, col); });
    }
    template <typename T, typename F>
    void gather(L0bTile<T> to, F element) {  // MTE1
        record_local(NPUSIM_PATH_L1_TO_L0B, to, to);
        each(to, [&](uint32_t row, uint32_t col) { to.at(row, col) = element(row, col); });
    }
};

}  // namespace npusim::tile
