// The id of a task: the ring that holds it and its number on that ring.
#pragma once

#include <cstdint>

struct PTO2TaskId {
    uint64_t raw;  // (ring << 32) | local; all ones: no task

    static constexpr PTO2TaskId make(uint32_t ring, uint32_t local) { return {(uint64_t{ring} << 32) | local}; }
    static constexpr PTO2TaskId invalid() { return {UINT64_MAX}; }

    constexpr uint32_t ring() const { return static_cast<uint32_t>(raw >> 32); }
    constexpr uint32_t local() const { return static_cast<uint32_t>(raw); }
    constexpr bool is_valid() const { return raw != UINT64_MAX; }
    constexpr bool operator==(PTO2TaskId other) const { return raw == other.raw; }
    constexpr bool operator!=(PTO2TaskId other) const { return raw != other.raw; }
};
static_assert(sizeof(PTO2TaskId) == 8);
