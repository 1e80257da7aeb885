// Attention of one query a sequence to keys and values in blocks that a table names: for each sequence, and for each
// group of up to 64 of its blocks, four tasks.
//
//     scores = queries · keysᵀ   softmax, without division   product = weights · values   result of the groups so far
//            (AIC)                      (AIV)                       (AIC)                        (AIV)
//
// Scalars: batch, heads, head_dim, block_size, total_blocks, table_width, context. Tensors:
//     queries [batch, heads, head_dim], keys and values [total_blocks, block_size, head_dim] bfloat16
//     table [batch, table_width] int32, result [batch, heads, head_dim] float32
#include <algorithm>

#include "orchestrations/common/attention_tasks.h"

namespace {

using npusim::AccumulatedAttention;
using npusim::AttentionShape;
using npusim::Scope;
using npusim::TaskArgs;

enum Kernel : int32_t { SCORES = 0, SOFTMAX = 1, PRODUCT = 2, UPDATE = 3 };
constexpr uint32_t BLOCKS_PER_GROUP = 64;
constexpr float SCALE = 1.0f;

struct Problem {
    AttentionShape shape;
    uint32_t table_width, context;

    uint32_t blocks() const { return (context + shape.block_size - 1) / shape.block_size; }
};

Problem problem_of(const ChipStorageTaskArgs &args) {
    const auto scalar = [&](int32_t index) { return npusim::scalar_as<uint32_t>(args, index); };
    return {{scalar(0), scalar(1), scalar(2), scalar(3), scalar(4)}, scalar(5), scalar(6)};
}

class Sequence {
public:
    Sequence(const ChipStorageTaskArgs &args, const Problem &problem, uint32_t index)
        : args_(args), problem_(problem), index_(index), queries_(problem.shape.rows_of(args.tensor(0), index)),
          accumulated_(problem.shape, problem.shape.rows_of(args.tensor(4), index)) {}

    void submit() {
        const uint32_t blocks = problem_.blocks();
        for (uint32_t first = 0; first < blocks && !npusim::failed(); first += BLOCKS_PER_GROUP) {
            const uint32_t count = std::min(BLOCKS_PER_GROUP, blocks - first);
            submit_group(first, count, first + count == blocks);
        }
    }

private:
    ChipTensor all_blocks(int32_t tensor) const { return problem_.shape.rows_of_blocks(args_.tensor(tensor)); }

    void submit_group(uint32_t first, uint32_t count, bool is_last) {
        const AttentionShape &shape = problem_.shape;
        const uint32_t end = std::min(problem_.context, (first + count) * shape.block_size);
        const uint32_t valid = end - (first + count - 1) * shape.block_size;
        const uint32_t place = index_ * problem_.table_width + first;
        const uint32_t tiles[2] = {count * shape.heads, shape.block_size};
        const uint32_t column[1] = {shape.heads}, rows[2] = {shape.heads, shape.head_dim};
        TaskArgs scores;
        scores.input(queries_).input(all_blocks(1)).input(args_.tensor(3)).output(tiles, 2, DataType::FLOAT32);
        scores.scalar(count).scalar(place);
        npusim::submit_aic(SCORES, scores);
        TaskArgs softmax;
        softmax.input(scores.tensor(3)).output(tiles, 2, DataType::BFLOAT16);
        softmax.output(column, 1, DataType::FLOAT32).output(column, 1, DataType::FLOAT32);
        softmax.scalar(SCALE).scalar(count).scalar(valid);
        npusim::submit_aiv(SOFTMAX, softmax);
        TaskArgs product;
        product.input(softmax.tensor(1)).input(all_blocks(2)).input(args_.tensor(3)).output(rows, 2, DataType::FLOAT32);
        product.scalar(count).scalar(place);
        npusim::submit_aic(PRODUCT, product);
        accumulated_.add(UPDATE, {softmax.tensor(2), softmax.tensor(3), product.tensor(3)}, first == 0, is_last);
    }

    const ChipStorageTaskArgs &args_;
    const Problem &problem_;
    uint32_t index_;
    ChipTensor queries_;
    AccumulatedAttention accumulated_;
};

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {12}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const Problem problem = problem_of(args);
    if (problem.shape.block_size == 0 || problem.context == 0 || problem.blocks() > problem.table_width) {
        npusim::fail("paged_attention_unroll: the table is too narrow for the context");
        return;
    }
    for (uint32_t index = 0; index < problem.shape.batch && !npusim::failed(); ++index) {
        const Scope scope;
        Sequence(args, problem, index).submit();
    }
}
