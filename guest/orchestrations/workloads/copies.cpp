// Every core of one kind reads its part of a tensor, and keeps nothing of it but a trace of the last tile.
//
// Scalars: rows, cols, blocks, tile_rows, tile_cols, passes, mode (of Mode), cube (1: the kernel is for AICs),
// sections (of each block, read one after the other).
// Tensors: input [rows, cols] float16, last [blocks, ..], a row for each block.
#include "npusim/orchestration.h"

namespace {

using npusim::TaskArgs;

enum Kernel : int32_t { COPY = 0 };
// Who reads what.
enum Mode : uint64_t {
    OWN_PART = 0,        // each block as many rows as the others, the last one what is left
    ALL_IN_STEP = 1,     // each block everything, all from the first tile on
    ALL_STAGGERED = 2,   // each block everything, each from another tile on
};

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {11}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const auto scalar = [&](int32_t index) { return npusim::scalar_as<uint64_t>(args, index); };
    const uint64_t rows = scalar(0), cols = scalar(1), blocks = scalar(2), tile_rows = scalar(3), tile_cols = scalar(4);
    const uint64_t mode = scalar(6), sections = scalar(8);
    if (blocks == 0 || tile_rows == 0 || tile_cols == 0 || sections == 0 || mode > ALL_STAGGERED) {
        npusim::fail("copies: no blocks, no tiles, no sections, or a mode above 2");
        return;
    }
    const uint64_t share = mode == OWN_PART ? (rows + blocks - 1) / blocks : rows;
    const uint64_t tiles = ((share + tile_rows - 1) / tile_rows) * ((cols + tile_cols - 1) / tile_cols);
    for (uint64_t block = 0; block < blocks; ++block) {
        const uint64_t begin = mode == OWN_PART ? block * share : 0, end = begin + share < rows ? begin + share : rows;
        if (begin >= end) break;
        const uint64_t first_tile = mode == ALL_STAGGERED ? block * tiles / blocks : 0;
        TaskArgs copy;
        copy.input(args.tensor(0).slice(0, static_cast<uint32_t>(begin), static_cast<uint32_t>(end)))
            .output_to(args.tensor(1).slice(0, static_cast<uint32_t>(block), static_cast<uint32_t>(block) + 1))
            .scalar(tile_rows)
            .scalar(tile_cols)
            .scalar(scalar(5))
            .scalar(first_tile)
            .scalar(sections);
        if (scalar(7) != 0) npusim::submit_aic(COPY, copy);
        else npusim::submit_aiv(COPY, copy);
    }
}
