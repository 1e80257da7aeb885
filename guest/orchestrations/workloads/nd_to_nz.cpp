// A matrix into columns of 16 elements: a task for each of row_parts x col_parts parts of it. Each has as many tiles, the
// first ones one more if they do not come out even.
//
// Scalars: rows, cols, row_parts, col_parts, tile_rows, tile_cols, and cols / 16, which the shapes need. Tensors: from [rows,
// cols], to [cols / 16, rows, 16], float16.
#include <algorithm>

#include "npusim/orchestration.h"

namespace {

using npusim::TaskArgs;

enum Kernel : int32_t { ND_TO_NZ = 0 };
constexpr int32_t SCALARS = 7;
constexpr uint32_t BLOCK = 16;

// Where part `index` of `parts` begins, in elements.
uint32_t begin_of(uint32_t index, uint32_t parts, uint32_t length, uint32_t tile) {
    const uint32_t tiles = (length + tile - 1) / tile;
    return std::min((tiles / parts * index + std::min(index, tiles % parts)) * tile, length);
}

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {2 + SCALARS}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const auto scalar = [&](int32_t index) { return npusim::scalar_as<uint32_t>(args, index); };
    const uint32_t rows = scalar(0), cols = scalar(1), row_parts = scalar(2), col_parts = scalar(3);
    const uint32_t tile_rows = scalar(4), tile_cols = scalar(5);
    if (row_parts == 0 || col_parts == 0 || tile_rows == 0 || tile_cols == 0 || tile_cols % BLOCK != 0) {
        npusim::fail("nd_to_nz: no parts, or tiles are not whole blocks of 16 columns");
        return;
    }
    for (uint32_t row_part = 0; row_part < row_parts; ++row_part) {
        const uint32_t row = begin_of(row_part, row_parts, rows, tile_rows);
        const uint32_t end_row = begin_of(row_part + 1, row_parts, rows, tile_rows);
        for (uint32_t col_part = 0; col_part < col_parts; ++col_part) {
            const uint32_t col = begin_of(col_part, col_parts, cols, tile_cols);
            const uint32_t end_col = begin_of(col_part + 1, col_parts, cols, tile_cols);
            if (row == end_row || col == end_col || npusim::failed()) continue;
            const uint32_t from_extents[2] = {end_row - row, end_col - col}, from_offsets[2] = {row, col};
            const uint32_t to_extents[3] = {(end_col - col) / BLOCK, end_row - row, BLOCK};
            const uint32_t to_offsets[3] = {col / BLOCK, row, 0};
            TaskArgs part;
            part.input(args.tensor(0).view(from_extents, from_offsets));
            part.output_to(args.tensor(1).view(to_extents, to_offsets));
            part.scalar(uint64_t{rows}).scalar(uint64_t{tile_rows}).scalar(uint64_t{tile_cols});
            npusim::submit_aiv(ND_TO_NZ, part);
        }
    }
}
