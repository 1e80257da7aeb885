// The core that runs a kernel, as far as the operations of tile.h need it: the call, its memories, the order of its pipes,
// and the records of what it is told to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <vector>

#include "npusim/element.h"
#include "npusim/instruction.h"
#include "npusim/kernel.h"
#include "npusim/tile_types.h"

namespace npusim::tile {

class CoreBase {
public:
    explicit CoreBase(const int64_t *args) : args_(args), recorder_(npusim_recorder()) {}
    CoreBase(const CoreBase &) = delete;
    CoreBase &operator=(const CoreBase &) = delete;
    ~CoreBase() {
        for (void *block : blocks_) std::free(block);
    }

    // ---- the call
    bool computes() const { return !recorder_ || recorder_->arithmetic; }
    bool is_a5() const { return recorder_ && recorder_->generation == 1; }
    int32_t block_idx() const { return local_context().block_idx; }
    int32_t block_num() const { return local_context().block_num; }
    int32_t sub_block_id() const { return npusim::sub_block_id(args_); }
    // `index` counts from the first argument, tensors included.
    template <typename T>
    T scalar_argument(int32_t index) const {
        return npusim::scalar<T>(args_, index);
    }
    // A tensor argument as rows of its last dimension; the others must be dense among themselves.
    template <typename T>
    Global<T> global(int32_t index) const {
        const ChipTensor &tensor = npusim::tensor(args_, index);
        const uint32_t cols = tensor.ndims ? tensor.shapes[tensor.ndims - 1] : 1;
        uint32_t rows = 1;
        for (uint32_t dim = 0; dim + 1 < tensor.ndims; ++dim) rows *= tensor.shapes[dim];
        const uint64_t stride = tensor.ndims > 1 ? tensor.strides[tensor.ndims - 2] : cols;
        return {tensor.data<T>(), rows, cols, stride};
    }

    // ---- memory
    template <typename T>
    UbTile<T> ub(uint32_t rows, uint32_t cols) {
        return tile<T, Memory::UB>(rows, cols);
    }
    template <typename T>
    L1Tile<T> l1(uint32_t rows, uint32_t cols) {
        return tile<T, Memory::L1>(rows, cols);
    }
    template <typename T>
    L0aTile<T> l0a(uint32_t rows, uint32_t cols) {
        return tile<T, Memory::L0A>(rows, cols);
    }
    template <typename T>
    L0bTile<T> l0b(uint32_t rows, uint32_t cols) {
        return tile<T, Memory::L0B>(rows, cols);
    }
    template <typename T>
    L0cTile<T> l0c(uint32_t rows, uint32_t cols) {
        return tile<T, Memory::L0C>(rows, cols);
    }
    // Tiles of `memory` that are made from now on take the place of those before, which must not be used any more.
    void release(Memory memory) { used_[static_cast<size_t>(memory)] = 0; }

