// The steps of paged attention on one tile of queries and some blocks of keys and values: what the kernels that find
// blocks in a table, and those that are given one block, have in common.
//
// Tiles of scores and weights lie in GM block after block: [blocks * queries, block_size].
#pragma once

#include "npusim/tile.h"

namespace paged {

using namespace npusim::tile;

// scores = queries · keysᵀ for each block; the next keys are loaded while this block is worked on.
// `keys_of(index)` is block `index`, [block_size, head_dim].
template <typename KeysOf>
void multiply_by_keys(Core &core, Global<const bfloat16> queries, Global<float> scores, uint32_t blocks, KeysOf keys_of) {
    const uint32_t rows = queries.rows, head_dim = queries.cols, block_size = scores.cols;
    const auto staged_queries = core.l1<bfloat16>(rows, head_dim);
    const L1Tile<bfloat16> staged_keys[2] = {core.l1<bfloat16>(block_size, head_dim),
                                             core.l1<bfloat16>(block_size, head_dim)};
    const auto left = core.l0a<bfloat16>(rows, head_dim);
    const auto right = core.l0b<bfloat16>(head_dim, block_size);
    const auto sum = core.l0c<float>(rows, block_size);
    core.load(staged_queries, queries, Layout::ND2NZ);
    core.load(staged_keys[0], keys_of(0), Layout::ND2NZ);
    for (uint32_t index = 0; index < blocks; ++index) {
        core.sync(Pipe::MTE2, Pipe::MTE1, 0);
        core.move(left, staged_queries);
        core.move_transposed(right, staged_keys[index % 2]);
        if (index + 1 < blocks) core.load(staged_keys[(index + 1) % 2], keys_of(index + 1), Layout::ND2NZ);
        core.sync(Pipe::MTE1, Pipe::M, 0);
        core.matmul(sum, left, right);
        core.sync(Pipe::M, Pipe::FIX, 0);
        core.store(scores.block(index * rows, 0, rows, block_size), sum);
        if (index + 1 < blocks) core.barrier_all();
    }
    core.sync(Pipe::FIX, Pipe::S, 7);
}

// product = the sum of weights · values over all blocks; two sets of buffers in L1 and L0.
// `values_of(index)` is block `index`, [block_size, head_dim].
template <typename ValuesOf>
void multiply_by_values(Core &core, Global<const bfloat16> weights, Global<float> product, uint32_t blocks,
                        ValuesOf values_of) {
    const uint32_t rows = product.rows, head_dim = product.cols, block_size = weights.cols;
    L1Tile<bfloat16> staged_weights[2], staged_values[2];
    L0aTile<bfloat16> left[2];
    L0bTile<bfloat16> right[2];
    for (uint16_t buffer = 0; buffer < 2; ++buffer) {
        staged_weights[buffer] = core.l1<bfloat16>(rows, block_size);
        staged_values[buffer] = core.l1<bfloat16>(block_size, head_dim);
        left[buffer] = core.l0a<bfloat16>(rows, block_size);
        right[buffer] = core.l0b<bfloat16>(block_size, head_dim);
        core.set_flag(Pipe::MTE1, Pipe::MTE2, buffer);
        core.set_flag(Pipe::M, Pipe::MTE1, buffer);
    }
    const auto sum = core.l0c<float>(rows, head_dim);
    for (uint32_t index = 0; index < blocks; ++index) {
        const uint16_t now = index % 2;
        core.wait_flag(Pipe::MTE1, Pipe::MTE2, now);
        core.load(staged_weights[now], weights.block(index * rows, 0, rows, block_size), Layout::ND2NZ);
        core.set_flag(Pipe::MTE2, Pipe::MTE1, 0);
        core.load(staged_values[now], values_of(index), Layout::ND2NZ);
        core.set_flag(Pipe::MTE2, Pipe::MTE1, 1);
        core.wait_flag(Pipe::M, Pipe::MTE1, now);
        core.wait_flag(Pipe::MTE2, Pipe::MTE1, 0);
        core.move(left[now], staged_weights[now]);
        core.wait_flag(Pipe::MTE2, Pipe::MTE1, 1);
        core.move(right[now], staged_values[now]);
        core.set_flag(Pipe::MTE1, Pipe::MTE2, now);
        core.sync(Pipe::MTE1, Pipe::M, now);
        core.matmul(sum, left[now], right[now], index > 0);
        core.set_flag(Pipe::M, Pipe::MTE1, now);
    }
    for (uint16_t buffer = 0; buffer < 2; ++buffer) {
        core.wait_flag(Pipe::MTE1, Pipe::MTE2, buffer);
        core.wait_flag(Pipe::M, Pipe::MTE1, buffer);
    }
    core.sync(Pipe::M, Pipe::FIX, 0);
    core.store(product, sum);
    core.sync(Pipe::FIX, Pipe::S, 7);
}

// Scores beyond the end of the sequence count for nothing.
inline void mask(Core &core, UbTile<float> scores, uint32_t valid) {
    if (valid >= scores.cols) return;
    core.fill(scores.block(0, valid, scores.rows, scores.cols - valid), -3.0e38f);
    core.barrier(Pipe::V);
}

// A column of a core's rows as one line, in the unified buffer and in GM: they lie one after the other in both.
inline UbTile<float> line(UbTile<float> column) { return column.reshape(1, column.rows); }
inline Global<float> line(Global<float> vector) { return vector.reshape(1, vector.rows * vector.cols); }
inline Global<const float> line(Global<const float> vector) {
    return vector.reshape(1, vector.rows * vector.cols);
}

}  // namespace paged
