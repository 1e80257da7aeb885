// Arguments: input. Copies it into the core's memory; float32.
#include <cstring>

#include "npusim/kernel.h"
#include "kernels/core_memory.h"

void kernel_entry(int64_t *args) {
    std::memcpy(core_memory.data(), npusim::data<const float>(args, 0), npusim::tensor(args, 0).nbytes());
}
