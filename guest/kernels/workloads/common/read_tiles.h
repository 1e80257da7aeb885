// Reading a tensor tile by tile: the order of tiles that the copying kernels share.
#pragma once

#include "npusim/tile.h"

namespace reading {

using namespace npusim::tile;

// Scalars of a copying kernel, from the one with this index on.
struct Order {
    Order(const Core &core, int32_t first)
        : tile_rows(core.scalar_argument<uint32_t>(first)), tile_cols(core.scalar_argument<uint32_t>(first + 1)),
          passes(core.scalar_argument<uint32_t>(first + 2)), first_tile(core.scalar_argument<uint32_t>(first + 3)),
          sections(core.scalar_argument<uint32_t>(first + 4)) {}

    uint32_t tile_rows, tile_cols;
    uint32_t passes;      // over each section, one after the other
    uint32_t first_tile;  // of each section; round to the one before it
    uint32_t sections;    // of as many rows, but for the last one
};

// Calls read(tile) for each tile, row by row of tiles. Tiles at the edges are smaller.
template <typename Read>
void read_tiles(Global<const half> input, const Order &order, Read read) {
    const uint32_t section_rows = (input.rows + order.sections - 1) / order.sections;
    const uint32_t across = (input.cols + order.tile_cols - 1) / order.tile_cols;
    for (uint32_t begin = 0; begin < input.rows; begin += section_rows) {
        const uint32_t end = std::min(begin + section_rows, input.rows);
        const uint32_t tiles = (end - begin + order.tile_rows - 1) / order.tile_rows * across;
        for (uint32_t count = 0; count < order.passes * tiles; ++count) {
            const uint32_t tile = (order.first_tile + count) % tiles;
            const uint32_t row = begin + tile / across * order.tile_rows, col = tile % across * order.tile_cols;
            read(input.block(row, col, std::min(order.tile_rows, end - row), std::min(order.tile_cols, input.cols - col)));
        }
    }
}

}  // namespace reading
