// The vector's part of a step of flash attention, on an AIV that has half of the queries: weights = softmax of the scores
// of one chunk, without the division, and products of another added to the result. Arguments: common/flash_attention.h.
//
// The scale of the weights is that of the largest score so far; a tile that has a larger one says by what everything
// before it shrinks.
#include "kernels/workloads/common/flash_attention.h"

namespace {

using namespace flash;

constexpr uint32_t ROWS = QUERIES / 2;
// Scores of a tile are worked on in slices of its rows.
constexpr uint32_t SLICES = 2, SLICE = ROWS / SLICES;

// A column of rows as one line: its elements lie one after the other.
UbTile<float> line(UbTile<float> column) { return column.reshape(1, column.rows); }

class Vector {
public:
    explicit Vector(const int64_t *args)
        : core_(args), it_(core_), first_row_(static_cast<uint32_t>(core_.sub_block_id()) * ROWS),
          scale_(1.0f / std::sqrt(static_cast<float>(HEAD))) {
        result_ = core_.ub<float>(ROWS, HEAD);
        for (int buffer = 0; buffer < 2; ++buffer) {
            read_[buffer] = core_.ub<float>(SLICE, TILE);
            weights_[buffer] = core_.ub<half>(SLICE, TILE);
            used_factor_[buffer] = core_.ub<float>(ROWS, 1);
        }
        for (UbTile<float> *column : {&maximum_, &sum_, &tile_maximum_, &tile_sum_, &factor_}) {
            *column = core_.ub<float>(ROWS, 1);
        }
    }

    void run() {
        for (uint16_t buffer = 0; buffer < 2; ++buffer) {
            core_.set_flag(Pipe::V, Pipe::MTE2, buffer);
            core_.set_flag(Pipe::MTE3, Pipe::V, buffer);
        }
        load_state();
        for (uint32_t tile = 0; tile < it_.tiles; ++tile) {
            if (it_.has_chunk(WEIGHTS)) {
                for (uint32_t slice = 0; slice < SLICES; ++slice) weigh(tile, slice);
                store_factor(tile);
            }
            if (it_.has_chunk(RESULT)) add(tile);
        }
        store_state();
        for (uint16_t buffer = 0; buffer < 2; ++buffer) {
            core_.wait_flag(Pipe::V, Pipe::MTE2, buffer);
            core_.wait_flag(Pipe::MTE3, Pipe::V, buffer);
        }
        core_.barrier_all();
    }

private:
    bool begins_weights() const { return it_.chunk(WEIGHTS) == 0; }
    bool begins_result() const { return it_.chunk(RESULT) == 0; }
    bool ends_result() const { return it_.chunk(RESULT) + 1 == it_.chunks; }
    Global<float> kept(uint32_t row) const { return it_.state.block(row, first_row_, 1, ROWS); }
    Global<float> result() const { return it_.result.block(first_row_, 0, ROWS, HEAD); }

    void load_state() {
        const bool weighs = it_.has_chunk(WEIGHTS) && !begins_weights();
        const bool adds = it_.has_chunk(RESULT);
        if (weighs) core_.load(line(maximum_), kept(0));
        if (weighs || (adds && ends_result())) core_.load(line(sum_), kept(1));
        if (adds && !begins_result()) core_.load(result_, result());
        core_.sync(Pipe::MTE2, Pipe::V, 1);
    }

    void store_state() {
        if (it_.has_chunk(RESULT) && ends_result()) {
            core_.barrier(Pipe::V);
            core_.row_expand_div(result_, result_, sum_);
        }
        core_.sync(Pipe::V, Pipe::MTE3, 1);
        if (it_.has_chunk(WEIGHTS)) {
            core_.store(kept(0), line(maximum_));
            core_.store(kept(1), line(sum_));
        }
        if (it_.has_chunk(RESULT)) core_.store(result(), result_);
    }

