// The device clock, for what has to give up after some time.
#pragma once

#include <chrono>

namespace rt {

using DeviceTime = std::chrono::steady_clock::time_point;
inline DeviceTime device_now() { return std::chrono::steady_clock::now(); }

constexpr std::chrono::seconds NO_PROGRESS_LIMIT{10};
constexpr std::chrono::seconds EXIT_LIMIT{1};
// Idle turns between two looks at the clock, a power of two.
constexpr uint32_t TURNS_PER_CLOCK_LOOK = 1024;

}  // namespace rt
