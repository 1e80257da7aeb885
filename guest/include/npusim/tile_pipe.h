// Pipes for tiles between the cores of a cluster: TPUSH and TPOP. The parts of one mixed task hand tiles to each other
// through a ring of slots, the AIC on one side and both AIVs, with half a tile each, on the other.
//
//     using Products = C2vPipe<float, 0, 2>;         // flags 0 and 1, two slots
//
//     MixCore core(args);                            // on the AIC
//     Products::Producer products(core, core.global<float>(3));
//     for (...) {
//         ...                                        // fill `sum`
//         core.sync(Pipe::M, Pipe::FIX, 0);
//         products.push(sum);                        // FIX
//     }
//
//     MixCore core(args);                            // on each AIV
//     Products::Consumer products(core, core.global<float>(3));
//     for (...) {
//         core.wait_flag(Pipe::V, Pipe::MTE2, 0);    // what it works on is of the core's own two tiles
//         const UbTile<float> half = products.pop();
//         core.sync(Pipe::MTE2, Pipe::V, 0);
//         ...
//         core.set_flag(Pipe::V, Pipe::MTE2, 0);
//         products.free();
//     }
//
// As on the device:
// - a2a3 has its slots in GM, in the tensor that is handed to both sides: a push stores into a slot (FIX, MTE3), a pop
//   loads from it (MTE2) into one of two tiles of the core and gives the slot back at once. Who waits for a flag of
//   another core waits with its scalar unit.
// - a5 has them in the memory of the core that pops: a push goes there (L0C to both UBs at the same time, UB to L1), a
//   pop moves nothing, and free() gives the slot back. The pipe waits that needs the slot, no other one. The tensor
//   holds the elements here too, but nothing of that takes time.
// - A slot is waited for, and given back, once for half a ring. The pipe's end waits for what was not waited for, so that
//   no flag is left up.
//
// Rules:
// - Both sides are made with the same pipe and the same tensor, of SLOTS tiles below each other. All pushes and pops are
//   of whole tiles of it, as many on each side. FLAG and FLAG + 1 are the pipe's; no other pipe of the task has them.
// - Pops and pushes wait in the order of the program. Parts that wait for each other in vain are an error that says who
//   waits for which slot.
// - a2a3: pop() may hand out the tile of the last pop but one again, so the flags in the example are needed. On a5 they
//   are not, and do no harm.
#pragma once

#include "npusim/tile.h"

namespace npusim::tile {

// How the AIVs share a tile.
enum class Split : uint8_t {
    ROWS,  // AIV0 has the upper half, AIV1 the lower one (TILE_UP_DOWN)
    COLS,  // AIV0 has the left half, AIV1 the right one (TILE_LEFT_RIGHT)
};

// A core that hands tiles to others of its cluster.
class MixCore : public Core {
public:
    using Core::Core;

    // Raises a flag for another core when all that `pipe` was given so far is done.
    void set_cross_flag(NpusimRole peer, Pipe pipe, uint16_t flag) {
        NpusimInstruction instruction = cross(NPUSIM_INSTRUCTION_SET_CROSS, peer, flag);
        instruction.from = static_cast<uint8_t>(pipe);
        record(instruction);
        if (computes()) npusim_cross_set(peer, flag);
    }
    // Waits for one: for `tile` of `pipe_of_tiles`, whose slot is to be in that state.
    void wait_cross_flag(NpusimRole peer, Pipe pipe, uint16_t flag, uint16_t pipe_of_tiles, uint32_t tile,
                         NpusimSlotState state) {
        NpusimInstruction instruction = cross(NPUSIM_INSTRUCTION_WAIT_CROSS, peer, flag);
        instruction.to = static_cast<uint8_t>(pipe);
        instruction.code = static_cast<uint8_t>(state);
        instruction.cols = pipe_of_tiles;
        instruction.rows = tile;
        record(instruction);
        if (computes()) npusim_cross_wait(peer, flag);
    }
    // What `pipe` waits for, the scalar unit waits for on a2a3.
    Pipe waiting(Pipe pipe) const { return is_a5() ? pipe : Pipe::S; }

