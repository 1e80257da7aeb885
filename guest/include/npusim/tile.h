// The tile API: kernels that say what they do. Each call works on tiles of a core's memories, and tells the device which
// instruction of which pipe it stands for; from that follows how long the kernel takes. Under `--mode timing` nothing is
// computed: tiles have no elements then, and what a kernel decides must not depend on them.
//
//     void kernel_entry(int64_t *args) {
//         using namespace npusim::tile;
//         Core core(args);
//         const auto left = core.global<const float>(0), right = core.global<const float>(1);
//         const auto sum = core.global<float>(2);
//         auto a = core.ub<float>(left.rows, left.cols), b = core.ub<float>(left.rows, left.cols);
//         core.load(a, left);
//         core.load(b, right);
//         core.set_flag(Pipe::MTE2, Pipe::V, 0);
//         core.wait_flag(Pipe::MTE2, Pipe::V, 0);
//         core.add(a, a, b);
//         core.set_flag(Pipe::V, Pipe::MTE3, 0);
//         core.wait_flag(Pipe::V, Pipe::MTE3, 0);
//         core.store(sum, a);
//     }
//
// Rules:
// - Calls compute at once and in order, so a flag that is missing shows in the time, not in the result. Set flags as the
//   hardware needs them: between pipes set_flag and wait_flag, between dependent operations of one pipe barrier(pipe).
// - A tile is a view: copying it copies no elements, and block() is a part of it. Memory is handed out in order and never
//   taken back; release(memory) begins anew. More than a core has is reported by the device.
// - Layouts of L1 and L0 are not shown: tiles are row-major everywhere. Loading for the cube is load(..., Layout::ND2NZ).
// - Reading GM or a tile directly (tensor.data, Tile::at) is for what the scalar unit does; say so with scalar(cycles).
// - AIC and AIV of a cluster hand tiles to each other (TPUSH, TPOP) by npusim/tile_pipe.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "npusim/element.h"
#include "npusim/instruction.h"
#include "npusim/tile_core.h"
#include "npusim/tile_types.h"

namespace npusim::tile {

// The core that runs the kernel, for the time of one call.
class Core : public CoreBase {
public:
    using CoreBase::CoreBase;

    // ---- transfers: the shapes of both sides are the same
    template <typename T>
    void load(UbTile<T> to, Global<const T> from) {  // MTE2
        transfer(NPUSIM_PATH_GM_TO_UB, from, Layout::ND);
        copy_rows(to.elements, to.width, from.address, from.stride, from.rows, from.cols);
    }
    template <typename T>
    void load(UbTile<T> to, Global<T> from) {
        load(to, from.as_const());
    }
    template <typename T>
    void load(L1Tile<T> to, Global<const T> from, Layout layout = Layout::ND) {  // MTE2
        transfer(NPUSIM_PATH_GM_TO_L1, from, layout);
        copy_rows(to.elements, to.width, from.address, from.stride, from.rows, from.cols);
    }
    template <typename T>
    void load(L1Tile<T> to, Global<T> from, Layout layout = Layout::ND) {
        load(to, from.as_const(), layout);
    }
    template <typename T>
    void store(Global<T> to, UbTile<T> from) {  // MTE3
        transfer(NPUSIM_PATH_UB_TO_GM, to, Layout::ND);
        copy_rows(to.address, to.stride, from.elements, from.width, to.rows, to.cols);
    }
    template <typename T, typename S>
    void store(Global<T> to, L0cTile<S> from) {  // FIX, converts on the way
        drain<T>(NPUSIM_PATH_L0C_TO_GM, from, to.address, to.stride);
    }
    template <typename T, typename S>
    void store(UbTile<T> to, L0cTile<S> from) {  // FIX, a5 only
        drain<T>(NPUSIM_PATH_L0C_TO_UB, from, to.elements, to.width);
    }
    template <typename T, typename S>
    void store(L1Tile<T> to, L0cTile<S> from) {  // FIX
        drain<T>(NPUSIM_PATH_L0C_TO_L1, from, to.elements, to.width);
    }
    template <typename T>
    void move(L0aTile<T> to, L1Tile<T> from) {  // MTE1
        local(NPUSIM_PATH_L1_TO_L0A, to, from);
    }
    template <typename T>
    void move(L0bTile<T> to, L1Tile<T> from) {  // MTE1
        local(NPUSIM_PATH_L1_TO_L0B, to, from);
    }
    template <typename T>
    void move(L1Tile<T> to, UbTile<T> from) {  // MTE3
        local(NPUSIM_PATH_UB_TO_L1, to, from);
    }
    template <typename T>
    void move(UbTile<T> to, L1Tile<T> from) {  // MTE1
        local(NPUSIM_PATH_L1_TO_UB, to, from);
    }
    // `to` is the transpose of `from`, at no other price.
    template <typename T>
    void move_transposed(L0aTile<T> to, L1Tile<T> from) {  // MTE1
        local_transposed(NPUSIM_PATH_L1_TO_L0A, to, from);
    }
    template <typename T>
    void move_transposed(L0bTile<T> to, L1Tile<T> from) {  // MTE1
        local_transposed(NPUSIM_PATH_L1_TO_L0B, to, from);
    }

