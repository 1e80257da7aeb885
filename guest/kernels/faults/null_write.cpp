// A fault: writes through a null pointer.
#include "npusim/kernel.h"

void kernel_entry(int64_t *) {
    // Volatile twice: a compiler that sees the null emits a trap, and one that sees nothing behind it drops the write.
    volatile float *volatile nowhere = nullptr;
    *nowhere = 1.0f;
}