    // The elements alone: where they lie takes no time of its own.
    template <typename T>
    void copy_elements(T *to, uint64_t to_stride, const T *from, uint64_t from_stride, uint32_t rows, uint32_t cols) {
        copy_rows(to, to_stride, from, from_stride, rows, cols);
    }
    template <typename T>
    void note_move(NpusimPath path, UbTile<T> tile) {
        record_local(path, tile, tile);
    }
    // A product leaves L0C for both UBs at the same time, `half` for each; its elements are in `to` then.
    template <typename T, typename S>
    void drain_halves(Global<T> to, Global<T> half, L0cTile<S> from) {
        NpusimInstruction instruction = blank(NPUSIM_INSTRUCTION_DRAIN, NPUSIM_PATH_L0C_TO_UBS);
        instruction.element = code<S>();
        instruction.to_element = code<T>();
        instruction.rows = half.rows;
        instruction.cols = half.cols;
        instruction.stride = half.cols * sizeof(T);
        record(instruction);
        each(from, [&](uint32_t row, uint32_t col) {
            to.address[row * to.stride + col] = converted<T>(from.at(row, col));
        });
    }

private:
    static NpusimInstruction cross(NpusimInstructionKind kind, NpusimRole peer, uint16_t flag) {
        NpusimInstruction instruction = blank(kind, 0);
        instruction.element = static_cast<uint8_t>(peer);
        instruction.event = flag;
        return instruction;
    }
};

// The slots of a pipe.
template <typename T, uint16_t FLAG, uint32_t SLOTS, Split SPLIT>
class TileRing {
    static_assert(FLAG < 15, "a pipe has flags FLAG and FLAG + 1, both below 16");
    static_assert(SLOTS >= 1 && SLOTS <= 14, "flags count to 15");
    static_assert(SLOTS <= 3 || SLOTS % 2 == 0, "slots are given back by half rings");

public:
    static constexpr uint16_t FILLED = FLAG, FREE = FLAG + 1;

    TileRing(MixCore &core, Global<T> slots) : core_(core), slots_(slots) {}

protected:
    static constexpr uint32_t PERIOD = SLOTS <= 2 ? SLOTS : SLOTS / 2;

    static bool waits_before(uint32_t tile) { return tile >= SLOTS && tile % PERIOD == 0; }
    static bool frees_after(uint32_t tile) { return (tile + 1) % PERIOD == 0; }

    Global<T> slot(uint32_t tile) const {
        const uint32_t rows = slots_.rows / SLOTS;
        return slots_.block(tile % SLOTS * rows, 0, rows, slots_.cols);
    }
    // An AIV's part of a slot.
    static Global<T> half(Global<T> slot, int32_t sub_block) {
        const auto second = static_cast<uint32_t>(sub_block);
        if (SPLIT == Split::ROWS) return slot.block(second * (slot.rows / 2), 0, slot.rows / 2, slot.cols);
        return slot.block(0, second * (slot.cols / 2), slot.rows, slot.cols / 2);
    }

    MixCore &core_;
    Global<T> slots_;
    uint32_t tiles_ = 0;
};

// What a side that pushes does, whichever it is. `PEERS` are the cores that pop.
template <typename T, uint16_t FLAG, uint32_t SLOTS, Split SPLIT, Pipe PIPE, NpusimRole... PEERS>
class TileProducer : public TileRing<T, FLAG, SLOTS, SPLIT> {
    using Ring = TileRing<T, FLAG, SLOTS, SPLIT>;

public:
    using Ring::Ring;
    TileProducer(const TileProducer &) = delete;
    TileProducer &operator=(const TileProducer &) = delete;
    ~TileProducer() {
        for (uint32_t freed = this->tiles_ / Ring::PERIOD; waited_ < freed; ++waited_) wait(NPUSIM_SLOT_EMPTY);
    }

protected:
    void begin() {
        if (!Ring::waits_before(this->tiles_)) return;
        wait(NPUSIM_SLOT_FREE);
        ++waited_;
    }
    void end() {
        (this->core_.set_cross_flag(PEERS, PIPE, Ring::FILLED), ...);
        ++this->tiles_;
    }

private:
    uint32_t waited_ = 0;

    void wait(NpusimSlotState state) {
        MixCore &core = this->core_;
        (core.wait_cross_flag(PEERS, core.waiting(PIPE), Ring::FREE, FLAG, this->tiles_, state), ...);
    }
};

// What a side that pops does. On a2a3 it loads with MTE2; on a5 `PIPE` works with the slot itself.
template <typename T, uint16_t FLAG, uint32_t SLOTS, Split SPLIT, Pipe PIPE, NpusimRole... PEERS>
class TileConsumer : public TileRing<T, FLAG, SLOTS, SPLIT> {
    using Ring = TileRing<T, FLAG, SLOTS, SPLIT>;

public:
    using Ring::Ring;
    // What was popped last is not needed any more.
    void free() {
        if (this->core_.is_a5()) give_back(PIPE);
    }

protected:
    // The core's own tiles: on a5 they are the slots.
    uint32_t own_tiles() const { return this->core_.is_a5() ? SLOTS : 2; }
    uint32_t begin() {
        MixCore &core = this->core_;
        const uint32_t tile = this->tiles_++;
        (core.wait_cross_flag(PEERS, core.waiting(PIPE), Ring::FILLED, FLAG, tile, NPUSIM_SLOT_FILLED), ...);
        return tile;
    }
    void end() {
        if (!this->core_.is_a5()) give_back(Pipe::MTE2);
    }

private:
    void give_back(Pipe pipe) {
        if (!Ring::frees_after(this->tiles_ - 1)) return;
        (this->core_.set_cross_flag(PEERS, pipe, Ring::FREE), ...);
    }
};

// From the AIC to the AIVs.
template <typename T, uint16_t FLAG, uint32_t SLOTS, Split SPLIT = Split::ROWS>
struct C2vPipe {
    class Producer : public TileProducer<T, FLAG, SLOTS, SPLIT, Pipe::FIX, NPUSIM_ROLE_AIV0, NPUSIM_ROLE_AIV1> {
        using Side = TileProducer<T, FLAG, SLOTS, SPLIT, Pipe::FIX, NPUSIM_ROLE_AIV0, NPUSIM_ROLE_AIV1>;

