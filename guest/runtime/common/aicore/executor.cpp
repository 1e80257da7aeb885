// The AICore executor: takes tokens from DATA_MAIN_BASE, runs their kernels, reports in COND.
//
// An idle turn is one access to the register base, one load and one spin hint, and nothing else: a core whose turns
// are that pure can be parked until something is stored to its registers.
#include <atomic>
#include <cstdint>

#include "common/device/pause.h"
#include "common/device/run_image.h"

// A fault to inject: the report that each core never makes, counted from 1; 0 for a sound object.
#ifndef NPUSIM_LOSE_COMPLETION
#define NPUSIM_LOSE_COMPLETION 0
#endif

// Another fault: each core looks at a register in the window of them all, inline, as no core may.
#ifndef NPUSIM_TOUCH_WINDOW
#define NPUSIM_TOUCH_WINDOW 0
#endif

namespace {

uint32_t load_register(uint32_t offset) {
    const auto *word = reinterpret_cast<const volatile uint32_t *>(sim_get_reg_base() + offset);
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

void store_register(uint32_t offset, uint32_t value) {
    auto *word = reinterpret_cast<volatile uint32_t *>(sim_get_reg_base() + offset);
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

void wait_for_open_registers() {
    // DATA_MAIN_BASE may still hold the exit token of the run before.
    while (load_register(REG_DATA_MAIN_BASE) != TOKEN_IDLE) rt::pause_and_yield();
}

[[maybe_unused]] uint32_t load_from_window(uint64_t bases) {
    return *reinterpret_cast<const volatile uint32_t *>(*reinterpret_cast<const uint64_t *>(bases) + REG_COND);
}

void serve_tokens(const rt::DispatchPayload *payloads) {
    uint32_t served = TOKEN_IDLE;
    [[maybe_unused]] uint32_t executed = 0;
    for (;;) {
        const uint32_t token = load_register(REG_DATA_MAIN_BASE);
        if (token == served || token == TOKEN_IDLE) {
            rt::pause_and_yield();
            continue;
        }
        if (token == TOKEN_EXIT) return;
        npusim_charge(NPUSIM_CHARGE_SETUP, 1);
        store_register(REG_COND, token);
        npusim_execute(&payloads[token & 1].call);
        served = token;
#if NPUSIM_LOSE_COMPLETION
        if (++executed == NPUSIM_LOSE_COMPLETION) continue;
#endif
        store_register(REG_COND, COND_FIN | token);
    }
}

}  // namespace

extern "C" void aicore_execute_wrapper(void *runtime, int block_idx, int core_type, uint32_t physical_core,
                                       [[maybe_unused]] uint64_t regs, uint32_t /*prof_flags*/,
                                       uint64_t /*rotation_table*/) {
    auto &image = *static_cast<rt::Runtime *>(runtime);
    if (physical_core >= image.run.order.clusters * rt::LANES) return;
    store_register(REG_COND, TOKEN_IDLE);
    rt::CoreArrival &arrival = image.run.arrivals[physical_core];
    arrival.block_idx = block_idx;
    arrival.core_type = core_type;
    arrival.physical_core = physical_core;
    arrival.arrived.store(1, std::memory_order_release);
    wait_for_open_registers();
    arrival.ready.store(1, std::memory_order_release);
#if NPUSIM_TOUCH_WINDOW
    load_from_window(regs);
#endif
    serve_tokens(image.payloads[physical_core]);
    store_register(REG_COND, COND_FIN | TOKEN_EXIT);
}
