// The AIC's part of a mixed task. Arguments: input, chunk, output. For each chunk of the input: chunk = input + input,
// then the AIV has its turn; float32, as many elements in all chunks as in the input.
#include "npusim/kernel.h"
#include "kernels/pipe.h"

void kernel_entry(int64_t *args) {
    const auto *input = npusim::data<const float>(args, 0);
    auto *chunk = npusim::data<float>(args, 1);
    const uint64_t count = npusim::tensor(args, 0).numel() / Pipe::CHUNKS;
    Pipe &pipe = Pipe::find(npusim::tensor(args, 1).address());
    for (uint64_t number = 0; number < Pipe::CHUNKS; ++number, input += count) {
        for (uint64_t index = 0; index < count; ++index) chunk[index] = input[index] + input[index];
        pipe.push();
    }
}
