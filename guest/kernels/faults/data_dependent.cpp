// Argument: counter. Adds one to each element, in as many steps as the first element says: what it does depends on what
// is in its tensor, which the model of its time cannot follow.
#include "npusim/tile.h"

void kernel_entry(int64_t *args) {
    using namespace npusim::tile;
    Core core(args);
    const auto counter = core.global<float>(0);
    const auto tile = core.ub<float>(counter.rows, counter.cols);
    const int steps = static_cast<int>(counter.address[0]);
    core.load(tile, counter);
    core.sync(Pipe::MTE2, Pipe::V, 0);
    core.adds(tile, tile, 1.0f);
    for (int step = 0; step < steps; ++step) {
        core.barrier(Pipe::V);
        core.adds(tile, tile, 0.0f);
    }
    core.sync(Pipe::V, Pipe::MTE3, 0);
    core.store(counter, tile);
}
