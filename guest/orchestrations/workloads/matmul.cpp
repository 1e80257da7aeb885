// C = A · Bᵀ, a task for each block of C of single_m x single_n; those at the edges are smaller. Blocks are submitted in
// rounds, each with its part of the rows of C: what all rounds read of B stays in the L2.
//
// Scalars: m, n, k, single_m, single_n, rounds, and for the kernel tile_m, tile_n, step_k, steps_a, steps_b, buffers,
// l0_buffers, unit_flag, scale_stages (0: no scales); with scales two more that the shapes need. Tensors: a [m, ..],
// b [n, ..], if there are scales scales_a [m, ..] and scales_b [n, ..], c [m, n].
#include <algorithm>

#include "npusim/orchestration.h"

namespace {

using npusim::TaskArgs;

enum Kernel : int32_t { MATMUL = 0 };
enum Scalar : int32_t { M, N, K, SINGLE_M, SINGLE_N, ROUNDS, TILING, SCALE_STAGES = 14, SCALARS };

class Matmul {
public:
    explicit Matmul(const ChipStorageTaskArgs &args) : args_(args), has_scales_(scalar(SCALE_STAGES) != 0) {}

    bool is_sound() const {
        for (int32_t index = M; index < SCALE_STAGES - 1; ++index) {
            if (scalar(index) == 0) return false;
        }
        return args_.tensor_count() == (has_scales_ ? 5 : 3);
    }

    void submit() const {
        const uint32_t single_m = scalar(SINGLE_M), single_n = scalar(SINGLE_N);
        const uint32_t blocks = (scalar(M) + single_m - 1) / single_m;
        const uint32_t blocks_a_round = (blocks + scalar(ROUNDS) - 1) / scalar(ROUNDS);
        for (uint32_t first = 0; first < blocks; first += blocks_a_round) {
            const uint32_t end = std::min(blocks, first + blocks_a_round);
            // Neighbours share their part of B.
            for (uint32_t col = 0; col < scalar(N); col += single_n) {
                for (uint32_t block = first; block < end && !npusim::failed(); ++block) submit(block * single_m, col);
            }
        }
    }

private:
    uint32_t scalar(int32_t index) const { return npusim::scalar_as<uint32_t>(args_, index); }

    void submit(uint32_t row, uint32_t col) const {
        const uint32_t end_row = std::min(row + scalar(SINGLE_M), scalar(M));
        const uint32_t end_col = std::min(col + scalar(SINGLE_N), scalar(N));
        const uint32_t extents[2] = {end_row - row, end_col - col}, offsets[2] = {row, col};
        TaskArgs block;
        block.input(args_.tensor(0).slice(0, row, end_row)).input(args_.tensor(1).slice(0, col, end_col));
        if (has_scales_) block.input(args_.tensor(2).slice(0, row, end_row)).input(args_.tensor(3).slice(0, col, end_col));
        block.output_to(args_.tensor(has_scales_ ? 4 : 2).view(extents, offsets));
        for (int32_t index = TILING; index < SCALARS; ++index) block.scalar(uint64_t{scalar(index)});
        npusim::submit_aic(MATMUL, block);
    }

    const ChipStorageTaskArgs &args_;
    bool has_scales_;
};

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &args) {
    return {args.tensor_count() + SCALARS + (args.tensor_count() == 5 ? 2 : 0)};
}

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const Matmul matmul(args);
    if (!matmul.is_sound()) {
        npusim::fail("matmul: a size is 0, or scales without scale_stages");
        return;
    }
    matmul.submit();
}