    // ---- order
    void set_flag(Pipe from, Pipe to, uint16_t event) { flag(NPUSIM_INSTRUCTION_SET_FLAG, from, to, event); }
    void wait_flag(Pipe from, Pipe to, uint16_t event) { flag(NPUSIM_INSTRUCTION_WAIT_FLAG, from, to, event); }
    // What was handed to `to` so far waits for nothing of `from`, what comes now for all of it.
    void sync(Pipe from, Pipe to, uint16_t event) {
        set_flag(from, to, event);
        wait_flag(from, to, event);
    }
    void barrier(Pipe pipe) { flag(NPUSIM_INSTRUCTION_BARRIER, pipe, pipe, 0); }
    void barrier_all() { barrier(Pipe::ALL); }
    // The scalar unit works for so many cycles.
    void scalar(uint32_t cycles) {
        NpusimInstruction instruction = blank(NPUSIM_INSTRUCTION_SCALAR, 0);
        instruction.rows = cycles;
        record(instruction);
    }

protected:
    // ---- records
    template <typename T>
    static uint8_t code() {
        return static_cast<uint8_t>(ElementTraits<std::remove_const_t<T>>::type);
    }
    static NpusimInstruction blank(NpusimInstructionKind kind, uint8_t code) {
        NpusimInstruction instruction{};
        instruction.kind = static_cast<uint8_t>(kind);
        instruction.code = code;
        return instruction;
    }
    void record(const NpusimInstruction &instruction) {
        if (!recorder_) return;
        if (recorder_->count == recorder_->room) npusim_recorder_grow();
        recorder_->instructions[recorder_->count++] = instruction;
    }
    void flag(NpusimInstructionKind kind, Pipe from, Pipe to, uint16_t event) {
        NpusimInstruction instruction = blank(kind, 0);
        instruction.from = static_cast<uint8_t>(from);
        instruction.to = static_cast<uint8_t>(to);
        instruction.event = event;
        record(instruction);
    }
    template <typename T>
    void transfer(NpusimPath path, Global<T> gm, Layout layout) {
        NpusimInstruction instruction = blank(NPUSIM_INSTRUCTION_TRANSFER, static_cast<uint8_t>(path));
        instruction.element = instruction.to_element = code<T>();
        instruction.rows = gm.rows;
        instruction.cols = static_cast<uint32_t>(gm.cols * sizeof(T));
        instruction.flags = layout == Layout::ND2NZ ? NPUSIM_FLAG_ND2NZ : 0;
        instruction.address = reinterpret_cast<uint64_t>(gm.address);
        instruction.stride = gm.stride * sizeof(T);
        record(instruction);
    }
    template <typename T, Memory A, Memory B>
    void record_local(NpusimPath path, Tile<T, A> to, Tile<T, B> from) {
        (void)to;
        NpusimInstruction instruction = blank(NPUSIM_INSTRUCTION_TRANSFER, static_cast<uint8_t>(path));
        instruction.element = instruction.to_element = code<T>();
        instruction.rows = from.rows;
        instruction.cols = static_cast<uint32_t>(from.cols * sizeof(T));
        record(instruction);
    }
    template <typename From, typename To, typename E>
    void vector(NpusimVectorOp operation, UbTile<E> shape) {
        vector_at<From, To>(blank(NPUSIM_INSTRUCTION_VECTOR, static_cast<uint8_t>(operation)), shape);
    }
    // One that reads two tiles, which can be in each other's way.
    template <typename T>
    void vector_of_two(NpusimVectorOp operation, UbTile<T> to, UbTile<T> a, UbTile<T> b) {
        NpusimInstruction instruction = blank(NPUSIM_INSTRUCTION_VECTOR, static_cast<uint8_t>(operation));
        instruction.flags = NPUSIM_FLAG_PLACES;
        instruction.address = a.place | uint64_t{b.place} << 32;
        instruction.stride = to.place;
        vector_at<T, T>(instruction, to);
    }
    template <typename From, typename To, typename E>
    void vector_at(NpusimInstruction instruction, UbTile<E> shape) {
        instruction.element = code<From>();
        instruction.to_element = code<To>();
        instruction.rows = shape.rows;
        instruction.cols = shape.cols;
        instruction.width = shape.width;
        record(instruction);
    }

    // ---- elements
    template <typename T, Memory M, typename F>
    void each(Tile<T, M> shape, F function) const {
        if (!computes()) return;
        for (uint32_t row = 0; row < shape.rows; ++row) {
            for (uint32_t col = 0; col < shape.cols; ++col) function(row, col);
        }
    }
    template <typename T>
    void copy_rows(T *to, uint64_t to_stride, const T *from, uint64_t from_stride, uint32_t rows, uint32_t cols) const {
        if (!computes()) return;
        for (uint32_t row = 0; row < rows; ++row) {
            std::memmove(to + row * to_stride, from + row * from_stride, cols * sizeof(T));
        }
    }

private:
    const int64_t *args_;
    NpusimRecorder *recorder_;
    std::vector<void *> blocks_;
    uint64_t used_[NPUSIM_MEMORY_COUNT] = {};

    const KernelLocalContext &local_context() const {
        return *reinterpret_cast<const KernelLocalContext *>(static_cast<uintptr_t>(args_[KERNEL_LOCAL_CONTEXT_INDEX]));
    }

    // ---- memory
    template <typename T, Memory M>
    Tile<T, M> tile(uint32_t rows, uint32_t cols) {
        // Blocks of 32 bytes are the unit of every memory.
        const uint64_t bytes = (uint64_t{rows} * cols * sizeof(T) + 31) / 32 * 32;
        uint64_t &used = used_[static_cast<size_t>(M)];
        const uint32_t place = static_cast<uint32_t>(used);
        used += bytes;
        if (recorder_ && recorder_->used[static_cast<size_t>(M)] < used) recorder_->used[static_cast<size_t>(M)] = used;
        if (!computes()) return {nullptr, rows, cols, cols, place};
        void *block = std::malloc(bytes ? bytes : 32);
        if (!block) std::abort();
        // Nobody may rely on what was there before.
        std::memset(block, 0xa5, bytes);
        blocks_.push_back(block);
        return {static_cast<T *>(block), rows, cols, cols, place};
    }
};

}  // namespace npusim::tile
