// Arguments: left, right, sum. sum = left + right, element by element; float32, contiguous, one shape of whole rows of 64
// elements. Works in tiles of 64 rows and traces them, as kernels of the reference do.
#include <algorithm>

#include "npusim/kernel.h"
#include "npusim/tile_trace.h"

void kernel_entry(int64_t *args) {
    using namespace npusim::tile_trace;
    constexpr int64_t COLS = 64, ROWS = 64;
    const auto *left = npusim::data<const float>(args, 0);
    const auto *right = npusim::data<const float>(args, 1);
    auto *sum = npusim::data<float>(args, 2);
    const auto rows = static_cast<int64_t>(npusim::tensor(args, 2).numel()) / COLS;
    for (int64_t first = 0; first < rows; first += ROWS) {
        const int64_t count = std::min(ROWS, rows - first), offset = first * COLS;
        const size_t bytes = ROWS * COLS * sizeof(float);
        const Tile a = ub_tile(0, count, COLS), b = ub_tile(bytes, count, COLS), c = ub_tile(2 * bytes, count, COLS);
        for (const Tile &tile : {a, b, c}) note("TASSIGN", {tile}, {});
        std::copy_n(left + offset, count * COLS, elements(a));
        note("TLOAD", {a}, {matrix(left + offset, count, COLS)});
        std::copy_n(right + offset, count * COLS, elements(b));
        note("TLOAD", {b}, {matrix(right + offset, count, COLS)});
        for (int64_t index = 0; index < count * COLS; ++index) elements(c)[index] = elements(a)[index] + elements(b)[index];
        note("TADD", {c}, {a, b});
        std::copy_n(elements(c), count * COLS, sum + offset);
        note("TSTORE", {matrix(sum + offset, count, COLS)}, {c});
    }
}
