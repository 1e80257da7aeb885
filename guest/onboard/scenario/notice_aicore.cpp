// An AICore object for the scenarios of notices: what a core tells, looks for and counts.
#include "npusim/coherence.h"
#include "npusim/platform.h"
#include "onboard/common/notice.h"

#include <sched.h>

namespace {

using notice::Shared;

// The cores of a cluster: the cube core does what a scenario is about, the vector cores share a line.
enum Core : int { CUBE = 0 };

// Long enough for the AICPU to have seen one notice before the next; different each time, so that its polls fall elsewhere.
void rest_between(uint64_t number) { notice::rest(2'000 + 7 * number); }

void store_cond(const Shared &shared, uint32_t value) {
    auto *word = reinterpret_cast<volatile uint32_t *>(sim_get_reg_base() + shared.cond);
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

void tell_by_memory(Shared &shared) {
    for (uint64_t number = 1; number <= shared.notices; ++number) {
        rest_between(number);
        const uint64_t now = notice::now();
        npusim_gm_store64(&shared.told_at, now);
        npusim_gm_store64(&shared.told, number);
        npusim_dcci(&shared.told, NPUSIM_SINGLE_CACHE_LINE);
    }
}

void tell_by_cond(Shared &shared, bool time_by_dcci) {
    for (uint64_t number = 1; number <= shared.notices; ++number) {
        rest_between(number);
        const uint64_t now = notice::now();
        if (time_by_dcci) {
            npusim_gm_store64(&shared.told_at, now);
            npusim_dcci(&shared.told_at, NPUSIM_SINGLE_CACHE_LINE);
        } else {
            *const_cast<volatile uint64_t *>(&shared.told_at) = now;
        }
        store_cond(shared, static_cast<uint32_t>(number));
    }
    // The store is seen at the next hook.
    notice::rest(1);
}

void share_a_line(Shared &shared, int half, bool in_turn) {
    if (in_turn && half == 1) notice::rest(5'000);
    npusim_gm_store64(&shared.halves[half], half + 1);
    npusim_dcci(&shared.halves[half], NPUSIM_SINGLE_CACHE_LINE);
}

void tell_and_hear(Shared &shared, bool with_dcci) {
    shared.order_seen = npusim_gm_load64(&shared.order);
    npusim_gm_store64(&shared.told, 1);
    if (with_dcci) npusim_dcci(&shared.told, NPUSIM_SINGLE_CACHE_LINE);
    shared.stage.store(notice::CORE_IS_READY, std::memory_order_release);
    for (const uint64_t begun = notice::now(); notice::now() - begun < notice::PATIENCE_NS;) {
        if (with_dcci) npusim_dcci(&shared.order, NPUSIM_SINGLE_CACHE_LINE);
        shared.order_seen = npusim_gm_load64(&shared.order);
        if (shared.order_seen != 0) return;
    }
}

// Counts until the last token has come, whole or not: the tokens that it acts on, since the lower half is new, and those
// of which the upper half is old.
void read_tokens(Shared &shared) {
    shared.stage.store(notice::CORE_IS_READY, std::memory_order_release);
    for (uint32_t last = 0; last < shared.notices;) {
        const auto *words = reinterpret_cast<const volatile uint64_t *>(sim_get_reg_base() + shared.data_main_base);
        const uint64_t token = __atomic_load_n(words, __ATOMIC_ACQUIRE);
        ++shared.loads;
        if (static_cast<uint32_t>(token) != last) {
            last = static_cast<uint32_t>(token);
            ++shared.acted;
            if (!notice::is_whole(token)) ++shared.torn;
        }
        sched_yield();
    }
}

}  // namespace

extern "C" void aicore_execute_wrapper(void *runtime, int, int, uint32_t core, uint64_t, uint32_t behaviour, uint64_t) {
    Shared &shared = *static_cast<Shared *>(runtime);
    notice::wait_for(shared, notice::AICPU_IS_THERE);
    const bool shares = behaviour == notice::FORGET_DCCI || behaviour == notice::MIND_DCCI;
    if (core != CUBE) {
        if (shares) share_a_line(shared, static_cast<int>(core) - 1, behaviour == notice::MIND_DCCI);
        return;
    }
    switch (behaviour) {
        case notice::TELL_BY_MEMORY: return tell_by_memory(shared);
        case notice::TELL_BY_COND: return tell_by_cond(shared, false);
        case notice::TELL_BY_COND_DCCI: return tell_by_cond(shared, true);
        case notice::READ_TOKENS: return read_tokens(shared);
        default: return tell_and_hear(shared, behaviour == notice::MIND_DCCI);
    }
}
