// A fault: never returns and never calls anything, so that only a limit on host time can end it.
#include "npusim/kernel.h"

void kernel_entry(int64_t *) {
    for (;;) __asm__ volatile("");  // the statement keeps the loop: compilers may drop one without effects
}
