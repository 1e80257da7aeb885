// The pipes between the parts of the dense layer, and what its vector cores do with a tile.
#pragma once

#include "kernels/workloads/common/gelu.h"
#include "npusim/tile_pipe.h"

namespace dense_layer {

constexpr uint32_t SLOTS = 2;
// Tiles of x, rectified, to the AIC; products back.
using Rectified = npusim::tile::V2cPipe<float, 0, SLOTS>;
using Products = npusim::tile::C2vPipe<float, 2, SLOTS>;
enum Tensor : int32_t { X = 0, WEIGHTS = 1, BIAS = 2, Y = 3, RECTIFIED = 4, PRODUCTS = 5 };

// An AIV's half of the tiles.
class VectorPart {
public:
    explicit VectorPart(npusim::tile::MixCore &core)
        : core_(core), x_(core.global<const float>(X)), y_(core.global<float>(Y)),
          slot_rows_(core.global<float>(RECTIFIED).rows / SLOTS), half_rows_(slot_rows_ / 2),
          rectified_(core, core.global<float>(RECTIFIED)), products_(core, core.global<float>(PRODUCTS)),
          in_(core.ub<float>(half_rows_, x_.cols)), out_(core.ub<float>(half_rows_, x_.cols)),
          result_(core.ub<float>(half_rows_, y_.cols)), bias_(core.ub<float>(half_rows_, y_.cols)) {
        using namespace npusim::tile;
        const auto bias = core.global<const float>(BIAS);
        const auto line = core.ub<float>(1, bias.cols);
        core.load(line, bias);
        core.sync(Pipe::MTE2, Pipe::V, IN);
        core.col_expand(bias_, line);
        core.barrier(Pipe::V);
        core.set_flag(Pipe::V, Pipe::MTE2, IN);
        core.set_flag(Pipe::MTE3, Pipe::V, OUT);
        // The tiles that pops hand out in turn.
        for (uint32_t tile = 0; tile < 2; ++tile) core.set_flag(Pipe::V, Pipe::MTE2, POPPED);
        core.set_flag(Pipe::MTE3, Pipe::V, RESULT);
    }
    // When all is done.
    void close() {
        using npusim::tile::Pipe;
        core_.wait_flag(Pipe::V, Pipe::MTE2, IN);
        core_.wait_flag(Pipe::MTE3, Pipe::V, OUT);
        for (uint32_t tile = 0; tile < 2; ++tile) core_.wait_flag(Pipe::V, Pipe::MTE2, POPPED);
        core_.wait_flag(Pipe::MTE3, Pipe::V, RESULT);
    }

    uint32_t tiles() const { return x_.rows / slot_rows_; }
    // relu(x), to the AIC.
    void push(uint32_t tile) {
        using npusim::tile::Pipe;
        core_.wait_flag(Pipe::V, Pipe::MTE2, IN);
        core_.load(in_, x_.block(first_row(tile), 0, half_rows_, x_.cols));
        core_.sync(Pipe::MTE2, Pipe::V, IN);
        core_.wait_flag(Pipe::MTE3, Pipe::V, OUT);
        core_.relu(out_, in_);
        core_.set_flag(Pipe::V, Pipe::MTE2, IN);
        core_.sync(Pipe::V, Pipe::MTE3, OUT);
        rectified_.push(out_);
        core_.set_flag(Pipe::MTE3, Pipe::V, OUT);
    }
    // gelu(product + bias), from the AIC.
    void pop(uint32_t tile) {
        using npusim::tile::Pipe;
        core_.wait_flag(Pipe::V, Pipe::MTE2, POPPED);
        const auto product = products_.pop();
        core_.sync(Pipe::MTE2, Pipe::V, POPPED);
        core_.add(product, product, bias_);
        core_.barrier(Pipe::V);
        core_.wait_flag(Pipe::MTE3, Pipe::V, RESULT);
        gelu(core_, result_, product);
        core_.set_flag(Pipe::V, Pipe::MTE2, POPPED);
        products_.free();
        core_.sync(Pipe::V, Pipe::MTE3, RESULT);
        core_.store(y_.block(first_row(tile), 0, half_rows_, y_.cols), result_);
        core_.set_flag(Pipe::MTE3, Pipe::V, RESULT);
    }

private:
    // Events, each between the pipe that fills something and the one that needs it.
    enum Event : uint16_t { IN = 0, OUT = 1, POPPED = 2, RESULT = 3 };

    uint32_t first_row(uint32_t tile) const {
        return tile * slot_rows_ + static_cast<uint32_t>(core_.sub_block_id()) * half_rows_;
    }

    npusim::tile::MixCore &core_;
    npusim::tile::Global<const float> x_;
    npusim::tile::Global<float> y_;
    uint32_t slot_rows_, half_rows_;
    Rectified::Producer rectified_;
    Products::Consumer products_;
    npusim::tile::UbTile<float> in_, out_, result_, bias_;
};

}  // namespace dense_layer
