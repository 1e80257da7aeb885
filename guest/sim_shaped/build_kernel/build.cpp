// Arguments: input, output. Copies; what is not of this build spoils the result. float32.
#include "npusim/kernel.h"

#if defined(NPUSIM_ARCH_A5)
constexpr int BUILD = 5;
#else
constexpr int BUILD = 2;
#endif

// Both symbols are unique: of two builds in one namespace the second finds those of the first.
inline int build_of_code = BUILD;
inline thread_local int build_of_thread = BUILD;

void kernel_entry(int64_t *args) {
    const auto *input = npusim::data<const float>(args, 0);
    auto *output = npusim::data<float>(args, 1);
    const uint64_t count = npusim::tensor(args, 0).nbytes() / sizeof(float);
    const int others = (build_of_code - BUILD) + 10 * (build_of_thread - BUILD);
    for (uint64_t index = 0; index < count; ++index) output[index] = input[index] + static_cast<float>(others);
}
