#include "aicpu/registers.h"

uint32_t reg_load_acquire(const volatile uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }

void reg_store_release(volatile uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
