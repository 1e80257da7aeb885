// The AICore executor: takes tokens from DATA_MAIN_BASE, calls their kernels, reports in COND.
//
// Who a thread is stays in pthread keys. Each time this object is loaded it makes new ones, and nobody deletes them.
#include <atomic>
#include <cstdint>
#include <pthread.h>

#include "common/runtime.h"
#include "common/spin_hint.h"

namespace {

using sim_shaped::COND;
using sim_shaped::CoreType;
using sim_shaped::DATA_MAIN_BASE;
using sim_shaped::Runtime;
using sim_shaped::Worker;

enum Key { REGISTER_BASE, PHYSICAL_CORE, PROFILING_FLAGS, ROTATION_SLOT, ROTATION_HEAD, KEYS };

pthread_key_t keys[KEYS];
pthread_once_t keys_once = PTHREAD_ONCE_INIT;

void create_keys() {
    for (pthread_key_t &key : keys) pthread_key_create(&key, nullptr);
}

void set_number(Key key, uint64_t value) { pthread_setspecific(keys[key], reinterpret_cast<void *>(value)); }

using SetNumber = void (*)(uint32_t);
SetNumber set_sub_block = nullptr;
SetNumber set_cluster = nullptr;

}  // namespace

volatile uint8_t *sim_get_reg_base() {
    return static_cast<volatile uint8_t *>(pthread_getspecific(keys[REGISTER_BASE]));
}

namespace {

uint32_t load_register(uint32_t offset) {
    const auto *word = reinterpret_cast<volatile uint32_t *>(sim_get_reg_base() + offset);
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

void store_register(uint32_t offset, uint32_t value) {
    auto *word = reinterpret_cast<volatile uint32_t *>(sim_get_reg_base() + offset);
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

void identify(uint32_t physical_core, uint64_t regs, uint32_t profiling_flags, uint64_t rotation_table) {
    pthread_once(&keys_once, create_keys);
    set_number(REGISTER_BASE, reinterpret_cast<const uint64_t *>(regs)[physical_core]);
    set_number(PHYSICAL_CORE, physical_core);
    set_number(PROFILING_FLAGS, profiling_flags);
    set_number(ROTATION_SLOT, rotation_table);
    set_number(ROTATION_HEAD, 0);
    const int core = static_cast<int>(physical_core);
    if (set_sub_block != nullptr) set_sub_block(static_cast<uint32_t>(sim_shaped::sub_block_of(core)));
    if (set_cluster != nullptr) set_cluster(static_cast<uint32_t>(sim_shaped::cluster_of(core)));
}

void serve_tokens(Worker &worker) {
    uint32_t served = TOKEN_IDLE;
    for (;;) {
        const uint32_t token = load_register(DATA_MAIN_BASE);
        if (token == served) {
            sim_shaped::spin_hint();
            continue;
        }
        if (token == TOKEN_EXIT) return;
        served = token;
        store_register(COND, token);
        reinterpret_cast<void (*)(int64_t *)>(worker.call.entry)(worker.call.args);
        store_register(COND, COND_FIN | token);
    }
}

}  // namespace

extern "C" void set_sim_core_identity_helpers(void *sub_block, void *cluster) {
    set_sub_block = reinterpret_cast<SetNumber>(sub_block);
    set_cluster = reinterpret_cast<SetNumber>(cluster);
}

extern "C" void aicore_execute_wrapper(Runtime *runtime, int block_idx, CoreType /*core_type*/, uint32_t physical_core,
                                       uint64_t regs, uint32_t profiling_flags, uint64_t rotation_table) {
    identify(physical_core, regs, profiling_flags, rotation_table);
    Worker &worker = runtime->workers[block_idx];
    while (!worker.aicpu_ready.load(std::memory_order_acquire)) sim_shaped::spin_hint();
    worker.aicore_ready.store(1, std::memory_order_release);
    serve_tokens(worker);
    store_register(COND, COND_FIN | TOKEN_EXIT);
}
