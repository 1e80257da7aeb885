// Arguments: left, right, sum. sum = left + right, element by element; float32, one shape. Leaves a trace in which
// something is wrong: TRACE_FLAW says what.
#include <algorithm>
#include <cstdlib>

#include "npusim/kernel.h"
#include "npusim/tile_trace.h"

namespace {

using npusim::tile_trace::Tile;

enum Flaw {
    NO_INSTRUCTION,   // opcodes that nobody knows
    NOWHERE,          // a tile outside of the core's memories
    NO_SHAPE,         // a negative number of rows
    NO_RECORDS,       // a list of records that is not there
    BACKWARDS,        // one that ends before it begins
    ENDLESS,          // one that is larger than memory
    NO_NAME,          // an opcode that is not there
    ENDLESS_NAME,     // one that is larger than memory
    NO_OPERANDS,      // operands that are not there
    SHARED_OPERANDS,  // of two instructions, in one place
};

constexpr uint64_t NOT_THERE = 0xdead'0000;

uint64_t *words(void *object) { return static_cast<uint64_t *>(object); }

void set_vector(void *vector, uint64_t begin, uint64_t end, uint64_t limit) {
    words(vector)[0] = begin;
    words(vector)[1] = end;
    words(vector)[2] = limit;
}

void leave(Flaw flaw) {
    using namespace npusim::tile_trace;
    auto &state = pto::cpu_sim::g_instruction_trace_state;
    Tile tile = ub_tile(0, 16, 64);
    if (flaw == NO_INSTRUCTION) {
        for (const char *opcode : {"TQUANT", "TADD", "TQUANT", "THISTOGRAM"}) note(opcode, {tile}, {tile, tile});
        return;
    }
    if (flaw == NOWHERE) tile.address = 0x40;
    if (flaw == NO_SHAPE) tile.shape[0] = -1;
    note("TADD", {tile}, {tile, tile});
    note("TADD", {tile}, {tile, tile});
    auto &first = state.records[0];
    switch (flaw) {
    case NO_RECORDS: set_vector(&state.records, NOT_THERE, NOT_THERE + 240, NOT_THERE + 240); break;
    case BACKWARDS: set_vector(&state.records, NOT_THERE, 0x10, NOT_THERE); break;
    case ENDLESS: set_vector(&state.records, NOT_THERE, NOT_THERE + (120ull << 40), NOT_THERE + (120ull << 40)); break;
    case NO_NAME: words(&first.opcode)[0] = NOT_THERE; break;
    case ENDLESS_NAME: words(&first.opcode)[0] = NOT_THERE; words(&first.opcode)[1] = 1ull << 40; break;
    case NO_OPERANDS: set_vector(&first.input_tiles, NOT_THERE, NOT_THERE + 96, NOT_THERE + 96); break;
    case SHARED_OPERANDS: std::copy_n(words(&first.input_tiles), 3, words(&state.records[1].input_tiles)); break;
    default: break;
    }
}

}  // namespace

void kernel_entry(int64_t *args) {
    const auto *left = npusim::data<const float>(args, 0);
    const auto *right = npusim::data<const float>(args, 1);
    auto *sum = npusim::data<float>(args, 2);
    const uint64_t count = npusim::tensor(args, 2).numel();
    for (uint64_t index = 0; index < count; ++index) sum[index] = left[index] + right[index];
    const char *flaw = std::getenv("TRACE_FLAW");
    leave(flaw ? static_cast<Flaw>(std::atoi(flaw)) : NO_INSTRUCTION);
}
