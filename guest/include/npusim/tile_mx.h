// Products of factors whose elements share exponents (a5): elements of 8 or 4 bits, and a power of two for every 32 of
// them along k.
#pragma once

#include <vector>

#include "npusim/tile.h"

namespace npusim::tile {

constexpr uint32_t MX_GROUP = 32;

// A float of 1 sign, 5 exponent and 2 mantissa bits: the upper byte of a binary16.
struct fp8_e5m2 {
    uint8_t bits;
};
// Two floats of 1 sign, 2 exponent and 1 mantissa bit, the lower half first.
struct fp4_pair {
    uint8_t bits;
};
static_assert(sizeof(fp8_e5m2) == 1 && sizeof(fp4_pair) == 1);

// Both are called by the name of the 8-bit float: the cube takes 32 bytes of k at once, whatever is in them.
template <>
struct ElementTraits<fp8_e5m2> {
    static constexpr DataType type = DataType::FP8E4M3FN;
    using Sum = float;
};
template <>
struct ElementTraits<fp4_pair> {
    static constexpr DataType type = DataType::FP8E4M3FN;
    using Sum = float;
};

// The values in an element of memory.
template <typename T>
struct MxElement;
template <>
struct MxElement<fp8_e5m2> {
    static constexpr uint32_t IN_A_BYTE = 1;
    static float value(fp8_e5m2 element, uint32_t) {
        half wide;
        wide.bits = static_cast<uint16_t>(element.bits << 8);
        return wide;
    }
};
template <>
struct MxElement<fp4_pair> {
    static constexpr uint32_t IN_A_BYTE = 2;
    static float value(fp4_pair pair, uint32_t index) {
        constexpr float magnitudes[] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
        const uint32_t bits = uint32_t{pair.bits} >> (4 * index) & 15u;
        return bits & 8u ? -magnitudes[bits & 7u] : magnitudes[bits];
    }
};

// 2 to the power of an exponent with bias 127.
inline float mx_scale(uint8_t exponent) { return exponent ? float_of(uint32_t{exponent} << 23) : 0x1p-127f; }

class MxCore : public Core {
public:
    using Core::Core;

    // Brings scales of a factor to the memory beside L0A or L0B, which has room for those of as much as L0 has.
    void move_scales(L1Tile<uint8_t> scales) {  // MTE1
        record_local(NPUSIM_PATH_L1_TO_L0_SCALES, scales, scales);
    }
    // sum = left · right or sum += left · right, with scales; products are rounded, and added in the order of k. Tiles
    // count bytes along k. Scales are those of L1: move_scales says that they went on.
    template <typename T>
    void matmul_mx(L0cTile<float> sum, L0aTile<T> left, L1Tile<uint8_t> left_scales, L0bTile<T> right,
                   L1Tile<uint8_t> right_scales, bool accumulate) {
        NpusimInstruction instruction = blank(NPUSIM_INSTRUCTION_MAD, 0);
        instruction.element = code<T>();
        instruction.to_element = code<float>();
        instruction.rows = left.rows;
        instruction.cols = right.cols;
        instruction.width = left.cols;
        record(instruction);
        if (!computes()) return;
        const uint32_t depth = left.cols * MxElement<T>::IN_A_BYTE;
        std::vector<float> factors(size_t{depth} * right.cols);
        for (uint32_t k = 0; k < depth; ++k) {
            for (uint32_t col = 0; col < right.cols; ++col) {
                const float scale = mx_scale(right_scales.at(col, k / MX_GROUP));
                factors[size_t{k} * right.cols + col] = scale * element(right, k, col);
            }
        }
        for (uint32_t row = 0; row < left.rows; ++row) {
            float *__restrict sums = sum.row(row);
            if (!accumulate) std::fill(sums, sums + right.cols, 0.0f);
            for (uint32_t k = 0; k < depth; ++k) {
                const auto packed = left.at(row, k / MxElement<T>::IN_A_BYTE);
                const float scale = mx_scale(left_scales.at(row, k / MX_GROUP));
                const float factor = scale * MxElement<T>::value(packed, k % MxElement<T>::IN_A_BYTE);
                const float *__restrict line = factors.data() + size_t{k} * right.cols;
                for (uint32_t col = 0; col < right.cols; ++col) sums[col] += factor * line[col];
            }
        }
    }

private:
    template <typename T>
    static float element(L0bTile<T> right, uint32_t k, uint32_t col) {
        const auto packed = right.at(k / MxElement<T>::IN_A_BYTE, col);
        return MxElement<T>::value(packed, k % MxElement<T>::IN_A_BYTE);
    }
};

}  // namespace npusim::tile