    void weigh(uint32_t tile, uint32_t slice) {
        const uint32_t chunk = it_.chunk(WEIGHTS), row = first_row_ + slice * SLICE;
        const auto scores = read_[buffer_];
        const auto weights = weights_[buffer_];
        const auto of_slice = [&](UbTile<float> column) { return column.block(slice * SLICE, 0, SLICE, 1); };
        const bool is_first = begins_weights() && tile == 0;
        core_.wait_flag(Pipe::V, Pipe::MTE2, buffer_);
        for (uint32_t half_index = 0; half_index < HALVES; ++half_index) {
            core_.load(scores.block(0, half_index * HALF_TILE, SLICE, HALF_TILE),
                       it_.half_tile(it_.scores, chunk, tile, half_index, row, SLICE));
        }
        core_.sync(Pipe::MTE2, Pipe::V, 0);
        core_.wait_flag(Pipe::MTE3, Pipe::V, buffer_);
        if (is_first) weigh_first(scores, weights, of_slice(maximum_), of_slice(sum_));
        else weigh_next(scores, weights, of_slice);
        core_.set_flag(Pipe::V, Pipe::MTE2, buffer_);
        core_.sync(Pipe::V, Pipe::MTE3, 0);
        for (uint32_t half_index = 0; half_index < HALVES; ++half_index) {
            core_.store(it_.half_tile(it_.weights, chunk, tile, half_index, row, SLICE),
                        weights.block(0, half_index * HALF_TILE, SLICE, HALF_TILE));
        }
        core_.set_flag(Pipe::MTE3, Pipe::V, buffer_);
        buffer_ ^= 1;
    }

    void weigh_first(UbTile<float> scores, UbTile<half> weights, UbTile<float> maximum, UbTile<float> sum) {
        core_.row_max(maximum, scores);
        core_.barrier(Pipe::V);
        core_.row_expand_sub(scores, scores, maximum);
        core_.muls(scores, scores, scale_);
        core_.exp(scores, scores);
        core_.barrier(Pipe::V);
        core_.row_sum(sum, scores);
        core_.convert(weights.reshape(1, SLICE * TILE), scores.reshape(1, SLICE * TILE));
    }

    template <typename OfSlice>
    void weigh_next(UbTile<float> scores, UbTile<half> weights, OfSlice of_slice) {
        const auto maximum = of_slice(maximum_), sum = of_slice(sum_), factor = of_slice(factor_);
        const auto tile_maximum = of_slice(tile_maximum_), tile_sum = of_slice(tile_sum_);
        core_.row_max(tile_maximum, scores);
        core_.barrier(Pipe::V);
        core_.max(line(tile_maximum), line(tile_maximum), line(maximum));
        core_.barrier(Pipe::V);
        core_.sub(line(factor), line(maximum), line(tile_maximum));
        core_.barrier(Pipe::V);
        core_.muls(line(maximum), line(tile_maximum), 1.0f);
        core_.barrier(Pipe::V);
        core_.row_expand_sub(scores, scores, tile_maximum);
        core_.muls(line(factor), line(factor), scale_);
        core_.muls(scores, scores, scale_);
        core_.exp(line(factor), line(factor));
        core_.exp(scores, scores);
        core_.convert(weights.reshape(1, SLICE * TILE), scores.reshape(1, SLICE * TILE));
        core_.barrier(Pipe::V);
        core_.mul(line(sum), line(factor), line(sum));
        core_.row_sum(tile_sum, scores);
        core_.barrier(Pipe::V);
        core_.add(line(sum), line(sum), line(tile_sum));
    }

    // The first tile of all shrinks nothing: nobody reads its factor.
    void store_factor(uint32_t tile) {
        if (begins_weights() && tile == 0) return;
        core_.sync(Pipe::V, Pipe::MTE3, 2);
        core_.store(it_.factor(it_.chunk(WEIGHTS), tile, first_row_, ROWS), line(factor_));
        core_.sync(Pipe::MTE3, Pipe::V, 2);
    }

    void add(uint32_t tile) {
        const uint32_t chunk = it_.chunk(RESULT);
        const bool is_first = begins_result() && tile == 0;
        // The buffers of scores serve products, too.
        const auto product = is_first ? result_ : read_[buffer_].reshape(ROWS, HEAD);
        core_.wait_flag(Pipe::V, Pipe::MTE2, buffer_);
        core_.load(product, it_.product(chunk, tile, first_row_, ROWS));
        if (!is_first) core_.load(line(used_factor_[buffer_]), it_.factor(chunk, tile, first_row_, ROWS));
        core_.sync(Pipe::MTE2, Pipe::V, 0);
        if (!is_first) {
            core_.row_expand_mul(result_, result_, used_factor_[buffer_]);
            core_.barrier(Pipe::V);
            core_.add(result_, result_, product);
        }
        core_.set_flag(Pipe::V, Pipe::MTE2, buffer_);
        buffer_ ^= 1;
    }

    Core core_;
    Arguments it_;
    uint32_t first_row_;
    float scale_;
    UbTile<float> result_, read_[2];
    UbTile<half> weights_[2];
    // One element for each query.
    UbTile<float> maximum_, sum_, tile_maximum_, tile_sum_, factor_, used_factor_[2];
    uint16_t buffer_ = 0;
};

}  // namespace

void kernel_entry(int64_t *args) { Vector(args).run(); }
