// Register offsets and values of the AICore register block. Sources: hw-native-sys/simpler platform_config.h at
// 6ebaf771 for both architectures.
#pragma once

#include <stdint.h>

#if defined(NPUSIM_ARCH_A5)
enum : uint32_t { REG_DATA_MAIN_BASE = 0xD0, REG_COND = 0x5108, REG_CTRL = 0x0 };
#else
enum : uint32_t { REG_DATA_MAIN_BASE = 0xA0, REG_COND = 0x4C8, REG_CTRL = 0x0, REG_FAST_PATH_ENABLE = 0x18 };
enum : uint32_t { FAST_PATH_OPEN = 0xE, FAST_PATH_CLOSE = 0xF };
#endif

// COND and DATA_MAIN_BASE hold a task token in bits 0..30; COND bit 31 says the task has finished.
enum : uint32_t {
    COND_FIN = 0x80000000u,
    TOKEN_MASK = 0x7FFFFFFFu,
    TOKEN_EXIT = 0x7FFFFFF0u,
    TOKEN_IDLE = 0x7FFFFFFFu,
};
