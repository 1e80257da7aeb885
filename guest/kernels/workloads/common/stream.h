// Elements of tensors piece by piece through the unified buffer, on an AIV: one piece after the other, or two at a time.
#pragma once

#include "npusim/tile.h"

namespace stream {

using namespace npusim::tile;

// Calls work(inputs, output) for each piece of `count` inputs, whose pieces it has loaded; then stores the output's. All
// tensors are dense and have as many elements.
template <typename T, uint32_t count, typename Work>
void in_pieces(Core &core, const Global<const T> (&from)[count], Global<T> to, uint32_t piece, uint32_t buffers,
               Work work) {
    struct Buffer {
        UbTile<T> inputs[count], output;
    };
    Buffer sets[2];
    for (uint16_t set = 0; set < buffers; ++set) {
        for (UbTile<T> &input : sets[set].inputs) input = core.ub<T>(1, piece);
        sets[set].output = core.ub<T>(1, piece);
        core.set_flag(Pipe::V, Pipe::MTE2, set);
        core.set_flag(Pipe::MTE3, Pipe::V, set);
    }
    const uint32_t elements = to.rows * to.cols;
    uint16_t now = 0;
    for (uint32_t begin = 0; begin < elements; begin += piece, now = static_cast<uint16_t>((now + 1) % buffers)) {
        const uint32_t size = std::min(piece, elements - begin);
        Buffer part = sets[now];
        core.wait_flag(Pipe::V, Pipe::MTE2, now);
        for (uint32_t index = 0; index < count; ++index) {
            part.inputs[index] = part.inputs[index].block(0, 0, 1, size);
            core.load(part.inputs[index], from[index].reshape(1, elements).block(0, begin, 1, size));
        }
        part.output = part.output.block(0, 0, 1, size);
        core.sync(Pipe::MTE2, Pipe::V, now);
        core.wait_flag(Pipe::MTE3, Pipe::V, now);
        work(part.inputs, part.output);
        core.set_flag(Pipe::V, Pipe::MTE2, now);
        core.sync(Pipe::V, Pipe::MTE3, now);
        core.store(to.reshape(1, elements).block(0, begin, 1, size), part.output);
        core.set_flag(Pipe::MTE3, Pipe::V, now);
    }
    for (uint16_t set = 0; set < buffers; ++set) {
        core.wait_flag(Pipe::V, Pipe::MTE2, set);
        core.wait_flag(Pipe::MTE3, Pipe::V, set);
    }
}

}  // namespace stream
