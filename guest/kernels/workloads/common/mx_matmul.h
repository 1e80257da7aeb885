// Factors of a product whose elements share exponents: every 32 along k.
#pragma once

#include "kernels/workloads/common/matmul.h"
#include "npusim/tile_mx.h"

namespace matmul {

// A and B are [rows, k] as far as their elements go, and [rows, k / elements in a byte] in memory; scales are
// [rows, k / 32]. Scales of `stages` loads of factors are loaded at once, in two buffers of their own.
template <typename T>
class Scaled {
public:
    using Element = T;
    using Machine = MxCore;

    Scaled(Machine &core, Global<const T> a, Global<const T> b, const Tiling &tiling, Global<const uint8_t> scales_a,
           Global<const uint8_t> scales_b, uint32_t stages)
        : a(a), b(b), scales_a_(scales_a), scales_b_(scales_b),
          depth_(stages * std::max(tiling.steps_a, tiling.steps_b) * tiling.step_k) {
        for (uint32_t buffer = 0; buffer < 2; ++buffer) {
            staged_a_[buffer] = core.l1<uint8_t>(tiling.tile_m, depth_ / BYTES_PER_SCALE);
            staged_b_[buffer] = core.l1<uint8_t>(tiling.tile_n, depth_ / BYTES_PER_SCALE);
            core.set_flag(Pipe::MTE1, Pipe::MTE2, FREE + static_cast<uint16_t>(buffer));
        }
    }

    void begin_tile() {}
    void stage(Machine &core, uint32_t row, uint32_t rows, uint32_t col, uint32_t cols, uint32_t k) {
        if (k % depth_ != 0) return;
        const uint32_t first = k / BYTES_PER_SCALE;
        const uint32_t count = std::min(depth_ / BYTES_PER_SCALE, scales_a_.cols - first);
        now_ ^= 1;
        rows_ = rows;
        cols_ = cols;
        core.wait_flag(Pipe::MTE1, Pipe::MTE2, FREE + now_);
        core.load(staged_a_[now_].block(0, 0, rows, count), scales_a_.block(row, first, rows, count), Layout::ND2NZ);
        core.load(staged_b_[now_].block(0, 0, cols, count), scales_b_.block(col, first, cols, count), Layout::ND2NZ);
        core.sync(Pipe::MTE2, Pipe::MTE1, LOADED);
    }
    void move(Machine &core, uint32_t k, uint32_t depth) {
        core.move_scales(scales_of(staged_a_[now_], rows_, k, depth));
        core.move_scales(scales_of(staged_b_[now_], cols_, k, depth));
        if ((k + depth) % depth_ == 0 || k + depth == a.cols) core.set_flag(Pipe::MTE1, Pipe::MTE2, FREE + now_);
    }
    void multiply(Machine &core, L0cTile<float> sum, L0aTile<T> left, L0bTile<T> right, uint32_t k) {
        core.matmul_mx(sum, left, scales_of(staged_a_[now_], rows_, k, left.cols), right,
                       scales_of(staged_b_[now_], cols_, k, left.cols), k > 0);
    }
    void end(Machine &core) {
        for (uint16_t buffer = 0; buffer < 2; ++buffer) core.wait_flag(Pipe::MTE1, Pipe::MTE2, FREE + buffer);
    }

    Global<const T> a, b;

private:
    static constexpr uint32_t BYTES_PER_SCALE = MX_GROUP / MxElement<T>::IN_A_BYTE;
    enum Flags : uint16_t { LOADED = 2, FREE = 4 };

    L1Tile<uint8_t> scales_of(L1Tile<uint8_t> staged, uint32_t rows, uint32_t k, uint32_t depth) const {
        return staged.block(0, k % depth_ / BYTES_PER_SCALE, rows, depth / BYTES_PER_SCALE);
    }

    Global<const uint8_t> scales_a_, scales_b_;
    uint32_t depth_;  // of one load of scales, in bytes of a factor's row
    L1Tile<uint8_t> staged_a_[2], staged_b_[2];
    uint32_t rows_ = 0, cols_ = 0;
    uint16_t now_ = 1;
};

// Arguments: a, b, scales_a, scales_b, c; the tiling, in elements along k, and how many loads share one of scales.
template <typename T>
void scaled_product(int64_t *args) {
    MxCore core(args);
    Tiling tiling = tiling_argument(core, 5);
    tiling.step_k /= MxElement<T>::IN_A_BYTE;
    const Scaled<T> factors(core, core.global<const T>(0), core.global<const T>(1), tiling,
                            core.global<const uint8_t>(2), core.global<const uint8_t>(3),
                            core.scalar_argument<uint32_t>(13));
    Product<Scaled<T>, bfloat16>(core, factors, core.global<bfloat16>(4), tiling).run();
}

}  // namespace matmul
