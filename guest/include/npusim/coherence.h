// Device memory word by word, through the caches between AICPU and AICores, and stores of 64 bits to registers. Defined by
// the shim, like all of platform.h; a header of its own, since few guests need it.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- AICPU ---------------------------------------------------------------------------------------------------------
// Posts a store of 64 bits to two neighbouring registers of a core. The bus makes two stores of 32 bits of it, the lower
// one first: a core that loads both between them sees half of it.
void npusim_reg_store64(volatile uint64_t *words, uint64_t value);

// ---- AICPU and AICore ----------------------------------------------------------------------------------------------
// Loads and stores that the caches take part in. Plain loads and stores of guests reach the memory at once and cost
// nothing; so do these where there is no virtual time. Words are aligned.
//
// A core's data cache keeps each line that it has loaded from or stored to until npusim_dcci: what the core stores is
// not in memory before that, and what others store meanwhile it does not see. The AICPU's cache sees what cores have
// written back; on a2a3 it does not see what the host copies (invalidate_range_impl), on a5 it does.
uint32_t npusim_gm_load32(const volatile uint32_t *word);
uint64_t npusim_gm_load64(const volatile uint64_t *word);
void npusim_gm_store32(volatile uint32_t *word, uint32_t value);
void npusim_gm_store64(volatile uint64_t *word, uint64_t value);
// An AICore writes back what it has stored and forgets the rest: of the line of an address, the whole line, or of all.
enum { NPUSIM_SINGLE_CACHE_LINE = 0, NPUSIM_ENTIRE_DATA_CACHE = 1 };
void npusim_dcci(const volatile void *address, uint32_t extent);

#ifdef __cplusplus
}  // extern "C"
#endif