    // ---- cube (M): sum = left · right, or sum += left · right; each product is rounded, and added in the order of k
    template <typename T, typename S>
    void matmul(L0cTile<S> sum, L0aTile<T> left, L0bTile<T> right, bool accumulate = false) {
        static_assert(std::is_same_v<S, typename ElementTraits<T>::Sum>);
        NpusimInstruction instruction = blank(NPUSIM_INSTRUCTION_MAD, 0);
        instruction.element = code<T>();
        instruction.to_element = code<S>();
        instruction.rows = left.rows;
        instruction.cols = right.cols;
        instruction.width = left.cols;
        record(instruction);
        if (!computes()) return;
        std::vector<S> factors(size_t{right.rows} * right.cols);
        each(right, [&](uint32_t row, uint32_t col) {
            factors[size_t{row} * right.cols + col] = static_cast<S>(right.at(row, col));
        });
        for (uint32_t row = 0; row < left.rows; ++row) {
            S *__restrict sums = sum.row(row);
            if (!accumulate) std::fill(sums, sums + right.cols, S{});
            for (uint32_t k = 0; k < left.cols; ++k) {
                const S factor = static_cast<S>(left.at(row, k));
                const S *__restrict line = factors.data() + size_t{k} * right.cols;
                for (uint32_t col = 0; col < right.cols; ++col) sums[col] += factor * line[col];
            }
        }
    }

    // ---- vector (V), two tiles of one shape
    template <typename T>
    void add(UbTile<T> to, UbTile<T> a, UbTile<T> b) {
        binary(NPUSIM_VECTOR_ADD, to, a, b, [](auto x, auto y) { return x + y; });
    }
    template <typename T>
    void sub(UbTile<T> to, UbTile<T> a, UbTile<T> b) {
        binary(NPUSIM_VECTOR_SUB, to, a, b, [](auto x, auto y) { return x - y; });
    }
    template <typename T>
    void mul(UbTile<T> to, UbTile<T> a, UbTile<T> b) {
        binary(NPUSIM_VECTOR_MUL, to, a, b, [](auto x, auto y) { return x * y; });
    }
    template <typename T>
    void div(UbTile<T> to, UbTile<T> a, UbTile<T> b) {
        binary(NPUSIM_VECTOR_DIV, to, a, b, [](auto x, auto y) { return x / y; });
    }
    template <typename T>
    void max(UbTile<T> to, UbTile<T> a, UbTile<T> b) {
        binary(NPUSIM_VECTOR_MAX, to, a, b, [](auto x, auto y) { return x < y ? y : x; });
    }
    template <typename T>
    void min(UbTile<T> to, UbTile<T> a, UbTile<T> b) {
        binary(NPUSIM_VECTOR_MIN, to, a, b, [](auto x, auto y) { return y < x ? y : x; });
    }
    template <typename T>
    void bit_and(UbTile<T> to, UbTile<T> a, UbTile<T> b) {
        static_assert(std::is_integral_v<T>);
        binary(NPUSIM_VECTOR_AND, to, a, b, [](auto x, auto y) { return x & y; });
    }
    template <typename T>
    void bit_or(UbTile<T> to, UbTile<T> a, UbTile<T> b) {
        static_assert(std::is_integral_v<T>);
        binary(NPUSIM_VECTOR_OR, to, a, b, [](auto x, auto y) { return x | y; });
    }

