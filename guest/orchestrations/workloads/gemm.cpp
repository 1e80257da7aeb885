// C = A · Bᵀ, one task for each block of C: a grid of m_blocks x n_blocks, as many as there are AICs.
//
// Scalars: m, n, k, m_blocks, n_blocks. Tensors: a [m, k], b [n, k] float16, c [m, n] float32.
#include "npusim/orchestration.h"

namespace {

using npusim::TaskArgs;

enum Kernel : int32_t { GEMM_BLOCK = 0 };
// What the kernel takes at once.
constexpr uint64_t TILE_M = 128, TILE_N = 256, STAGED_K = 256;

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {8}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const auto scalar = [&](int32_t index) { return npusim::scalar_as<uint64_t>(args, index); };
    const uint64_t m = scalar(0), n = scalar(1), k = scalar(2), m_blocks = scalar(3), n_blocks = scalar(4);
    if (m_blocks == 0 || n_blocks == 0 || m % (m_blocks * TILE_M) != 0 || n % (n_blocks * TILE_N) != 0 ||
        k % STAGED_K != 0) {
        npusim::fail("gemm: blocks are not whole tiles of 128 x 256, or k is no multiple of 256");
        return;
    }
    const auto rows = static_cast<uint32_t>(m / m_blocks), cols = static_cast<uint32_t>(n / n_blocks);
    // Neighbours share their part of B.
    for (uint32_t block_n = 0; block_n < n_blocks; ++block_n) {
        for (uint32_t block_m = 0; block_m < m_blocks; ++block_m) {
            const uint32_t extents[2] = {rows, cols}, offsets[2] = {block_m * rows, block_n * cols};
            TaskArgs block;
            block.input(args.tensor(0).slice(0, block_m * rows, (block_m + 1) * rows))
                .input(args.tensor(1).slice(0, block_n * cols, (block_n + 1) * cols))
                .output_to(args.tensor(2).view(extents, offsets));
            npusim::submit_aic(GEMM_BLOCK, block);
        }
    }
}
