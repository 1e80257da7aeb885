// What a kernel leaves that was built with the tile library of the reference and its instruction trace: for each tile
// instruction a record, in storage of the thread that runs the kernel, and beside it the memories of the core. Names and
// fields are those of the library, so that symbols and layouts are the same; the code is not.
//
//     void kernel_entry(int64_t *args) {
//         using namespace npusim::tile_trace;
//         const Tile a = ub_tile(0, 64, 64);
//         note("TLOAD", {a}, {matrix(npusim::data<float>(args, 0), 64, 64)});
//         ...
//
// Only float32 is spoken of. What a tile holds is up to the kernel: a Tile has an address in the core's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <string>
#include <vector>

#if defined(__GNUC__)
#define NPUSIM_EXPORTED __attribute__((visibility("default")))
#endif

namespace pto {

class NPUSIM_EXPORTED NPUMemoryModel {
public:
    enum Region { REGISTERS, UB, L1, L0A, L0B, L0C, SCALES_A, SCALES_B, REGIONS };

    NPUSIM_EXPORTED static NPUMemoryModel &Instance() {
        thread_local NPUMemoryModel instance;
        return instance;
    }
    char *at(Region region, size_t offset) {
        if (buffers_[region].empty()) buffers_[region].resize(SIZES[region]);
        return buffers_[region].data() + offset;
    }

private:
    static constexpr size_t SIZES[REGIONS] = {128, 192 << 10, 512 << 10, 64 << 10, 64 << 10, 128 << 10, 4096, 4096};

    // First, and in this order: whoever reads a trace looks here.
    std::vector<char> buffers_[REGIONS];
};

namespace cpu_sim {

struct NPUSIM_EXPORTED TileOperandTrace {
    uintptr_t address = 0;
    std::vector<int64_t> shape;
    std::string layout;
    std::string dtype;
};
struct NPUSIM_EXPORTED ScalarOperandTrace {
    std::string dtype;
    std::string value;
};
struct NPUSIM_EXPORTED InstructionTraceRecord {
    uint32_t block_idx = 0;
    uint64_t sequence_id = 0;
    std::string opcode;
    std::vector<TileOperandTrace> input_tiles;
    std::vector<ScalarOperandTrace> scalar_inputs;
    std::vector<TileOperandTrace> output_tiles;
};
struct NPUSIM_EXPORTED InstructionTraceState {
    uint64_t next_sequence_id = 0;
    std::vector<InstructionTraceRecord> records;
    std::mutex mutex;
};
static_assert(sizeof(TileOperandTrace) == 96 && sizeof(ScalarOperandTrace) == 64);
static_assert(sizeof(InstructionTraceRecord) == 120 && sizeof(InstructionTraceState) == 72);

NPUSIM_EXPORTED inline thread_local InstructionTraceState g_instruction_trace_state;

}  // namespace cpu_sim
}  // namespace pto

namespace npusim::tile_trace {

using Tile = pto::cpu_sim::TileOperandTrace;
using Region = pto::NPUMemoryModel::Region;

// A tile of float32 at an offset of a memory of the core.
inline Tile tile(Region region, size_t offset, int64_t rows, int64_t cols) {
    const auto address = reinterpret_cast<uintptr_t>(pto::NPUMemoryModel::Instance().at(region, offset));
    return {address, {rows, cols}, "ND", "float32"};
}
inline Tile ub_tile(size_t offset, int64_t rows, int64_t cols) { return tile(Region::UB, offset, rows, cols); }

// A dense matrix of float32 in GM.
inline Tile matrix(const float *first, int64_t rows, int64_t cols) {
    return {reinterpret_cast<uintptr_t>(first), {1, 1, 1, rows, cols}, "ND", "float32"};
}
inline float *elements(const Tile &tile) { return reinterpret_cast<float *>(tile.address); }

// One more instruction.
inline void note(const char *opcode, std::initializer_list<Tile> outputs, std::initializer_list<Tile> inputs) {
    auto &state = pto::cpu_sim::g_instruction_trace_state;
    const std::lock_guard<std::mutex> guard(state.mutex);
    pto::cpu_sim::InstructionTraceRecord record;
    record.sequence_id = state.next_sequence_id++;
    record.opcode = opcode;
    record.input_tiles = inputs;
    record.output_tiles = outputs;
    // Longer than a string has room for in itself.
    record.scalar_inputs.push_back({"int64", "-9223372036854775808"});
    state.records.push_back(std::move(record));
}

}  // namespace npusim::tile_trace