    // ---- vector, a tile and a scalar
    template <typename T>
    void adds(UbTile<T> to, UbTile<T> a, Worked<T> s) {
        unary(NPUSIM_VECTOR_ADDS, to, a, [s](auto x) { return x + s; });
    }
    template <typename T>
    void muls(UbTile<T> to, UbTile<T> a, Worked<T> s) {
        unary(NPUSIM_VECTOR_MULS, to, a, [s](auto x) { return x * s; });
    }
    template <typename T>
    void divs(UbTile<T> to, UbTile<T> a, Worked<T> s) {
        unary(NPUSIM_VECTOR_DIVS, to, a, [s](auto x) { return x / s; });
    }
    template <typename T>
    void maxs(UbTile<T> to, UbTile<T> a, Worked<T> s) {
        unary(NPUSIM_VECTOR_MAXS, to, a, [s](auto x) { return x < s ? s : x; });
    }
    template <typename T>
    void mins(UbTile<T> to, UbTile<T> a, Worked<T> s) {
        unary(NPUSIM_VECTOR_MINS, to, a, [s](auto x) { return s < x ? s : x; });
    }
    template <typename T>
    void shl(UbTile<T> to, UbTile<T> a, uint32_t bits) {
        static_assert(std::is_integral_v<T>);
        unary(NPUSIM_VECTOR_SHL, to, a, [bits](auto x) { return static_cast<T>(static_cast<uint64_t>(x) << bits); });
    }
    template <typename T>
    void shr(UbTile<T> to, UbTile<T> a, uint32_t bits) {
        static_assert(std::is_integral_v<T>);
        unary(NPUSIM_VECTOR_SHR, to, a, [bits](auto x) { return static_cast<T>(x >> bits); });
    }
    // to += a * s
    template <typename T>
    void axpy(UbTile<T> to, UbTile<T> a, Worked<T> s) {
        binary(NPUSIM_VECTOR_AXPY, to, to, a, [s](auto sum, auto x) { return sum + x * s; });
    }
    template <typename T>
    void fill(UbTile<T> to, Worked<T> s) {
        unary(NPUSIM_VECTOR_FILL, to, to, [s](auto) { return s; });
    }

    // ---- vector, one tile; functions are rounded from double, so that they are the same on every machine
    template <typename T>
    void neg(UbTile<T> to, UbTile<T> a) {
        unary(NPUSIM_VECTOR_NEG, to, a, [](auto x) { return -x; });
    }
    template <typename T>
    void abs(UbTile<T> to, UbTile<T> a) {
        unary(NPUSIM_VECTOR_ABS, to, a, [](auto x) { return x < 0 ? -x : x; });
    }
    template <typename T>
    void exp(UbTile<T> to, UbTile<T> a) {
        unary(NPUSIM_VECTOR_EXP, to, a, [](double x) { return static_cast<float>(std::exp(x)); });
    }
    template <typename T>
    void ln(UbTile<T> to, UbTile<T> a) {
        unary(NPUSIM_VECTOR_LN, to, a, [](double x) { return static_cast<float>(std::log(x)); });
    }
    template <typename T>
    void sqrt(UbTile<T> to, UbTile<T> a) {
        unary(NPUSIM_VECTOR_SQRT, to, a, [](float x) { return std::sqrt(x); });
    }
    template <typename T>
    void rsqrt(UbTile<T> to, UbTile<T> a) {
        unary(NPUSIM_VECTOR_RSQRT, to, a, [](float x) { return 1.0f / std::sqrt(x); });
    }
    template <typename T>
    void recip(UbTile<T> to, UbTile<T> a) {
        unary(NPUSIM_VECTOR_RECIP, to, a, [](float x) { return 1.0f / x; });
    }
    template <typename T>
    void relu(UbTile<T> to, UbTile<T> a) {
        unary(NPUSIM_VECTOR_RELU, to, a, [](auto x) { return x < 0 ? 0 : x; });
    }
    template <typename T>
    void leaky_relu(UbTile<T> to, UbTile<T> a, Worked<T> s) {
        unary(NPUSIM_VECTOR_LRELU, to, a, [s](auto x) { return x < 0 ? x * s : x; });
    }
    template <typename T>
    void bit_not(UbTile<T> to, UbTile<T> a) {
        static_assert(std::is_integral_v<T>);
        unary(NPUSIM_VECTOR_NOT, to, a, [](auto x) { return static_cast<T>(~x); });
    }
    template <typename T>
    void copy(UbTile<T> to, UbTile<T> a) {
        vector<T, T>(NPUSIM_VECTOR_COPY, a);
        copy_rows(to.elements, to.width, a.elements, a.width, a.rows, a.cols);
    }
    // Blocks of 32 bytes of each row to rows of their own, those of one column of blocks together: as the cube reads it.
    template <typename T>
    void to_fractals(UbTile<T> to, UbTile<T> a) {
        constexpr uint32_t BLOCK = 32 / sizeof(T);
        vector<T, T>(NPUSIM_VECTOR_COPY, a);
        each(a, [&](uint32_t row, uint32_t col) {
            to.at(col / BLOCK * (to.rows / (a.cols / BLOCK)) + row, col % BLOCK) = a.at(row, col);
        });
    }
    // Another type of element: to nearest even; to integers, saturating.
    template <typename T, typename S>
    void convert(UbTile<T> to, UbTile<S> a) {
        vector<S, T>(NPUSIM_VECTOR_CONVERT, a);
        each(a, [&](uint32_t row, uint32_t col) { to.at(row, col) = converted<T>(a.at(row, col)); });
    }

