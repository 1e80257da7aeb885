// Argument: counter. Says that it adds one to each element, but waits for a load that sets no flag.
#include "npusim/tile.h"

void kernel_entry(int64_t *args) {
    using namespace npusim::tile;
    Core core(args);
    const auto counter = core.global<float>(0);
    const auto tile = core.ub<float>(counter.rows, counter.cols);
    core.load(tile, counter);
    core.wait_flag(Pipe::MTE2, Pipe::V, 3);
    core.adds(tile, tile, 1.0f);
    core.store(counter, tile);
}
