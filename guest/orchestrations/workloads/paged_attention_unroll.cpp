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

#include "npusim/orchestration.h"

namespace {

using npusim::Scope;
using npusim::TaskArgs;

enum Kernel : int32_t { SCORES = 0, SOFTMAX = 1, PRODUCT = 2, UPDATE = 3 };
constexpr uint32_t BLOCKS_PER_GROUP = 64;
constexpr float SCALE = 1.0f;

struct Problem {
    uint32_t batch, heads, head_dim, block_size, total_blocks, table_width, context;
};

Problem problem_of(const ChipStorageTaskArgs &args) {
    const auto scalar = [&](int32_t index) { return npusim::scalar_as<uint32_t>(args, index); };
    return {scalar(0), scalar(1), scalar(2), scalar(3), scalar(4), scalar(5), scalar(6)};
}

// Largest score, sum of weights and product of the groups so far.
struct Accumulated {
    ChipTensor maxima, sums, product;
};

class Sequence {
public:
    Sequence(const ChipStorageTaskArgs &args, const Problem &problem, uint32_t index)
        : args_(args), problem_(problem), index_(index), queries_(rows_of(args.tensor(0))),
          result_(rows_of(args.tensor(4))) {}

    void submit() {
        const uint32_t blocks = (problem_.context + problem_.block_size - 1) / problem_.block_size;
        for (uint32_t first = 0; first < blocks && !npusim::failed(); first += BLOCKS_PER_GROUP) {
            const uint32_t count = std::min(BLOCKS_PER_GROUP, blocks - first);
            submit_group(first, count, first + count == blocks);
        }
    }

private:
    ChipTensor rows_of(const ChipTensor &tensor) const {
        const uint32_t rows[2] = {problem_.batch * problem_.heads, problem_.head_dim};
        return tensor.reshape(rows, 2).slice(0, index_ * problem_.heads, (index_ + 1) * problem_.heads);
    }
    ChipTensor all_blocks(int32_t tensor) const {
        const uint32_t rows[2] = {problem_.total_blocks * problem_.block_size, problem_.head_dim};
        return args_.tensor(tensor).reshape(rows, 2);
    }

    void submit_group(uint32_t first, uint32_t count, bool is_last) {
        const uint32_t end = std::min(problem_.context, (first + count) * problem_.block_size);
        const uint32_t valid = end - (first + count - 1) * problem_.block_size;
        const uint32_t place = index_ * problem_.table_width + first;
        const uint32_t tiles[2] = {count * problem_.heads, problem_.block_size};
        const uint32_t column[1] = {problem_.heads}, rows[2] = {problem_.heads, problem_.head_dim};
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
        TaskArgs update;
        update.input(softmax.tensor(2)).input(softmax.tensor(3)).input(product.tensor(3));
        if (first == 0) {
            update.output(column, 1, DataType::FLOAT32).output(column, 1, DataType::FLOAT32);
            update.output(rows, 2, DataType::FLOAT32);
        } else {
            update.inout(accumulated_.maxima).inout(accumulated_.sums).inout(accumulated_.product);
        }
        update.inout(result_).scalar(uint64_t{first == 0}).scalar(uint64_t{is_last});
        npusim::submit_aiv(UPDATE, update);
        if (first == 0) accumulated_ = {update.tensor(3), update.tensor(4), update.tensor(5)};
    }

    const ChipStorageTaskArgs &args_;
    const Problem &problem_;
    uint32_t index_;
    ChipTensor queries_, result_;
    Accumulated accumulated_{};
};

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {12}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const Problem problem = problem_of(args);
    if (problem.block_size == 0 || problem.context == 0 ||
        (problem.context + problem.block_size - 1) / problem.block_size > problem.table_width) {
        npusim::fail("paged_attention_unroll: the table is too narrow for the context");
        return;
    }
    for (uint32_t index = 0; index < problem.batch && !npusim::failed(); ++index) {
        const Scope scope;
        Sequence(args, problem, index).submit();
    }
}
