// Batched matrix multiplication by tiles: C[b] += A[b] * B[b], float32. Start from a zeroed C for the product alone.
//
// Scalars: batch, m_tiles, n_tiles, k_tiles, edge (a tile has edge x edge elements).
// Tensors, each contiguous, tile after tile:
//     A [batch, m_tiles, k_tiles, edge, edge]
//     B [batch, k_tiles, n_tiles, edge, edge]
//     C [batch, m_tiles, n_tiles, edge, edge]
//
// Each step of K is two tasks: gemm_tile on an AIC core puts the product of two tiles into a new one, tile_add on an
// AIV core adds it to the tile of C. The additions to one tile of C follow each other in the order of K, since each
// updates what the one before wrote; so the sums are the same on every run. Everything else may overlap.
#include "npusim/orchestration.h"

namespace {

using npusim::Scope;
using npusim::TaskArgs;

enum Kernel : int32_t { GEMM_TILE = 0, TILE_ADD = 1 };

struct Problem {
    uint32_t batch, m_tiles, n_tiles, k_tiles, edge;
};

Problem problem_of(const ChipStorageTaskArgs &args) {
    const auto scalar = [&](int32_t index) { return npusim::scalar_as<uint32_t>(args, index); };
    return {scalar(0), scalar(1), scalar(2), scalar(3), scalar(4)};
}

// A tensor as a grid of tiles for each batch.
class Tiles {
public:
    Tiles(const ChipTensor &tensor, uint32_t batch, uint32_t rows, uint32_t columns, uint32_t edge)
        : extents_{batch, rows, columns, edge, edge} {
        uint64_t elements = 1;
        bool fits = true;
        for (uint32_t extent : extents_) fits = fits && !__builtin_mul_overflow(elements, extent, &elements);
        matches_ = fits && elements == tensor.numel() && tensor.is_contiguous && tensor.dtype == DataType::FLOAT32;
        if (matches_) grid_ = tensor.reshape(extents_, MAX_TENSOR_DIMS);
    }

    // The tensor has as many elements as the grid, contiguous and of the right type.
    bool matches() const { return matches_; }
    ChipTensor at(uint32_t batch, uint32_t row, uint32_t column) const {
        const uint32_t extents[MAX_TENSOR_DIMS] = {1, 1, 1, extents_[3], extents_[4]};
        const uint32_t offsets[MAX_TENSOR_DIMS] = {batch, row, column, 0, 0};
        return grid_.view(extents, offsets);
    }

private:
    uint32_t extents_[MAX_TENSOR_DIMS];
    bool matches_;
    ChipTensor grid_{};
};

void submit_step(const ChipTensor &a, const ChipTensor &b, const ChipTensor &c) {
    const Scope step;
    TaskArgs product;
    product.input(a).input(b).output_like(c);
    npusim::submit_aic(GEMM_TILE, product);
    TaskArgs sum;
    sum.inout(c).input(product.tensor(2));
    npusim::submit_aiv(TILE_ADD, sum);
}

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {8}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const Problem p = problem_of(args);
    const Tiles a(args.tensor(0), p.batch, p.m_tiles, p.k_tiles, p.edge);
    const Tiles b(args.tensor(1), p.batch, p.k_tiles, p.n_tiles, p.edge);
    const Tiles c(args.tensor(2), p.batch, p.m_tiles, p.n_tiles, p.edge);
    if (!a.matches() || !b.matches() || !c.matches()) {
        npusim::fail("bgemm: A, B and C do not have the elements that the scalars say");
        return;
    }
    // K is outermost within a batch: neighbouring tasks then belong to different tiles of C and can overlap.
    for (uint32_t batch = 0; batch < p.batch; ++batch) {
        for (uint32_t k = 0; k < p.k_tiles; ++k) {
            for (uint32_t m = 0; m < p.m_tiles; ++m) {
                for (uint32_t n = 0; n < p.n_tiles; ++n) {
                    if (npusim::failed()) return;
                    submit_step(a.at(batch, m, k), b.at(batch, k, n), c.at(batch, m, n));
                }
            }
        }
    }
}
