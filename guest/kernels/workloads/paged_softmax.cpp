// Softmax over the scores of several blocks in two passes, without the division, on an AIV: the largest score of each
// query first, then the weights, all of one scale, so that their products with values can be summed.
//
// Arguments: scores [blocks * queries, block_size] float32, weights likewise bfloat16; maxima, sums [queries] float32;
// scale f32, blocks, valid (columns of the last block).
#include "kernels/workloads/common/paged_attention.h"

namespace {

using namespace npusim::tile;
using paged::line;

class Softmax {
public:
    explicit Softmax(const int64_t *args)
        : core_(args), scores_(core_.global<const float>(0)), weights_(core_.global<bfloat16>(1)),
          maxima_(core_.global<float>(2)), sums_(core_.global<float>(3)), scale_(core_.scalar_argument<float>(4)),
          blocks_(core_.scalar_argument<uint32_t>(5)), valid_(core_.scalar_argument<uint32_t>(6)),
          rows_(maxima_.rows * maxima_.cols), cols_(scores_.cols) {
        for (auto &tile : read_) tile = core_.ub<float>(rows_, cols_);
        weight_ = core_.ub<float>(rows_, cols_);
        total_ = core_.ub<float>(rows_, cols_);
        rounded_ = core_.ub<bfloat16>(rows_, cols_);
        block_maximum_ = core_.ub<float>(rows_, 1);
        maximum_ = core_.ub<float>(rows_, 1);
        sum_ = core_.ub<float>(rows_, 1);
    }

    void run() {
        find_maxima();
        core_.sync(Pipe::MTE3, Pipe::MTE2, 0);
        load(0);
        for (uint32_t index = 0; index < blocks_; ++index) weigh(index);
        core_.barrier(Pipe::V);
        core_.row_sum(sum_, total_);
        core_.sync(Pipe::V, Pipe::MTE3, 0);
        core_.store(line(sums_), line(sum_));
        core_.sync(Pipe::MTE3, Pipe::S, 7);
    }

private:
    void load(uint32_t index) { core_.load(read_[index % 2], scores_.block(index * rows_, 0, rows_, cols_)); }

    // The scores of a block, once they are there.
    UbTile<float> scores_of(uint32_t index) {
        core_.sync(Pipe::MTE2, Pipe::V, 0);
        const auto tile = read_[index % 2];
        if (index + 1 == blocks_) paged::mask(core_, tile, valid_);
        return tile;
    }

    void find_maxima() {
        load(0);
        for (uint32_t index = 0; index < blocks_; ++index) {
            core_.row_max(block_maximum_, scores_of(index));
            core_.barrier(Pipe::V);
            if (index + 1 < blocks_) load(index + 1);
            const auto other = index == 0 ? block_maximum_ : maximum_;
            core_.max(line(maximum_), line(other), line(block_maximum_));
            core_.barrier(Pipe::V);
        }
        // The scale is positive, so the largest scaled score is the largest score, scaled.
        core_.muls(line(maximum_), line(maximum_), scale_);
        core_.barrier(Pipe::V);
        core_.sync(Pipe::V, Pipe::MTE3, 0);
        core_.store(line(maxima_), line(maximum_));
    }

    void weigh(uint32_t index) {
        const auto scores = scores_of(index);
        core_.muls(scores, scores, scale_);
        core_.barrier(Pipe::V);
        core_.row_expand_sub(weight_, scores, maximum_);
        core_.barrier(Pipe::V);
        core_.exp(weight_, weight_);
        core_.barrier(Pipe::V);
        core_.convert(rounded_, weight_);
        core_.barrier(Pipe::V);
        // The sum is that of the weights as they will be multiplied.
        core_.convert(weight_, rounded_);
        core_.barrier(Pipe::V);
        if (index == 0) core_.muls(total_, weight_, 1.0f);
        else core_.add(total_, total_, weight_);
        core_.barrier(Pipe::V);
        core_.sync(Pipe::V, Pipe::MTE3, 0);
        core_.store(weights_.block(index * rows_, 0, rows_, cols_), rounded_);
        if (index + 1 < blocks_) {
            core_.sync(Pipe::MTE3, Pipe::MTE2, 0);
            load(index + 1);
        }
    }

    Core core_;
    Global<const float> scores_;
    Global<bfloat16> weights_;
    Global<float> maxima_, sums_;
    float scale_;
    uint32_t blocks_, valid_, rows_, cols_;
    UbTile<float> read_[2], weight_, total_, block_maximum_, maximum_, sum_;
    UbTile<bfloat16> rounded_;
};

}  // namespace

void kernel_entry(int64_t *args) { Softmax(args).run(); }
