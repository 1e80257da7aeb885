// The AIV's part of a mixed task. Arguments: input, chunk, output. Takes each chunk that the AIC makes:
// output = chunk + 1; float32, as many elements in all chunks as in the output.
#include "npusim/kernel.h"
#include "kernels/pipe.h"

void kernel_entry(int64_t *args) {
    const auto *chunk = npusim::data<const float>(args, 1);
    auto *output = npusim::data<float>(args, 2);
    const uint64_t count = npusim::tensor(args, 2).numel() / Pipe::CHUNKS;
    Pipe &pipe = Pipe::find(npusim::tensor(args, 1).address());
    for (uint64_t number = 0; number < Pipe::CHUNKS; ++number, output += count) {
        pipe.await();
        for (uint64_t index = 0; index < count; ++index) output[index] = chunk[index] + 1.0f;
        pipe.pop();
    }
}
