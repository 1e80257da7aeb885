// Element types of tensors. The values are the wire values of the task interface.
#pragma once

#include <cstdint>

enum class DataType : uint8_t {
    FLOAT32 = 0,
    FLOAT16 = 1,
    INT32 = 2,
    INT16 = 3,
    INT8 = 4,
    UINT8 = 5,
    BFLOAT16 = 6,
    INT64 = 7,
    UINT64 = 8,
    UINT16 = 9,
    UINT32 = 10,
    BOOL = 11,
    FP8E4M3FN = 12,  // a5 only
    FP8E8M0 = 13,    // a5 only: shared exponent of a block
    FP4E2M1 = 14,    // a5 only: two values in a byte, counted as one element
    DATA_TYPE_NUM = 15,
};
static_assert(sizeof(DataType) == 1);

// Bytes of one element; 0 for a value that is no data type.
constexpr uint64_t element_size(DataType type) {
    switch (type) {
    case DataType::INT64:
    case DataType::UINT64:
        return 8;
    case DataType::FLOAT32:
    case DataType::INT32:
    case DataType::UINT32:
        return 4;
    case DataType::FLOAT16:
    case DataType::INT16:
    case DataType::BFLOAT16:
    case DataType::UINT16:
        return 2;
    case DataType::INT8:
    case DataType::UINT8:
    case DataType::BOOL:
    case DataType::FP8E4M3FN:
    case DataType::FP8E8M0:
    case DataType::FP4E2M1:
        return 1;
    case DataType::DATA_TYPE_NUM:
        break;
    }
    return 0;
}
