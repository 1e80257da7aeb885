// What a kernel told the device that it does: one record per instruction of a core's pipes, in program order. The Rust
// mirror is sim_aicore::pipes::record; change both together.
#pragma once

#include <stdint.h>

// The in-order queues of a core. S runs the program and hands instructions to the others.
typedef enum NpusimPipe {
    NPUSIM_PIPE_S = 0,
    NPUSIM_PIPE_V = 1,
    NPUSIM_PIPE_M = 2,
    NPUSIM_PIPE_MTE1 = 3,
    NPUSIM_PIPE_MTE2 = 4,
    NPUSIM_PIPE_MTE3 = 5,
    NPUSIM_PIPE_FIX = 6,
    NPUSIM_PIPE_ALL = 7,  // of a barrier only
} NpusimPipe;

typedef enum NpusimInstructionKind {
    NPUSIM_INSTRUCTION_TRANSFER = 0,   // code: path; rows, cols: bytes of a row; address, stride: in GM
    NPUSIM_INSTRUCTION_VECTOR = 1,     // code: operation; element, to_element; rows, cols, width: elements
    NPUSIM_INSTRUCTION_REPEATS = 2,    // code: operation; rows: repeats of 256 bytes
    NPUSIM_INSTRUCTION_MAD = 3,        // element: of the factors; rows: m, cols: n, width: k
    NPUSIM_INSTRUCTION_DRAIN = 4,      // code: path; element: in L0C, to_element: where it goes; rows: m, cols: n; address, stride
    NPUSIM_INSTRUCTION_SCALAR = 5,     // rows: cycles of the scalar unit
    NPUSIM_INSTRUCTION_SET_FLAG = 6,   // from, to, event
    NPUSIM_INSTRUCTION_WAIT_FLAG = 7,  // from, to, event
    NPUSIM_INSTRUCTION_BARRIER = 8,    // from: the pipe
    NPUSIM_INSTRUCTION_SET_CROSS = 9,  // from: the pipe, element: NpusimRole, event: a flag for that core of the cluster
    NPUSIM_INSTRUCTION_WAIT_CROSS = 10,  // to: the pipe, element: NpusimRole, event: a flag of that core; for messages
                                         // code: NpusimSlotState, cols: which pipe for tiles, rows: which tile
} NpusimInstructionKind;

typedef enum NpusimPath {
    NPUSIM_PATH_GM_TO_UB = 0,
    NPUSIM_PATH_GM_TO_L1 = 1,
    NPUSIM_PATH_UB_TO_GM = 2,
    NPUSIM_PATH_L1_TO_GM = 3,
    NPUSIM_PATH_L1_TO_L0A = 4,
    NPUSIM_PATH_L1_TO_L0B = 5,
    NPUSIM_PATH_L1_TO_UB = 6,
    NPUSIM_PATH_UB_TO_L1 = 7,
    NPUSIM_PATH_UB_TO_UB = 8,
    NPUSIM_PATH_L0C_TO_GM = 9,
    NPUSIM_PATH_L0C_TO_UB = 10,
    NPUSIM_PATH_L0C_TO_L1 = 11,
    NPUSIM_PATH_L1_TO_L0_SCALES = 12,  // scales of a factor, to the memory beside L0A or L0B
    NPUSIM_PATH_L0C_TO_UBS = 13,  // half to each AIV at the same time; rows, cols: of a half
} NpusimPath;

// The cores of a cluster.
typedef enum NpusimRole {
    NPUSIM_ROLE_AIC = 0,
    NPUSIM_ROLE_AIV0 = 1,
    NPUSIM_ROLE_AIV1 = 2,
} NpusimRole;

// What a flag between cores says of a slot.
typedef enum NpusimSlotState {
    NPUSIM_SLOT_FILLED = 0,
    NPUSIM_SLOT_FREE = 1,
    NPUSIM_SLOT_EMPTY = 2,  // free, and nobody will fill it again
} NpusimSlotState;

