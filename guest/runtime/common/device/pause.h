// One turn of a polling loop: the hint to the core, then the hint to whoever runs it.
#pragma once

#include <sched.h>

namespace rt {

inline void pause_and_yield() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
    sched_yield();
}

}  // namespace rt
