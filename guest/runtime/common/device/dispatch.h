// What a scheduler hands to a core with a token.
//
// Each core has two payloads and uses the one of the token's parity, so a scheduler can prepare the next task while
// the core still runs the one before. A payload is written before its token is stored to DATA_MAIN_BASE (release) and
// may be written again once the task of the same parity is known to be finished.
#pragma once

#include <cstdint>

#include "npusim/kernel.h"
#include "npusim/platform.h"
#include "npusim/registers.h"

namespace rt {

struct alignas(64) DispatchPayload {
    NpusimKernelCall call;
    KernelLocalContext local_context;
    KernelGlobalContext global_context;
    alignas(64) int64_t args[KERNEL_ARGUMENT_SLOTS];
};

// Tokens count up from 1 and stay below TOKEN_EXIT. The wrap keeps the parity alternating.
constexpr uint32_t PAYLOADS_PER_CORE = 2;  // one for the task that runs, one for the task after it
constexpr uint32_t FIRST_TOKEN = 1;
constexpr uint32_t next_token(uint32_t token) { return token + 1 < TOKEN_EXIT ? token + 1 : FIRST_TOKEN + (token & 1); }
static_assert((next_token(TOKEN_EXIT - 1) & 1) != ((TOKEN_EXIT - 1) & 1));

}  // namespace rt
