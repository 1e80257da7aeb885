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
    uint32_t buffers;                 // in L1, of each factor: 1 or 2. With one, moves wait for what is loaded of both
    uint32_t l0_buffers;              // in L0, of each factor: 1 or 2. With one of each kind, a load waits for the product
    bool unit_flag;  // the next tile follows the drain of the last one in its wake, and does not wait for its end
};

// Scalars of a kernel, from the one with this index on.
inline Tiling tiling_argument(const CoreBase &core, int32_t first) {
    const auto scalar = [&](int32_t index) { return core.scalar_argument<uint32_t>(first + index); };
    return {scalar(0), scalar(1), scalar(2), scalar(3), scalar(4), scalar(5), scalar(6), scalar(7) != 0};
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
    void move(Machine &, uint32_t, uint32_t) {}
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
        : core_(core), factors_(factors), c_(c), tiling_(tiling),
          a_{factors.a, tiling.steps_a, FREE_A, LOADED_A, {}}, b_{factors.b, tiling.steps_b, FREE_B, LOADED_B, {}} {
        for (uint32_t buffer = 0; buffer < tiling.buffers; ++buffer) {
            a_.buffers[buffer] = core_.template l1<T>(tiling.tile_m, tiling.steps_a * tiling.step_k);
            b_.buffers[buffer] = core_.template l1<T>(tiling.tile_n, tiling.steps_b * tiling.step_k);
        }
        for (uint32_t buffer = 0; buffer < tiling.l0_buffers; ++buffer) {
            left_[buffer] = core_.template l0a<T>(tiling.tile_m, tiling.step_k);
            right_[buffer] = core_.template l0b<T>(tiling.step_k, tiling.tile_n);
        }
        sum_ = core_.template l0c<float>(tiling.tile_m, tiling.tile_n);
    }

    void run() {
        for (uint16_t buffer = 0; buffer < tiling_.buffers; ++buffer) {
            core_.set_flag(last_reader(), Pipe::MTE2, FREE_A + buffer);
            core_.set_flag(last_reader(), Pipe::MTE2, FREE_B + buffer);
        }
        for (uint16_t buffer = 0; buffer < tiling_.l0_buffers; ++buffer) core_.set_flag(Pipe::M, Pipe::MTE1, buffer);
        for (uint32_t row = 0; row < c_.rows; row += tiling_.tile_m) {
            for (uint32_t col = 0; col < c_.cols; col += tiling_.tile_n) tile(row, col);
        }
        for (uint16_t buffer = 0; buffer < tiling_.l0_buffers; ++buffer) core_.wait_flag(Pipe::M, Pipe::MTE1, buffer);
        for (uint16_t buffer = 0; buffer < tiling_.buffers; ++buffer) {
            core_.wait_flag(last_reader(), Pipe::MTE2, FREE_A + buffer);
            core_.wait_flag(last_reader(), Pipe::MTE2, FREE_B + buffer);
        }
        factors_.end(core_);
    }

private:
    // Flags: which buffer of L1 is free; which factor has been loaded. Those between MTE1 and M are numbered by buffer.
    enum Free : uint16_t { FREE_A = 0, FREE_B = 2 };
    enum Loaded : uint16_t { LOADED_A = 0, LOADED_B = 1 };

    // A factor on its way through L1.
    struct Staged {
        Global<const T> from;
        uint32_t steps;  // of k in one load
        Free free;       // the flag of the first buffer
        Loaded loaded;
        L1Tile<T> buffers[2];
        uint16_t now = 1;  // the buffer in use
    };

    // Who has read a buffer of L1 last when it is free again.
    Pipe last_reader() const { return tiling_.buffers == 1 && tiling_.l0_buffers == 1 ? Pipe::M : Pipe::MTE1; }

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
        const bool one_buffer = tiling_.buffers == 1;
        stage(a_, row, rows, step);
        stage(b_, col, cols, step);
        factors_.stage(core_, row, rows, col, cols, k);
        const auto left = left_[now_].block(0, 0, rows, depth);
        const auto right = right_[now_].block(0, 0, depth, cols);
        core_.wait_flag(Pipe::M, Pipe::MTE1, now_);
        wait_for(a_, step);
        if (one_buffer) wait_for(b_, step);
        core_.move(left, a_.buffers[a_.now].block(0, step % a_.steps * tiling_.step_k, rows, depth));
        if (!one_buffer) wait_for(b_, step);
        core_.move_transposed(right, b_.buffers[b_.now].block(0, step % b_.steps * tiling_.step_k, cols, depth));
        factors_.move(core_, k, depth);
        if (last_reader() == Pipe::MTE1) free_after(step);
        core_.sync(Pipe::MTE1, Pipe::M, now_);
        factors_.multiply(core_, sum_.block(0, 0, rows, cols), left, right, k);
        if (last_reader() == Pipe::M) free_after(step);
        core_.set_flag(Pipe::M, Pipe::MTE1, now_);
        now_ = static_cast<uint16_t>((now_ + 1) % tiling_.l0_buffers);
    }

    // Loads what the steps of k from this one on need, if it begins a load.
    void stage(Staged &factor, uint32_t row, uint32_t rows, uint32_t step) {
        if (step % factor.steps != 0) return;
        const uint32_t k = step * tiling_.step_k, depth = std::min(factor.steps * tiling_.step_k, factor.from.cols - k);
        factor.now = static_cast<uint16_t>((factor.now + 1) % tiling_.buffers);
        core_.wait_flag(last_reader(), Pipe::MTE2, factor.free + factor.now);
        core_.load(factor.buffers[factor.now].block(0, 0, rows, depth), factor.from.block(row, k, rows, depth),
                   Layout::ND2NZ);
        core_.set_flag(Pipe::MTE2, Pipe::MTE1, factor.loaded);
    }
    void wait_for(const Staged &factor, uint32_t step) {
        if (step % factor.steps == 0) core_.wait_flag(Pipe::MTE2, Pipe::MTE1, factor.loaded);
    }
    void free_after(uint32_t step) {
        const bool is_last = (step + 1) * tiling_.step_k >= factors_.a.cols;
        for (const Staged *factor : {&a_, &b_}) {
            const bool is_read = is_last || (step + 1) % factor->steps == 0;
            if (is_read) core_.set_flag(last_reader(), Pipe::MTE2, factor->free + factor->now);
        }
    }

    Machine &core_;
    Factors factors_;
    Global<C> c_;
    Tiling tiling_;
    Staged a_, b_;
    L0aTile<T> left_[2];
    L0bTile<T> right_[2];
    L0cTile<float> sum_;
    uint16_t now_ = 0;  // the buffer of L0 in use
};

// A core's block of C = A · Bᵀ. Arguments: a [m, k], b [n, k], float16; c [m, n]; tile_m, tile_n, step_k, steps_a, steps_b,
// buffers, l0_buffers, unit_flag.
template <typename C>
void half_product(int64_t *args) {
    Core core(args);
    const Tiling tiling = tiling_argument(core, 3);
    const Plain<half> factors(core, core.global<const half>(0), core.global<const half>(1), tiling);
    Product<Plain<half>, C>(core, factors, core.global<C>(2), tiling).run();
}

}  // namespace matmul
