// What the tile API works on: rectangles in GM and in the memories of a core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace npusim::tile {

enum class Pipe : uint8_t { S, V, M, MTE1, MTE2, MTE3, FIX, ALL };
enum class Memory : uint8_t { UB, L1, L0A, L0B, L0C };
enum class Layout : uint8_t { ND, ND2NZ };
enum class Comparison : uint8_t { EQ, NE, LT, LE, GT, GE };

// A rectangle in GM, row by row.
template <typename T>
struct Global {
    T *address;
    uint32_t rows;
    uint32_t cols;
    uint64_t stride;  // elements from one row to the next

    Global block(uint32_t row, uint32_t col, uint32_t count_rows, uint32_t count_cols) const {
        return {address + row * stride + col, count_rows, count_cols, stride};
    }
    // The same elements in other rows; only if the rows touch.
    Global reshape(uint32_t new_rows, uint32_t new_cols) const { return {address, new_rows, new_cols, new_cols}; }
    Global<const T> as_const() const { return {address, rows, cols, stride}; }
};

// A rectangle in one of the core's memories, row by row. No elements under `--mode timing`.
template <typename T, Memory M>
struct Tile {
    T *elements;
    uint32_t rows;
    uint32_t cols;
    uint32_t width;  // elements from one row to the next
    uint32_t place;  // bytes from the beginning of the memory

    T &at(uint32_t row, uint32_t col) const { return elements[size_t{row} * width + col]; }
    T *row(uint32_t index) const { return elements + size_t{index} * width; }
    Tile block(uint32_t first_row, uint32_t first_col, uint32_t count_rows, uint32_t count_cols) const {
        T *first = elements ? &at(first_row, first_col) : nullptr;
        const size_t begin = (size_t{first_row} * width + first_col) * sizeof(T);
        return {first, count_rows, count_cols, width, place + static_cast<uint32_t>(begin)};
    }
    // The same elements in other rows; only if the rows touch.
    Tile reshape(uint32_t new_rows, uint32_t new_cols) const { return {elements, new_rows, new_cols, new_cols, place}; }
};
template <typename T>
using UbTile = Tile<T, Memory::UB>;
template <typename T>
using L1Tile = Tile<T, Memory::L1>;
template <typename T>
using L0aTile = Tile<T, Memory::L0A>;
template <typename T>
using L0bTile = Tile<T, Memory::L0B>;
template <typename T>
using L0cTile = Tile<T, Memory::L0C>;

// What arithmetic on T is done in: float for every floating type, T itself for integers.
template <typename T>
struct WorkedType {
    using type = std::conditional_t<std::is_integral_v<T>, T, float>;
};
template <typename T>
using Worked = typename WorkedType<T>::type;

}  // namespace npusim::tile
