// A core's block of C = A · Bᵀ in tiles, on an AIC.
//
//     GM ──MTE2──► L1: some steps of k of A, some of B ──MTE1──► L0A, L0B: one step, twice ──M──► L0C ──FIX──► GM
//
// Each element is summed in the order of k, beginning with 0. What the factors are, a `Factors` says: see Plain below,
// and the one in mx_matmul.h.
#pragma once

#include "npusim/tile.h"

namespace matmul {

using namespace npusim::tile;

struct Tiling {
    uint32_t tile_m, tile_n, step_k;  // what the cube takes at once
    uint32_t steps_a, steps_b;        // steps of k in one load
    uint32_t buffers;                 // in L1, of each factor: 1 or 2
    bool unit_flag;  // the next tile follows the drain of the last one in its wake, and does not wait for its end
};

// Scalars of a kernel, from the one with this index on.
inline Tiling tiling_argument(const CoreBase &core, int32_t first) {
    const auto scalar = [&](int32_t index) { return core.scalar_argument<uint32_t>(first + index); };
    return {scalar(0), scalar(1), scalar(2), scalar(3), scalar(4), scalar(5), scalar(6) != 0};
}

// Factors that are taken as they are.
template <typename T>
class Plain {
public:
    using Element = T;
    using Machine = Core;

    Plain(Machine &, Global<const T> a, Global<const T> b, const Tiling &) : a(a), b(b) {}

    void begin_tile() {}
    void stage(Machine &, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t) {}
    void multiply(Machine &core, L0cTile<float> sum, L0aTile<T> left, L0bTile<T> right, uint32_t k) {
        core.matmul(sum, left, right, k > 0);
    }
    void end(Machine &) {}

    Global<const T> a, b;
};

template <typename Factors, typename C>
class Product {
    using T = typename Factors::Element;
    using Machine = typename Factors::Machine;

public:
    Product(Machine &core, Factors factors, Global<C> c, const Tiling &tiling)
        : core_(core), factors_(factors), c_(c), tiling_(tiling) {
        const uint32_t depth_a = tiling.steps_a * tiling.step_k, depth_b = tiling.steps_b * tiling.step_k;
        for (uint32_t buffer = 0; buffer < tiling.buffers; ++buffer) {
            staged_a_[buffer] = core_.template l1<T>(tiling.tile_m, depth_a);
            staged_b_[buffer] = core_.template l1<T>(tiling.tile_n, depth_b);
        }
        for (uint32_t buffer = 0; buffer < 2; ++buffer) {
            left_[buffer] = core_.template l0a<T>(tiling.tile_m, tiling.step_k);
            right_[buffer] = core_.template l0b<T>(tiling.step_k, tiling.tile_n);
        }
        sum_ = core_.template l0c<float>(tiling.tile_m, tiling.tile_n);
    }

    void run() {
        for (uint16_t buffer = 0; buffer < 2; ++buffer) {
            if (buffer < tiling_.buffers) {
                core_.set_flag(Pipe::MTE1, Pipe::MTE2, FREE_A + buffer);
                core_.set_flag(Pipe::MTE1, Pipe::MTE2, FREE_B + buffer);
            }
            core_.set_flag(Pipe::M, Pipe::MTE1, buffer);
        }
        for (uint32_t row = 0; row < c_.rows; row += tiling_.tile_m) {
            for (uint32_t col = 0; col < c_.cols; col += tiling_.tile_n) tile(row, col);
        }
        for (uint16_t buffer = 0; buffer < 2; ++buffer) {
            core_.wait_flag(Pipe::M, Pipe::MTE1, buffer);
            if (buffer < tiling_.buffers) {
                core_.wait_flag(Pipe::MTE1, Pipe::MTE2, FREE_A + buffer);
                core_.wait_flag(Pipe::MTE1, Pipe::MTE2, FREE_B + buffer);
            }
        }
        factors_.end(core_);
    }

private:
    // Flags: which buffer of L1 is free; which factor has been loaded. Those between MTE1 and M are numbered by buffer.
    enum Free : uint16_t { FREE_A = 0, FREE_B = 2 };
    enum Loaded : uint16_t { LOADED_A = 0, LOADED_B = 1 };