    public:
        using Side::Side;
        template <typename S>
        void push(L0cTile<S> from) {  // FIX, converts on the way
            Side::begin();
            const Global<T> slot = Side::slot(this->tiles_);
            if (this->core_.is_a5()) {
                this->core_.drain_halves(slot, Side::half(slot, 0), from);
            } else {
                this->core_.store(slot, from);
            }
            Side::end();
        }
    };
    class Consumer : public TileConsumer<T, FLAG, SLOTS, SPLIT, Pipe::V, NPUSIM_ROLE_AIC> {
        using Side = TileConsumer<T, FLAG, SLOTS, SPLIT, Pipe::V, NPUSIM_ROLE_AIC>;

    public:
        Consumer(MixCore &core, Global<T> slots) : Side(core, slots) {
            const Global<T> half = Side::half(Side::slot(0), 0);
            for (uint32_t tile = 0; tile < Side::own_tiles(); ++tile) own_.push_back(core.ub<T>(half.rows, half.cols));
        }
        UbTile<T> pop() {  // a2a3: MTE2
            const uint32_t tile = Side::begin();
            const Global<T> half = Side::half(Side::slot(tile), this->core_.sub_block_id());
            const UbTile<T> own = own_[tile % own_.size()];
            if (this->core_.is_a5()) {
                this->core_.copy_elements(own.elements, own.width, half.address, half.stride, half.rows, half.cols);
            } else {
                this->core_.load(own, half);
            }
            Side::end();
            return own;
        }

    private:
        std::vector<UbTile<T>> own_;
    };
};

// From the AIVs to the AIC.
template <typename T, uint16_t FLAG, uint32_t SLOTS, Split SPLIT = Split::ROWS>
struct V2cPipe {
    class Producer : public TileProducer<T, FLAG, SLOTS, SPLIT, Pipe::MTE3, NPUSIM_ROLE_AIC> {
        using Side = TileProducer<T, FLAG, SLOTS, SPLIT, Pipe::MTE3, NPUSIM_ROLE_AIC>;

    public:
        using Side::Side;
        void push(UbTile<T> from) {  // MTE3
            Side::begin();
            const Global<T> half = Side::half(Side::slot(this->tiles_), this->core_.sub_block_id());
            if (this->core_.is_a5()) {
                this->core_.note_move(NPUSIM_PATH_UB_TO_L1, from);
                this->core_.copy_elements(half.address, half.stride, from.elements, from.width, half.rows, half.cols);
            } else {
                this->core_.store(half, from);
            }
            Side::end();
        }
    };
    class Consumer : public TileConsumer<T, FLAG, SLOTS, SPLIT, Pipe::MTE1, NPUSIM_ROLE_AIV0, NPUSIM_ROLE_AIV1> {
        using Side = TileConsumer<T, FLAG, SLOTS, SPLIT, Pipe::MTE1, NPUSIM_ROLE_AIV0, NPUSIM_ROLE_AIV1>;

    public:
        Consumer(MixCore &core, Global<T> slots) : Side(core, slots) {
            const Global<T> slot = Side::slot(0);
            for (uint32_t tile = 0; tile < Side::own_tiles(); ++tile) own_.push_back(core.l1<T>(slot.rows, slot.cols));
        }
        L1Tile<T> pop() {  // a2a3: MTE2
            const uint32_t tile = Side::begin();
            const Global<T> slot = Side::slot(tile);
            const L1Tile<T> own = own_[tile % own_.size()];
            if (this->core_.is_a5()) {
                this->core_.copy_elements(own.elements, own.width, slot.address, slot.stride, slot.rows, slot.cols);
            } else {
                this->core_.load(own, slot, Layout::ND2NZ);
            }
            Side::end();
            return own;
        }

    private:
        std::vector<L1Tile<T>> own_;
    };
};

}  // namespace npusim::tile
