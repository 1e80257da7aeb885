// C = gelu(A · Bᵀ). A block of C of single_m x single_n is made in bands of tile_m rows: a product by an AIC, which two AIVs
// take up from GM, half of it each.
//
// Scalars: m, n, k, single_m, single_n, tile_m, tile_n, step_k, steps_a, steps_b, buffers, l0_buffers, unit_flag, gelu_rows (of
// a tile of gelu, which has tile_n columns). Tensors: a [m, k], b [n, k] float16, c [m, n] float32.
#include <algorithm>

#include "npusim/orchestration.h"

namespace {

using npusim::Scope;
using npusim::TaskArgs;

enum Kernel : int32_t { PRODUCT = 0, GELU = 1 };
enum Scalar : int32_t { M, N, K, SINGLE_M, SINGLE_N, TILE_M, TILE_N, UNIT_FLAG = 12, GELU_ROWS, SCALARS };

class MatmulGelu {
public:
    explicit MatmulGelu(const ChipStorageTaskArgs &args) : args_(args) {}

    bool is_sound() const {
        for (int32_t index = M; index < SCALARS; ++index) {
            if (scalar(index) == 0 && index != UNIT_FLAG) return false;
        }
        return scalar(TILE_M) % 2 == 0 && scalar(M) % scalar(TILE_M) == 0 && scalar(SINGLE_M) % scalar(TILE_M) == 0;
    }

    // The same band of all blocks at once, as cores that work side by side make them.
    void submit() const {
        for (uint32_t band = 0; band < scalar(SINGLE_M); band += scalar(TILE_M)) {
            for (uint32_t col = 0; col < scalar(N); col += scalar(SINGLE_N)) {
                for (uint32_t row = band; row < scalar(M) && !npusim::failed(); row += scalar(SINGLE_M)) {
                    const Scope scope;
                    submit(row, col);
                }
            }
        }
    }

private:
    uint32_t scalar(int32_t index) const { return npusim::scalar_as<uint32_t>(args_, index); }
    ChipTensor part(uint32_t row, uint32_t rows, uint32_t col, uint32_t end_col) const {
        const uint32_t extents[2] = {rows, end_col - col}, offsets[2] = {row, col};
        return args_.tensor(2).view(extents, offsets);
    }

    void submit(uint32_t row, uint32_t col) const {
        const uint32_t rows = scalar(TILE_M), end_col = std::min(col + scalar(SINGLE_N), scalar(N));
        TaskArgs product;
        product.input(args_.tensor(0).slice(0, row, row + rows)).input(args_.tensor(1).slice(0, col, end_col));
        product.output_to(part(row, rows, col, end_col));
        for (int32_t index = TILE_M; index <= UNIT_FLAG; ++index) product.scalar(uint64_t{scalar(index)});
        npusim::submit_aic(PRODUCT, product);
        for (const uint32_t first : {row, row + rows / 2}) {
            TaskArgs gelu;
            gelu.inout(part(first, rows / 2, col, end_col));
            gelu.scalar(uint64_t{scalar(GELU_ROWS)}).scalar(uint64_t{scalar(TILE_N)});
            npusim::submit_aiv(GELU, gelu);
        }
    }

    const ChipStorageTaskArgs &args_;
};

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {3 + SCALARS}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const MatmulGelu matmul(args);
    if (!matmul.is_sound()) {
        npusim::fail("matmul_gelu: a size is 0, or blocks are not whole bands of an even number of rows");
        return;
    }
    matmul.submit();
}
