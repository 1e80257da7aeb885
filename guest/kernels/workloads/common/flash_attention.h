// What the cube's and the vector's part of flash attention agree on.
//
// A block of 128 queries is worked on in steps, each a mixed task of one cluster: what the cube makes in one step the
// vector takes in the next, and the other way round. Keys come in chunks of `tiles` tiles, a tile in `parts` of 128.
//
//     step         s         s + 1       s + 2       s + 3
//     chunk s      scores    weights     products    result
//                  (cube)    (vector)    (cube)      (vector)
//
// So a step works on four chunks, and a block of n chunks takes n + 3 steps. Between steps everything is in GM:
//     scores    [2, tiles, parts, 128, 128] float32   chunk c in the buffer c % 2, one part of a tile after the other
//     weights   likewise, float16
//     products  [2, tiles, 128, 128] float32
//     factors   [4, tiles, 128] float32               by what the weights of earlier tiles shrink; chunk c in c % 4
//     state     [2, 128] float32                      largest score and sum of weights of each query so far
#pragma once

#include "npusim/tile.h"

namespace flash {

using namespace npusim::tile;

constexpr uint32_t QUERIES = 128, HEAD = 128;
constexpr uint32_t PART = 128;

struct Arguments {
    explicit Arguments(const Core &core)
        : queries(core.global<const half>(0)), keys(core.global<const half>(1)), values(core.global<const half>(2)),
          scores(core.global<float>(3)), weights(core.global<half>(4)), products(core.global<float>(5)),
          factors(core.global<float>(6)), state(core.global<float>(7)), result(core.global<float>(8)),
          step(core.scalar_argument<uint32_t>(9)), chunks(core.scalar_argument<uint32_t>(10)),
          tiles(core.scalar_argument<uint32_t>(11)), parts(core.scalar_argument<uint32_t>(12)) {}

    // Whether the stage that is `delay` steps behind has a chunk in this step, and which.
    bool has_chunk(uint32_t delay) const { return step >= delay && step - delay < chunks; }
    uint32_t chunk(uint32_t delay) const { return step - delay; }

    // The first key of a part of a tile of a chunk.
    uint32_t first_key(uint32_t chunk, uint32_t tile, uint32_t part) const {
        return ((chunk * tiles + tile) * parts + part) * PART;
    }
    // Rows [first, first + rows) of a part of a tile of a chunk.
    template <typename T>
    Global<T> part_of(Global<T> tensor, uint32_t chunk, uint32_t tile, uint32_t part, uint32_t first,
                      uint32_t rows) const {
        const uint32_t before = ((chunk % 2) * tiles + tile) * parts + part;
        return tensor.block(before * QUERIES + first, 0, rows, PART);
    }
    Global<float> product(uint32_t chunk, uint32_t tile, uint32_t first, uint32_t rows) const {
        return products.block(((chunk % 2) * tiles + tile) * QUERIES + first, 0, rows, HEAD);
    }
    // Of all tiles of a chunk, a row each.
    Global<float> factors_of(uint32_t chunk, uint32_t first, uint32_t rows) const {
        return factors.block((chunk % 4) * tiles, first, tiles, rows);
    }

    Global<const half> queries, keys, values;
    Global<float> scores;
    Global<half> weights;
    Global<float> products, factors, state, result;
    uint32_t step, chunks, tiles, parts;
};

enum Delay : uint32_t { SCORES = 0, WEIGHTS = 1, PRODUCTS = 2, RESULT = 3 };

}  // namespace flash
