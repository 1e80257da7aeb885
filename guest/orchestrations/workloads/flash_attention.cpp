// result = softmax(queries · keysᵀ / sqrt(head)) · values, block by block of 128 queries: a chain of mixed tasks for each
// block, as kernels/workloads/common/flash_attention.h says. As many chains run as there are clusters; the next block of a
// chain takes over its intermediate tensors.
//
// Scalars: queries, keys, tiles in a chunk, keys of a tile. Tensors: queries [queries, 128], keys and values [keys, 128]
// float16, result [queries, 128] float32.
#include <algorithm>

#include "npusim/orchestration.h"

namespace {

using npusim::Scope;
using npusim::TaskArgs;

enum Kernel : int32_t { CUBE = 0, VECTOR = 1 };
constexpr uint32_t QUERIES = 128, HEAD = 128, PART = 128;
constexpr uint32_t MAX_CLUSTERS = 64;
// Stages behind the first.
constexpr uint32_t DELAY = 3;

// What a chain keeps in GM between its steps.
struct Workspace {
    bool is_made;
    ChipTensor scores, weights, products, factors, state;
};

void add_new(TaskArgs &task, uint32_t tiles, uint32_t parts) {
    const uint32_t scores[2] = {2 * tiles * parts * QUERIES, PART};
    const uint32_t products[2] = {2 * tiles * QUERIES, HEAD};
    const uint32_t factors[2] = {4 * tiles, QUERIES}, state[2] = {2, QUERIES};
    task.output(scores, 2, DataType::FLOAT32)
        .output(scores, 2, DataType::FLOAT16)
        .output(products, 2, DataType::FLOAT32)
        .output(factors, 2, DataType::FLOAT32)
        .output(state, 2, DataType::FLOAT32);
}

// Steps of a chain follow each other by its state alone.
void add_known(TaskArgs &task, const Workspace &space) {
    task.untracked(space.scores)
        .untracked(space.weights)
        .untracked(space.products)
        .untracked(space.factors)
        .inout(space.state);
}

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {8}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const auto queries = npusim::scalar_as<uint64_t>(args, 0), keys = npusim::scalar_as<uint64_t>(args, 1);
    const auto tiles = npusim::scalar_as<uint64_t>(args, 2), tile_keys = npusim::scalar_as<uint64_t>(args, 3);
    if (tiles == 0 || queries % QUERIES != 0 || tile_keys == 0 || keys % (tiles * tile_keys) != 0) {
        npusim::fail("flash_attention: queries are not whole blocks of 128, or keys not whole chunks");
        return;
    }
    // Vector cores share a tile's rows between as many slices as it has parts.
    if (tile_keys % PART != 0 || QUERIES / 2 % (tile_keys / PART) != 0) {
        npusim::fail("flash_attention: keys of a tile are not 128 times a power of two up to 64");
        return;
    }
    const auto parts = static_cast<uint32_t>(tile_keys / PART);
    const auto blocks = static_cast<uint32_t>(queries / QUERIES);
    const auto chunks = static_cast<uint32_t>(keys / (tiles * tile_keys));
    const uint32_t chains = std::min({blocks, npusim::cluster_count(), MAX_CLUSTERS});
    Workspace spaces[MAX_CLUSTERS] = {};
    const auto submit = [&](uint32_t block, uint32_t step) {
        Workspace &space = spaces[block % chains];
        TaskArgs task;
        task.input(args.tensor(0).slice(0, block * QUERIES, (block + 1) * QUERIES))
            .input(args.tensor(1))
            .input(args.tensor(2));
        if (space.is_made) add_known(task, space);
        else add_new(task, static_cast<uint32_t>(tiles), parts);
        task.untracked(args.tensor(3).slice(0, block * QUERIES, (block + 1) * QUERIES))
            .scalar(step)
            .scalar(chunks)
            .scalar(static_cast<uint32_t>(tiles))
            .scalar(parts);
        npusim::submit_mix(CUBE, VECTOR, VECTOR, task);
        if (!space.is_made) space = {true, task.tensor(3), task.tensor(4), task.tensor(5), task.tensor(6), task.tensor(7)};
    };
    // The intermediate tensors belong to the outer scope.
    for (uint32_t chain = 0; chain < chains; ++chain) submit(chain, 0);
    for (uint32_t first = 0; first < blocks; first += chains) {
        const uint32_t end = std::min(blocks, first + chains);
        for (uint32_t step = first == 0 ? 1 : 0; step < chunks + DELAY; ++step) {
            const Scope scope;
            for (uint32_t block = first; block < end; ++block) {
                if (npusim::failed()) return;
                submit(block, step);
            }
        }
    }
}
