// Submission of many tasks that do not need each other's outputs to live on.
#pragma once

#include <algorithm>
#include <cstdint>

#include "npusim/orchestration.h"

namespace npusim {

// What the smallest ring holds: a scope of so many tasks drains on every ring.
constexpr uint64_t TASKS_PER_SCOPE = 4;

// Calls `submit` with 0 .. count - 1, each time for one task, and ends the scope after every few so that their slots
// come back. Stops after a failure.
template <typename Submit>
void submit_in_scopes(uint64_t count, Submit submit) {
    for (uint64_t first = 0; first < count && !failed(); first += TASKS_PER_SCOPE) {
        const Scope scope;
        const uint64_t end = std::min(count, first + TASKS_PER_SCOPE);
        for (uint64_t index = first; index < end; ++index) submit(index);
    }
}

}  // namespace npusim
