// Attention of one query a sequence to keys and values in blocks, four tasks for each block of each sequence:
//
//     scores = queries · keysᵀ   softmax, without division   product = weights · values   result of the blocks so far
//            (AIC)                      (AIV)                       (AIC)                        (AIV)
//
// Which blocks are a sequence's is known where the graph is built: block i of sequence s is
// ((s * blocks a sequence + i) * 7919) % total_blocks, scattered as a cache that has been in use for a while.
//
// Scalars: batch, heads, head_dim, block_size, total_blocks, context. Tensors:
//     queries [batch, heads, head_dim], keys and values [total_blocks, block_size, head_dim] bfloat16
//     result [batch, heads, head_dim] float32
#include <algorithm>

#include "orchestrations/common/attention_tasks.h"

namespace {

using npusim::AccumulatedAttention;
using npusim::AttentionShape;
using npusim::Scope;
using npusim::TaskArgs;

enum Kernel : int32_t { SCORES = 0, SOFTMAX = 1, PRODUCT = 2, UPDATE = 3 };
constexpr float SCALE = 1.0f;
constexpr uint64_t SCATTER = 7919;

struct Problem {
    AttentionShape shape;
    uint32_t context;

    uint32_t blocks() const { return (context + shape.block_size - 1) / shape.block_size; }
};

Problem problem_of(const ChipStorageTaskArgs &args) {
    const auto scalar = [&](int32_t index) { return npusim::scalar_as<uint32_t>(args, index); };
    return {{scalar(0), scalar(1), scalar(2), scalar(3), scalar(4)}, scalar(5)};
}

class Sequence {
public:
    Sequence(const ChipStorageTaskArgs &args, const Problem &problem, uint32_t index)
        : args_(args), problem_(problem), index_(index), queries_(problem.shape.rows_of(args.tensor(0), index)),
          accumulated_(problem.shape, problem.shape.rows_of(args.tensor(3), index)) {}

    void submit() {
        // What the blocks are added to lives as long as the sequence, the rest as long as its block.
        submit_block(0);
        for (uint32_t index = 1; index < problem_.blocks() && !npusim::failed(); ++index) {
            const Scope scope;
            submit_block(index);
        }
    }

private:
    ChipTensor block_of(int32_t tensor, uint32_t index) const {
        const AttentionShape &shape = problem_.shape;
        const uint64_t place = uint64_t{index_} * problem_.blocks() + index;
        const auto block = static_cast<uint32_t>(place * SCATTER % shape.total_blocks);
        const uint32_t first = block * shape.block_size;
        return shape.rows_of_blocks(args_.tensor(tensor)).slice(0, first, first + shape.block_size);
    }

    void submit_block(uint32_t index) {
        const AttentionShape &shape = problem_.shape;
        const uint32_t valid = std::min(shape.block_size, problem_.context - index * shape.block_size);
        const uint32_t tile[2] = {shape.heads, shape.block_size};
        const uint32_t column[1] = {shape.heads}, rows[2] = {shape.heads, shape.head_dim};
        TaskArgs scores;
        scores.input(queries_).input(block_of(1, index)).output(tile, 2, DataType::FLOAT32);
        npusim::submit_aic(SCORES, scores);
        TaskArgs softmax;
        softmax.input(scores.tensor(2)).output(tile, 2, DataType::BFLOAT16);
        softmax.output(column, 1, DataType::FLOAT32).output(column, 1, DataType::FLOAT32);
        softmax.scalar(SCALE).scalar(valid);
        npusim::submit_aiv(SOFTMAX, softmax);
        TaskArgs product;
        product.input(softmax.tensor(1)).input(block_of(2, index)).output(rows, 2, DataType::FLOAT32);
        npusim::submit_aic(PRODUCT, product);
        accumulated_.add(UPDATE, {softmax.tensor(2), softmax.tensor(3), product.tensor(2)}, index == 0,
                         index + 1 == problem_.blocks());
    }

    const ChipStorageTaskArgs &args_;
    const Problem &problem_;
    uint32_t index_;
    ChipTensor queries_;
    AccumulatedAttention accumulated_;
};

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {10}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const Problem problem = problem_of(args);
    if (problem.shape.block_size == 0 || problem.context == 0 || problem.shape.total_blocks == 0) {
        npusim::fail("paged_attention: nothing to attend to");
        return;
    }
    for (uint32_t index = 0; index < problem.shape.batch && !npusim::failed(); ++index) {
        const Scope scope;
        Sequence(args, problem, index).submit();
    }
}
