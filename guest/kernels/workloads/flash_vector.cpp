// The vector's part of a step of flash attention, on an AIV that has half of the queries: weights = softmax of the scores
// of one chunk, without the division, and products of another added to the result. Arguments: common/flash_attention.h.
//
// The scale of the weights is that of the largest score so far; a tile that has a larger one says by what everything
// before it shrinks.
#include "kernels/workloads/common/flash_attention.h"

namespace {

using namespace flash;

constexpr uint32_t ROWS = QUERIES / 2;

// A column of rows as one line: its elements lie one after the other.
UbTile<float> line(UbTile<float> column) { return column.reshape(1, column.rows); }

class Vector {
public:
    explicit Vector(const int64_t *args)
        : core_(args), it_(core_), first_row_(static_cast<uint32_t>(core_.sub_block_id()) * ROWS),
          slice_(ROWS / it_.parts), tile_keys_(it_.parts * PART), scale_(1.0f / std::sqrt(static_cast<float>(HEAD))) {
        result_ = core_.ub<float>(ROWS, HEAD);
        for (int buffer = 0; buffer < 2; ++buffer) {
            read_[buffer] = core_.ub<float>(slice_, tile_keys_);
            weights_[buffer] = core_.ub<half>(slice_, tile_keys_);
        }
        for (UbTile<float> *column : {&maximum_, &sum_, &tile_maximum_, &tile_sum_}) {
            *column = core_.ub<float>(ROWS, 1);
        }
        factors_ = core_.ub<float>(it_.tiles, ROWS);
        used_factors_ = core_.ub<float>(it_.tiles, ROWS);
    }

    void run() {
        for (uint16_t buffer = 0; buffer < 2; ++buffer) {
            core_.set_flag(Pipe::V, Pipe::MTE2, buffer);
            core_.set_flag(Pipe::MTE3, Pipe::V, buffer);
        }
        load_state();
        for (uint32_t tile = 0; tile < it_.tiles; ++tile) {
            if (it_.has_chunk(WEIGHTS)) {
                for (uint32_t slice = 0; slice < it_.parts; ++slice) weigh(tile, slice);
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
    // One element for each query of this core.
    UbTile<float> of_tile(UbTile<float> factors, uint32_t tile) const {
        return factors.block(tile, 0, 1, ROWS).reshape(ROWS, 1);
    }

    // What the weights need, before the first scores; the result comes with the first product.
    void load_state() {
        const bool weighs = it_.has_chunk(WEIGHTS) && !begins_weights();
        const bool ends = it_.has_chunk(RESULT) && ends_result();
        if (weighs) core_.load(line(maximum_), kept(0));
        if (weighs || ends) core_.load(line(sum_), kept(1));
        if (it_.has_chunk(RESULT)) core_.load(used_factors_, it_.factors_of(it_.chunk(RESULT), first_row_, ROWS));
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
            core_.store(it_.factors_of(it_.chunk(WEIGHTS), first_row_, ROWS), factors_);
        }
        if (it_.has_chunk(RESULT)) core_.store(result(), result_);
    }

    // Scores of a tile are worked on in slices of its rows, so many that each has as many scores as a part.
    void weigh(uint32_t tile, uint32_t slice) {
        const uint32_t chunk = it_.chunk(WEIGHTS), row = first_row_ + slice * slice_;
        const auto scores = read_[buffer_];
        const auto weights = weights_[buffer_];
        const auto of_slice = [&](UbTile<float> column) { return column.block(slice * slice_, 0, slice_, 1); };
        const bool is_first = begins_weights() && tile == 0;
        core_.wait_flag(Pipe::V, Pipe::MTE2, buffer_);
        for (uint32_t part = 0; part < it_.parts; ++part) {
            core_.load(scores.block(0, part * PART, slice_, PART),
                       it_.part_of(it_.scores, chunk, tile, part, row, slice_));
        }
        core_.sync(Pipe::MTE2, Pipe::V, 0);
        core_.wait_flag(Pipe::MTE3, Pipe::V, buffer_);
        if (is_first) weigh_first(scores, weights, of_slice(maximum_), of_slice(sum_));
        else weigh_next(scores, weights, of_slice, of_slice(of_tile(factors_, tile)));
        core_.set_flag(Pipe::V, Pipe::MTE2, buffer_);
        core_.sync(Pipe::V, Pipe::MTE3, 0);
        for (uint32_t part = 0; part < it_.parts; ++part) {
            core_.store(it_.part_of(it_.weights, chunk, tile, part, row, slice_),
                        weights.block(0, part * PART, slice_, PART));
        }
        core_.set_flag(Pipe::MTE3, Pipe::V, buffer_);
        buffer_ ^= 1;
    }

    // The first tile of all shrinks nothing: nobody reads its factor.
    void weigh_first(UbTile<float> scores, UbTile<half> weights, UbTile<float> maximum, UbTile<float> sum) {
        core_.row_max(maximum, scores);
        core_.barrier(Pipe::V);
        core_.row_expand_sub(scores, scores, maximum);
        core_.muls(scores, scores, scale_);
        core_.exp(scores, scores);
        core_.barrier(Pipe::V);
        core_.row_sum(sum, scores);
        core_.convert(weights.reshape(1, slice_ * tile_keys_), scores.reshape(1, slice_ * tile_keys_));
    }

    template <typename OfSlice>
    void weigh_next(UbTile<float> scores, UbTile<half> weights, OfSlice of_slice, UbTile<float> factor) {
        const auto maximum = of_slice(maximum_), sum = of_slice(sum_);
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
        core_.convert(weights.reshape(1, slice_ * tile_keys_), scores.reshape(1, slice_ * tile_keys_));
        core_.barrier(Pipe::V);
        core_.mul(line(sum), line(factor), line(sum));
        core_.row_sum(tile_sum, scores);
        core_.barrier(Pipe::V);
        core_.add(line(sum), line(sum), line(tile_sum));
    }

    void add(uint32_t tile) {
        const uint32_t chunk = it_.chunk(RESULT);
        const bool is_first = begins_result() && tile == 0;
        // The buffers of scores serve products, too.
        const auto product = is_first ? result_ : read_[buffer_].reshape(ROWS, HEAD);
        core_.wait_flag(Pipe::V, Pipe::MTE2, buffer_);
        if (tile == 0 && !begins_result()) core_.load(result_, result());
        core_.load(product, it_.product(chunk, tile, first_row_, ROWS));
        core_.sync(Pipe::MTE2, Pipe::V, 0);
        if (!is_first) {
            core_.row_expand_mul(result_, result_, of_tile(used_factors_, tile));
            core_.add(result_, result_, product);
        }
        core_.set_flag(Pipe::V, Pipe::MTE2, buffer_);
        buffer_ ^= 1;
    }

    Core core_;
    Arguments it_;
    uint32_t first_row_, slice_, tile_keys_;
    float scale_;
    UbTile<float> result_, read_[2];
    UbTile<half> weights_[2];
    // One element for each query.
    UbTile<float> maximum_, sum_, tile_maximum_, tile_sum_;
    // The same, a row for each tile of the chunk.
    UbTile<float> factors_, used_factors_;
    uint16_t buffer_ = 0;
};

}  // namespace

void kernel_entry(int64_t *args) { Vector(args).run(); }