    void tile(uint32_t row, uint32_t col) {
        const uint32_t rows = std::min(tiling_.tile_m, c_.rows - row), cols = std::min(tiling_.tile_n, c_.cols - col);
        factors_.begin_tile();
        for (uint32_t step = 0; step * tiling_.step_k < factors_.a.cols; ++step) multiply(row, rows, col, cols, step);
        const auto sum = sum_.block(0, 0, rows, cols);
        core_.sync(Pipe::M, Pipe::FIX, 0);
        core_.store(c_.block(row, col, rows, cols), sum);
        if (!tiling_.unit_flag) core_.sync(Pipe::FIX, Pipe::M, 0);
    }

    void multiply(uint32_t row, uint32_t rows, uint32_t col, uint32_t cols, uint32_t step) {
        const uint32_t k = step * tiling_.step_k, depth = std::min(tiling_.step_k, factors_.a.cols - k);
        const uint32_t step_a = step % tiling_.steps_a, step_b = step % tiling_.steps_b;
        const bool is_last = k + depth == factors_.a.cols;
        if (step_a == 0) stage_a(row, rows, k);
        if (step_b == 0) stage_b(col, cols, k);
        factors_.stage(core_, row, rows, col, cols, k);
        const auto left = left_[now_].block(0, 0, rows, depth);
        const auto right = right_[now_].block(0, 0, depth, cols);
        core_.wait_flag(Pipe::M, Pipe::MTE1, now_);
        if (step_a == 0) core_.wait_flag(Pipe::MTE2, Pipe::MTE1, LOADED_A);
        core_.move(left, staged_a_[a_].block(0, step_a * tiling_.step_k, rows, depth));
        if (step_b == 0) core_.wait_flag(Pipe::MTE2, Pipe::MTE1, LOADED_B);
        core_.move_transposed(right, staged_b_[b_].block(0, step_b * tiling_.step_k, cols, depth));
        if (step_a + 1 == tiling_.steps_a || is_last) core_.set_flag(Pipe::MTE1, Pipe::MTE2, FREE_A + a_);
        if (step_b + 1 == tiling_.steps_b || is_last) core_.set_flag(Pipe::MTE1, Pipe::MTE2, FREE_B + b_);
        core_.sync(Pipe::MTE1, Pipe::M, now_);
        factors_.multiply(core_, sum_.block(0, 0, rows, cols), left, right, k);
        core_.set_flag(Pipe::M, Pipe::MTE1, now_);
        now_ ^= 1;
    }

    void stage_a(uint32_t row, uint32_t rows, uint32_t k) {
        const uint32_t depth = std::min(tiling_.steps_a * tiling_.step_k, factors_.a.cols - k);
        a_ = static_cast<uint16_t>((a_ + 1) % tiling_.buffers);
        core_.wait_flag(Pipe::MTE1, Pipe::MTE2, FREE_A + a_);
        core_.load(staged_a_[a_].block(0, 0, rows, depth), factors_.a.block(row, k, rows, depth), Layout::ND2NZ);
        core_.set_flag(Pipe::MTE2, Pipe::MTE1, LOADED_A);
    }
    void stage_b(uint32_t col, uint32_t cols, uint32_t k) {
        const uint32_t depth = std::min(tiling_.steps_b * tiling_.step_k, factors_.b.cols - k);
        b_ = static_cast<uint16_t>((b_ + 1) % tiling_.buffers);
        core_.wait_flag(Pipe::MTE1, Pipe::MTE2, FREE_B + b_);
        core_.load(staged_b_[b_].block(0, 0, cols, depth), factors_.b.block(col, k, cols, depth), Layout::ND2NZ);
        core_.set_flag(Pipe::MTE2, Pipe::MTE1, LOADED_B);
    }

    Machine &core_;
    Factors factors_;
    Global<C> c_;
    Tiling tiling_;
    L1Tile<T> staged_a_[2], staged_b_[2];
    L0aTile<T> left_[2];
    L0bTile<T> right_[2];
    L0cTile<float> sum_;
    uint16_t a_ = 1, b_ = 1, now_ = 0;  // buffers in use
};

}  // namespace matmul
