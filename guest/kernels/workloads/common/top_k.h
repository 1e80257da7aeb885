// The largest elements of each row with their places, largest first, on an AIV. Arguments: input [rows, 1024], values
// [rows, count] of the same type, places [rows, count] uint32; rows a multiple of 4, count at most 1024.
//
// Two rows at a time, in two sets of buffers. A row is sorted in runs of 32, then four runs are merged until one is left;
// only as many as are wanted of the last two runs. Whatever the values are, a value and its place are 8 bytes.
#pragma once

#include "npusim/tile.h"

namespace top_k {

using namespace npusim::tile;

constexpr uint32_t ROWS = 2, COLS = 1024;

// Values of T.
template <typename T>
class TopK {
public:
    explicit TopK(const int64_t *args)
        : core_(args), input_(core_.global<const T>(0)), values_(core_.global<T>(1)),
          places_(core_.global<uint32_t>(2)), count_(values_.cols) {
        for (uint16_t set = 0; set < 2; ++set) {
            read_[set] = core_.ub<T>(ROWS, COLS);
            ranked_[set] = core_.ub<Ranked>(ROWS, COLS);
            merged_[set] = core_.ub<Ranked>(1, COLS);
            best_[set] = core_.ub<Ranked>(ROWS, count_);
            best_values_[set] = core_.ub<T>(ROWS, count_);
            best_places_[set] = core_.ub<uint32_t>(ROWS, count_);
        }
    }

    void run() {
        core_.set_flag(Pipe::V, Pipe::MTE2, 0);
        core_.set_flag(Pipe::V, Pipe::MTE2, 1);
        for (uint32_t row = 0; row < input_.rows; row += 2 * ROWS) {
            pass(row, 0);
            pass(row + ROWS, 1);
        }
        core_.wait_flag(Pipe::V, Pipe::MTE2, 0);
        core_.wait_flag(Pipe::V, Pipe::MTE2, 1);
    }

private:
    void pass(uint32_t row, uint16_t set) {
        core_.wait_flag(Pipe::V, Pipe::MTE2, set);
        core_.load(read_[set], input_.block(row, 0, ROWS, COLS));
        core_.sync(Pipe::MTE2, Pipe::V, set);
        for (uint32_t index = 0; index < ROWS; ++index) {
            core_.sort32(ranked_[set].block(index, 0, 1, COLS), read_[set].block(index, 0, 1, COLS));
            core_.barrier(Pipe::V);
        }
        core_.set_flag(Pipe::V, Pipe::MTE2, set);
        core_.barrier(Pipe::V);
        for (uint32_t index = 0; index < ROWS; ++index) merge(set, index);
        core_.barrier(Pipe::V);
        for (uint32_t index = 0; index < ROWS; ++index) {
            core_.values_of(best_values_[set].block(index, 0, 1, count_), best_[set].block(index, 0, 1, count_));
        }
        core_.set_flag(Pipe::V, Pipe::MTE3, set);
        core_.barrier(Pipe::V);
        for (uint32_t index = 0; index < ROWS; ++index) {
            core_.indices_of(best_places_[set].block(index, 0, 1, count_), best_[set].block(index, 0, 1, count_));
        }
        core_.set_flag(Pipe::V, Pipe::MTE3, set + 2);
        core_.wait_flag(Pipe::V, Pipe::MTE3, set);
        core_.store(values_.block(row, 0, ROWS, count_), best_values_[set]);
        core_.wait_flag(Pipe::V, Pipe::MTE3, set + 2);
        core_.store(places_.block(row, 0, ROWS, count_), best_places_[set]);
    }

    // Merging is never in place: to another tile and back.
    void merge(uint16_t set, uint32_t index) {
        const auto row = ranked_[set].block(index, 0, 1, COLS);
        for (uint32_t run = 32; run < COLS; run *= 4) {
            core_.merge4(merged_[set], row, run);
            core_.barrier(Pipe::V);
            core_.copy(row, merged_[set]);
            core_.barrier(Pipe::V);
        }
        core_.copy(best_[set].block(index, 0, 1, count_), row.block(0, 0, 1, count_));
    }

    Core core_;
    Global<const T> input_;
    Global<T> values_;
    Global<uint32_t> places_;
    uint32_t count_;
    UbTile<T> read_[2], best_values_[2];
    UbTile<Ranked> ranked_[2], merged_[2], best_[2];
    UbTile<uint32_t> best_places_[2];
};

}  // namespace top_k
