// Elements that C++17 has no type for. Arithmetic on them is that of float, rounded to nearest even by each operation.
#pragma once

#include <cstdint>
#include <cstring>

#include "npusim/data_type.h"

namespace npusim::tile {

inline uint32_t bits_of(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}
inline float float_of(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

// IEEE 754 binary16.
struct half {
    uint16_t bits;

    half() = default;
    half(float value) : bits(round(value)) {}
    operator float() const {
        const uint32_t sign = uint32_t{bits} >> 15 << 31;
        const uint32_t rest = bits & 0x7fffu;
        if (rest >= 0x7c00u) return float_of(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
        if (rest >= 0x400u) return float_of(sign | ((rest << 13) + 0x38000000u));
        // Subnormal: a multiple of 2^-24, which float has exactly.
        const float magnitude = static_cast<float>(rest) * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }

private:
    static uint16_t round(float value) {
        const uint32_t bits = bits_of(value);
        const uint32_t sign = bits >> 16 & 0x8000u;
        const uint32_t rest = bits & 0x7fffffffu;
        if (rest > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
        if (rest >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
        // Subnormal: adding 0.5 leaves the rounded multiple of 2^-24 in the low bits.
        if (rest < 0x38800000u) return static_cast<uint16_t>(sign | (bits_of(float_of(rest) + 0.5f) - 0x3f000000u));
        return static_cast<uint16_t>(sign | ((rest + 0xfffu + (rest >> 13 & 1u) - 0x38000000u) >> 13));
    }
};

// The upper half of a float.
struct bfloat16 {
    uint16_t bits;

    bfloat16() = default;
    bfloat16(float value) {
        const uint32_t wide = bits_of(value);
        const bool nan = (wide & 0x7fffffffu) > 0x7f800000u;
        bits = static_cast<uint16_t>(nan ? wide >> 16 | 0x40u : (wide + 0x7fffu + (wide >> 16 & 1u)) >> 16);
    }
    operator float() const { return float_of(uint32_t{bits} << 16); }
};

// A value with the place it came from: what sorting works on.
struct Ranked {
    float value;
    uint32_t index;
};
static_assert(sizeof(half) == 2 && sizeof(bfloat16) == 2 && sizeof(Ranked) == 8);

// What an element is called on the wire, and what a product of two is summed in.
template <typename T>
struct ElementTraits;
template <>
struct ElementTraits<float> {
    static constexpr DataType type = DataType::FLOAT32;
    using Sum = float;
};
template <>
struct ElementTraits<half> {
    static constexpr DataType type = DataType::FLOAT16;
    using Sum = float;
};
template <>
struct ElementTraits<bfloat16> {
    static constexpr DataType type = DataType::BFLOAT16;
    using Sum = float;
};
template <>
struct ElementTraits<int32_t> {
    static constexpr DataType type = DataType::INT32;
    using Sum = int32_t;
};
template <>
struct ElementTraits<uint32_t> {
    static constexpr DataType type = DataType::UINT32;
    using Sum = uint32_t;
};
template <>
struct ElementTraits<int16_t> {
    static constexpr DataType type = DataType::INT16;
    using Sum = int32_t;
};
template <>
struct ElementTraits<int8_t> {
    static constexpr DataType type = DataType::INT8;
    using Sum = int32_t;
};
template <>
struct ElementTraits<uint8_t> {
    static constexpr DataType type = DataType::UINT8;
    using Sum = int32_t;
};
template <>
struct ElementTraits<Ranked> {
    static constexpr DataType type = DataType::UINT64;
    using Sum = Ranked;
};

}  // namespace npusim::tile