    // ---- vector, choices: a mask is 1 where the comparison holds, else 0
    template <typename T>
    void compare(UbTile<uint8_t> mask, UbTile<T> a, UbTile<T> b, Comparison comparison) {
        vector<T, uint8_t>(NPUSIM_VECTOR_COMPARE, a);
        each(a, [&](uint32_t row, uint32_t col) {
            mask.at(row, col) = holds(Worked<T>(a.at(row, col)), Worked<T>(b.at(row, col)), comparison);
        });
    }
    template <typename T>
    void compares(UbTile<uint8_t> mask, UbTile<T> a, Worked<T> s, Comparison comparison) {
        vector<T, uint8_t>(NPUSIM_VECTOR_COMPARES, a);
        each(a, [&](uint32_t row, uint32_t col) {
            mask.at(row, col) = holds(Worked<T>(a.at(row, col)), s, comparison);
        });
    }
    template <typename T>
    void select(UbTile<T> to, UbTile<uint8_t> mask, UbTile<T> a, UbTile<T> b) {
        vector<T, T>(NPUSIM_VECTOR_SELECT, a);
        each(a, [&](uint32_t row, uint32_t col) {
            to.at(row, col) = mask.at(row, col) ? a.at(row, col) : b.at(row, col);
        });
    }

    // ---- vector, along rows: `to` has one column; along columns: `to` has one row. Summed in order, from the first.
    template <typename T>
    void row_sum(UbTile<T> to, UbTile<T> a) {
        reduce_rows(NPUSIM_VECTOR_ROW_SUM, to, a, [](auto x, auto y) { return x + y; });
    }
    template <typename T>
    void row_max(UbTile<T> to, UbTile<T> a) {
        reduce_rows(NPUSIM_VECTOR_ROW_MAX, to, a, [](auto x, auto y) { return x < y ? y : x; });
    }
    template <typename T>
    void row_min(UbTile<T> to, UbTile<T> a) {
        reduce_rows(NPUSIM_VECTOR_ROW_MIN, to, a, [](auto x, auto y) { return y < x ? y : x; });
    }
    template <typename T>
    void col_sum(UbTile<T> to, UbTile<T> a) {
        reduce_cols(NPUSIM_VECTOR_COL_SUM, to, a, [](auto x, auto y) { return x + y; });
    }
    template <typename T>
    void col_max(UbTile<T> to, UbTile<T> a) {
        reduce_cols(NPUSIM_VECTOR_COL_MAX, to, a, [](auto x, auto y) { return x < y ? y : x; });
    }
    template <typename T>
    void col_min(UbTile<T> to, UbTile<T> a) {
        reduce_cols(NPUSIM_VECTOR_COL_MIN, to, a, [](auto x, auto y) { return y < x ? y : x; });
    }
    // One column to all columns, one row to all rows.
    template <typename T>
    void row_expand(UbTile<T> to, UbTile<T> column) {
        vector<T, T>(NPUSIM_VECTOR_ROW_EXPAND, to);
        each(to, [&](uint32_t row, uint32_t col) { to.at(row, col) = column.at(row, 0); });
    }
    template <typename T>
    void col_expand(UbTile<T> to, UbTile<T> line) {
        vector<T, T>(NPUSIM_VECTOR_COL_EXPAND, to);
        each(to, [&](uint32_t row, uint32_t col) { to.at(row, col) = line.at(0, col); });
    }
    // Each row of `a` with its element of the column.
    template <typename T>
    void row_expand_add(UbTile<T> to, UbTile<T> a, UbTile<T> column) {
        with_column(NPUSIM_VECTOR_ROW_EXPAND_ADD, to, a, column, [](auto x, auto y) { return x + y; });
    }
    template <typename T>
    void row_expand_sub(UbTile<T> to, UbTile<T> a, UbTile<T> column) {
        with_column(NPUSIM_VECTOR_ROW_EXPAND_SUB, to, a, column, [](auto x, auto y) { return x - y; });
    }
    template <typename T>
    void row_expand_mul(UbTile<T> to, UbTile<T> a, UbTile<T> column) {
        with_column(NPUSIM_VECTOR_ROW_EXPAND_MUL, to, a, column, [](auto x, auto y) { return x * y; });
    }
    template <typename T>
    void row_expand_div(UbTile<T> to, UbTile<T> a, UbTile<T> column) {
        with_column(NPUSIM_VECTOR_ROW_EXPAND_DIV, to, a, column, [](auto x, auto y) { return x / y; });
    }
    template <typename T>
    void transpose(UbTile<T> to, UbTile<T> a) {
        vector<T, T>(NPUSIM_VECTOR_TRANSPOSE, a);
        each(a, [&](uint32_t row, uint32_t col) { to.at(col, row) = a.at(row, col); });
    }

