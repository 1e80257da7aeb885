// One turn of a polling loop: the hint to the processor, then the hint to whoever schedules the thread.
#pragma once

#include <sched.h>

namespace sim_shaped {

inline void spin_hint() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
    sched_yield();
}

}  // namespace sim_shaped
