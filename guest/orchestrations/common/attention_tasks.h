// What paged attention is made of, however many blocks a task has: the shape of a sequence, and the sum of what its groups
// of blocks gave.
#pragma once

#include "npusim/orchestration.h"

namespace npusim {

// Keys and values in blocks, of sequences that have one tile of queries each.
struct AttentionShape {
    uint32_t batch, heads, head_dim, block_size, total_blocks;

    // The rows of one sequence in a tensor [batch, heads, head_dim].
    ChipTensor rows_of(const ChipTensor &tensor, uint32_t sequence) const {
        const uint32_t rows[2] = {batch * heads, head_dim};
        return tensor.reshape(rows, 2).slice(0, sequence * heads, (sequence + 1) * heads);
    }
    // A tensor [total_blocks, block_size, head_dim] as rows.
    ChipTensor rows_of_blocks(const ChipTensor &tensor) const {
        const uint32_t rows[2] = {total_blocks * block_size, head_dim};
        return tensor.reshape(rows, 2);
    }
};

// What one group of blocks gave: largest score, sum of weights, product.
struct AttentionPart {
    ChipTensor maxima, sums, product;
};

// The result of a sequence so far. Belongs to the scope in which its first group is added.
class AccumulatedAttention {
public:
    AccumulatedAttention(const AttentionShape &shape, const ChipTensor &result) : shape_(shape), result_(result) {}

    // Submits the task of `kernel` that adds a group to those before it.
    void add(int32_t kernel, const AttentionPart &group, bool is_first, bool is_last) {
        const uint32_t column[1] = {shape_.heads}, rows[2] = {shape_.heads, shape_.head_dim};
        TaskArgs update;
        update.input(group.maxima).input(group.sums).input(group.product);
        if (is_first) {
            update.output(column, 1, DataType::FLOAT32).output(column, 1, DataType::FLOAT32);
            update.output(rows, 2, DataType::FLOAT32);
        } else {
            update.inout(all_.maxima).inout(all_.sums).inout(all_.product);
        }
        update.inout(result_).scalar(uint64_t{is_first}).scalar(uint64_t{is_last});
        submit_aiv(kernel, update);
        if (is_first) all_ = {update.tensor(3), update.tensor(4), update.tensor(5)};
    }

private:
    const AttentionShape &shape_;
    ChipTensor result_;
    AttentionPart all_{};
};

}  // namespace npusim
