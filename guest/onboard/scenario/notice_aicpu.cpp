// An AICPU object for the scenarios of notices: what a thread hears, and when.
#include "npusim/coherence.h"
#include "npusim/platform.h"
#include "onboard/common/notice.h"

namespace {

using notice::Shared;

struct Args {
    Shared *shared;
};

// The host has written it, which the AICPU's caches do not see on a2a3.
Shared &enter(void *args) {
    Shared &shared = *static_cast<Args *>(args)->shared;
    aicpu_cache_maintenance::invalidate_range_impl(&shared, sizeof(Shared));
    shared.stage.store(notice::AICPU_IS_THERE, std::memory_order_release);
    return shared;
}

template <typename Word>
Word *register_of(uint32_t offset) {
    return reinterpret_cast<Word *>(npusim_register_bases()[0] + offset);
}

void note_latency(Shared &shared, uint64_t latency) {
    if (shared.seen == 0 || latency < shared.least) shared.least = latency;
    if (latency > shared.most) shared.most = latency;
    shared.sum += latency;
    ++shared.seen;
}

// As the published measurement does it: load, and read the clock, until the value is another; then read the clock.
template <typename Look>
void hear(Shared &shared, Look look) {
    for (uint64_t last = look(); last < shared.notices;) {
        uint64_t value = look();
        for (; value == last; value = look()) notice::now();
        const uint64_t seen_at = notice::now();
        last = value;
        note_latency(shared, seen_at - npusim_gm_load64(&shared.told_at));
    }
}

}  // namespace

extern "C" {

int notice_hear_memory(void *args) {
    Shared &shared = enter(args);
    hear(shared, [&shared] { return npusim_gm_load64(&shared.told); });
    return 0;
}

int notice_hear_cond(void *args) {
    Shared &shared = enter(args);
    const auto *cond = register_of<const volatile uint32_t>(shared.cond);
    hear(shared, [cond] { return uint64_t{reg_load_acquire(cond)}; });
    return 0;
}

// Tells the core something, and looks for a while for what the cores tell.
int notice_miss(void *args) {
    Shared &shared = enter(args);
    notice::wait_for(shared, notice::CORE_IS_READY);
    npusim_gm_store64(&shared.order, 1);
    const uint64_t begun = notice::now();
    while (notice::now() - begun < notice::PATIENCE_NS) {
        shared.seen = npusim_gm_load64(&shared.told);
        for (int half = 0; half < 2; ++half) shared.halves_seen[half] = npusim_gm_load64(&shared.halves[half]);
    }
    return 0;
}

// Stores tokens one behind the other: first whole, then the upper half by itself before the lower.
int notice_hammer(void *args) {
    Shared &shared = enter(args);
    auto *both = register_of<volatile uint64_t>(shared.data_main_base);
    auto *lower = register_of<volatile uint32_t>(shared.data_main_base);
    notice::wait_for(shared, notice::CORE_IS_READY);
    const auto last = static_cast<uint32_t>(shared.notices);
    for (uint32_t number = 1; number <= last; ++number) {
        if (shared.order == 0) {
            npusim_reg_store64(both, notice::token(number));
        } else {
            reg_store_release(lower + 1, ~number);
            reg_store_release(lower, number);
        }
    }
    return 0;
}

}  // extern "C"
