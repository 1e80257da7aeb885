// An activation, by operations on whole tiles.
#pragma once

#include "npusim/tile.h"

// to = x / (1 + exp(-1.595769 (x + 0.044715 x³))); `to` is another tile than `x`, and holds what is between.
inline void gelu(npusim::tile::Core &core, npusim::tile::UbTile<float> to, npusim::tile::UbTile<float> x) {
    using npusim::tile::Pipe;
    core.mul(to, x, x);
    core.barrier(Pipe::V);
    core.mul(to, to, x);
    core.barrier(Pipe::V);
    core.muls(to, to, 0.044715f);
    core.barrier(Pipe::V);
    core.add(to, x, to);
    core.barrier(Pipe::V);
    core.muls(to, to, -1.595769f);
    core.barrier(Pipe::V);
    core.exp(to, to);
    core.barrier(Pipe::V);
    core.adds(to, to, 1.0f);
    core.barrier(Pipe::V);
    core.div(to, x, to);
}