    // ---- vector, order: the larger value first, of equal ones the smaller index
    // Every 32 values of a row by themselves; `first_index` is the index of each row's first value.
    template <typename T>
    void sort32(UbTile<Ranked> to, UbTile<T> values, uint32_t first_index = 0) {
        vector<T, Ranked>(NPUSIM_VECTOR_SORT32, values);
        each(values, [&](uint32_t row, uint32_t col) { to.at(row, col) = {values.at(row, col), first_index + col}; });
        for (uint32_t first = 0; first < values.cols; first += 32) sort_runs(to, first, least(values.cols - first, 32));
    }
    // Makes runs of 4 × `run` out of sorted runs of `run`, in every row.
    void merge4(UbTile<Ranked> to, UbTile<Ranked> from, uint32_t run) {
        vector<Ranked, Ranked>(NPUSIM_VECTOR_MERGE, from);
        if (!computes()) return;
        each(from, [&](uint32_t row, uint32_t col) { to.at(row, col) = from.at(row, col); });
        for (uint32_t first = 0; first < from.cols; first += 4 * run) {
            sort_runs(to, first, least(from.cols - first, 4 * run));
        }
    }
    template <typename T>
    void values_of(UbTile<T> to, UbTile<Ranked> from) {
        vector<Ranked, T>(NPUSIM_VECTOR_GATHER_MASK, from);
        each(from, [&](uint32_t row, uint32_t col) { to.at(row, col) = from.at(row, col).value; });
    }
    void indices_of(UbTile<uint32_t> to, UbTile<Ranked> from) {
        vector<Ranked, uint32_t>(NPUSIM_VECTOR_GATHER_MASK, from);
        each(from, [&](uint32_t row, uint32_t col) { to.at(row, col) = from.at(row, col).index; });
    }
    // Elements of `from` by their place in it, counted row by row.
    template <typename T>
    void gather(UbTile<T> to, UbTile<T> from, UbTile<uint32_t> places) {
        vector<T, T>(NPUSIM_VECTOR_GATHER, to);
        each(to, [&](uint32_t row, uint32_t col) {
            const uint32_t place = places.at(row, col);
            to.at(row, col) = from.at(place / from.cols, place % from.cols);
        });
    }

protected:
    template <typename T, typename S>
    static T converted(S value) {
        if constexpr (std::is_same_v<T, S>) {
            return value;
        } else if constexpr (!std::is_integral_v<T>) {
            return static_cast<T>(static_cast<float>(value));
        } else {
            const double wide = std::is_integral_v<S> ? static_cast<double>(value)
                                                      : std::nearbyint(static_cast<double>(static_cast<float>(value)));
            return saturated<T>(wide);
        }
    }

private:
    template <typename T, typename S>
    void drain(NpusimPath path, L0cTile<S> from, T *to, uint64_t stride) {
        NpusimInstruction instruction = blank(NPUSIM_INSTRUCTION_DRAIN, static_cast<uint8_t>(path));
        instruction.element = code<S>();
        instruction.to_element = code<T>();
        instruction.rows = from.rows;
        instruction.cols = from.cols;
        if (path == NPUSIM_PATH_L0C_TO_GM) instruction.address = reinterpret_cast<uint64_t>(to);
        instruction.stride = stride * sizeof(T);
        record(instruction);
        each(from, [&](uint32_t row, uint32_t col) { to[row * stride + col] = converted<T>(from.at(row, col)); });
    }
    template <typename T, Memory A, Memory B>
    void local(NpusimPath path, Tile<T, A> to, Tile<T, B> from) {
        record_local(path, to, from);
        copy_rows(to.elements, to.width, from.elements, from.width, from.rows, from.cols);
    }
    template <typename T, Memory A, Memory B>
    void local_transposed(NpusimPath path, Tile<T, A> to, Tile<T, B> from) {
        record_local(path, to, from);
        each(from, [&](uint32_t row, uint32_t col) { to.at(col, row) = from.at(row, col); });
    }
    template <typename T, typename F>
    void unary(NpusimVectorOp operation, UbTile<T> to, UbTile<T> a, F function) {
        vector<T, T>(operation, to);
        each(to, [&](uint32_t row, uint32_t col) {
            to.at(row, col) = static_cast<T>(function(Worked<T>(a.at(row, col))));
        });
    }
    template <typename T, typename F>
    void binary(NpusimVectorOp operation, UbTile<T> to, UbTile<T> a, UbTile<T> b, F function) {
        vector_of_two(operation, to, a, b);
        each(to, [&](uint32_t row, uint32_t col) {
            to.at(row, col) = static_cast<T>(function(Worked<T>(a.at(row, col)), Worked<T>(b.at(row, col))));
        });
    }
    template <typename T, typename F>
    void with_column(NpusimVectorOp operation, UbTile<T> to, UbTile<T> a, UbTile<T> column, F function) {
        vector<T, T>(operation, to);
        each(to, [&](uint32_t row, uint32_t col) {
            to.at(row, col) = static_cast<T>(function(Worked<T>(a.at(row, col)), Worked<T>(column.at(row, 0))));
        });
    }
    template <typename T, typename F>
    void reduce_rows(NpusimVectorOp operation, UbTile<T> to, UbTile<T> a, F function) {
        vector<T, T>(operation, a);
        each(a.block(0, 0, a.rows, 1), [&](uint32_t row, uint32_t) {
            Worked<T> sum = a.at(row, 0);
            for (uint32_t col = 1; col < a.cols; ++col) sum = function(sum, Worked<T>(a.at(row, col)));
            to.at(row, 0) = static_cast<T>(sum);
        });
    }
    template <typename T, typename F>
    void reduce_cols(NpusimVectorOp operation, UbTile<T> to, UbTile<T> a, F function) {
        vector<T, T>(operation, a);
        each(a.block(0, 0, 1, a.cols), [&](uint32_t, uint32_t col) {
            Worked<T> sum = a.at(0, col);
            for (uint32_t row = 1; row < a.rows; ++row) sum = function(sum, Worked<T>(a.at(row, col)));
            to.at(0, col) = static_cast<T>(sum);
        });
    }
    template <typename T>
    static bool holds(T a, T b, Comparison comparison) {
        switch (comparison) {
        case Comparison::EQ: return a == b;
        case Comparison::NE: return a != b;
        case Comparison::LT: return a < b;
        case Comparison::LE: return a <= b;
        case Comparison::GT: return a > b;
        case Comparison::GE: return a >= b;
        }
        return false;
    }
    template <typename T>
    static T saturated(double value) {
        constexpr double span = static_cast<double>(uint64_t{1} << (8 * sizeof(T) - 1));
        constexpr double low = std::is_signed_v<T> ? -span : 0.0;
        constexpr double high = std::is_signed_v<T> ? span - 1.0 : 2.0 * span - 1.0;
        if (!(value > low)) return static_cast<T>(low);
        return static_cast<T>(value < high ? value : high);
    }
    static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }
    void sort_runs(UbTile<Ranked> tile, uint32_t first, uint32_t count) const {
        if (!computes()) return;
        for (uint32_t row = 0; row < tile.rows; ++row) {
            Ranked *begin = tile.row(row) + first;
            std::sort(begin, begin + count, [](const Ranked &a, const Ranked &b) {
                return a.value > b.value || (a.value == b.value && a.index < b.index);
            });
        }
    }
};

}  // namespace npusim::tile
