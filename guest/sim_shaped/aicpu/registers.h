// How the AICPU reaches the registers of cores: through functions, in an object file of their own, which whoever wants
// to see every access can take the place of.
#pragma once

#include <cstdint>

uint32_t reg_load_acquire(const volatile uint32_t *word);
void reg_store_release(volatile uint32_t *word, uint32_t value);
