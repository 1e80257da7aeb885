// A fault: writes through a null pointer.
#include "npusim/kernel.h"

void kernel_entry(int64_t *) {
    float *volatile nowhere = nullptr;  // volatile: a compiler that sees the null emits a trap instead of the write
    *nowhere = 1.0f;
}