typedef enum NpusimVectorOp {
    // two tiles
    NPUSIM_VECTOR_ADD = 0,
    NPUSIM_VECTOR_SUB = 1,
    NPUSIM_VECTOR_MUL = 2,
    NPUSIM_VECTOR_DIV = 3,
    NPUSIM_VECTOR_MAX = 4,
    NPUSIM_VECTOR_MIN = 5,
    NPUSIM_VECTOR_AND = 6,
    NPUSIM_VECTOR_OR = 7,
    // a tile and a scalar
    NPUSIM_VECTOR_ADDS = 8,
    NPUSIM_VECTOR_MULS = 9,
    NPUSIM_VECTOR_MAXS = 10,
    NPUSIM_VECTOR_MINS = 11,
    NPUSIM_VECTOR_DIVS = 12,
    NPUSIM_VECTOR_SHL = 13,
    NPUSIM_VECTOR_SHR = 14,
    // one tile
    NPUSIM_VECTOR_NEG = 15,
    NPUSIM_VECTOR_ABS = 16,
    NPUSIM_VECTOR_EXP = 17,
    NPUSIM_VECTOR_LN = 18,
    NPUSIM_VECTOR_SQRT = 19,
    NPUSIM_VECTOR_RSQRT = 20,
    NPUSIM_VECTOR_RECIP = 21,
    NPUSIM_VECTOR_RELU = 22,
    NPUSIM_VECTOR_LRELU = 23,
    NPUSIM_VECTOR_NOT = 24,
    NPUSIM_VECTOR_COPY = 25,
    NPUSIM_VECTOR_FILL = 26,
    // more
    NPUSIM_VECTOR_AXPY = 27,
    NPUSIM_VECTOR_SELECT = 28,
    NPUSIM_VECTOR_COMPARE = 29,
    NPUSIM_VECTOR_COMPARES = 30,
    NPUSIM_VECTOR_CONVERT = 31,
    // along rows, along columns; the shape is that of the larger tile
    NPUSIM_VECTOR_ROW_SUM = 32,
    NPUSIM_VECTOR_ROW_MAX = 33,
    NPUSIM_VECTOR_ROW_MIN = 34,
    NPUSIM_VECTOR_COL_SUM = 35,
    NPUSIM_VECTOR_COL_MAX = 36,
    NPUSIM_VECTOR_COL_MIN = 37,
    NPUSIM_VECTOR_ROW_EXPAND = 38,
    NPUSIM_VECTOR_COL_EXPAND = 39,
    NPUSIM_VECTOR_ROW_EXPAND_ADD = 40,
    NPUSIM_VECTOR_ROW_EXPAND_SUB = 41,
    NPUSIM_VECTOR_ROW_EXPAND_MUL = 42,
    NPUSIM_VECTOR_ROW_EXPAND_DIV = 43,
    // order
    NPUSIM_VECTOR_SORT32 = 44,
    NPUSIM_VECTOR_MERGE = 45,
    NPUSIM_VECTOR_GATHER = 46,       // elements by index
    NPUSIM_VECTOR_GATHER_MASK = 47,  // every n-th element
    NPUSIM_VECTOR_TRANSPOSE = 48,
} NpusimVectorOp;

enum {
    NPUSIM_FLAG_ND2NZ = 1,   // of a transfer: the cube's fractal layout is made on the way
    NPUSIM_FLAG_PLACES = 2,  // of a vector operation on two tiles: address and stride say where in UB they are
};

typedef struct NpusimInstruction {
    uint8_t kind;        // NpusimInstructionKind, which says what the rest means
    uint8_t code;        // NpusimPath or NpusimVectorOp
    uint8_t element;     // DataType
    uint8_t to_element;  // DataType
    uint8_t from;        // NpusimPipe
    uint8_t to;          // NpusimPipe
    uint16_t event;
    uint32_t rows;
    uint32_t cols;
    uint32_t width;  // elements from one row of the tile to the next; equal to cols if the rows touch
    uint32_t flags;
    uint64_t address;  // in GM; of a vector operation the places of its operands in UB, 32 bits each, the first one low
    uint64_t stride;   // bytes from one row in GM to the next; of a vector operation the place of its result
} NpusimInstruction;

// The memories of a core.
typedef enum NpusimMemory {
    NPUSIM_MEMORY_UB = 0,
    NPUSIM_MEMORY_L1 = 1,
    NPUSIM_MEMORY_L0A = 2,
    NPUSIM_MEMORY_L0B = 3,
    NPUSIM_MEMORY_L0C = 4,
    NPUSIM_MEMORY_COUNT = 5,
} NpusimMemory;

// Where a kernel's instructions go. The device has one for each core and looks at it when the kernel has returned.
typedef struct NpusimRecorder {
    uint32_t arithmetic;  // 0: only say what would be done
    uint32_t generation;  // 0: a2a3, 1: a5
    uint64_t used[NPUSIM_MEMORY_COUNT];  // the most bytes that the kernel had of each memory
    NpusimInstruction *instructions;     // the device's; only npusim_recorder_grow moves it
    uint64_t count;
    uint64_t room;
} NpusimRecorder;

#ifdef __cplusplus
extern "C" {
#endif
// The recorder of the core that calls; null where nobody records: then the kernel only computes.
NpusimRecorder *npusim_recorder(void);
// Makes room for more instructions.
void npusim_recorder_grow(void);
// A flag between 0 and 15 for another core of the cluster (NpusimRole), which counts; and waiting for one of its flags,
// which takes it down. They act on the task that runs, in order of the calls.
void npusim_cross_set(uint32_t peer, uint32_t flag);
void npusim_cross_wait(uint32_t peer, uint32_t flag);
#ifdef __cplusplus
}
#endif
