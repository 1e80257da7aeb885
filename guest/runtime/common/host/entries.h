// Entry points of the loaded objects.
#pragma once

#include <cstdint>

namespace rt {

struct Entries {
    uint64_t aicpu_execute = 0;
    uint64_t aicore_execute = 0;
    uint64_t aicpu_register = 0;  // 0 in a runtime whose host calls orchestrations
};

}  // namespace rt
