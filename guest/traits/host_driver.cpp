// Plays the host for the other traits: loads one and launches AICPU threads that go through it.
//
// It stands where a host runtime does. Each drive_* launches, waits, and returns what the host has to know; a trait is
// loaded once and stays.
#include <atomic>
#include <cstdint>
#include <thread>
#include <time.h>

#include "npusim/platform.h"

namespace {

constexpr long STORE_AFTER_NS = 10'000;  // long enough for the other thread to be inside its loop
constexpr uint32_t WANTED_LEVEL = 3;
constexpr uint64_t WANTED_PRODUCED = 7;
constexpr int32_t WANTED_ANSWER = 42;
constexpr uint32_t WANTED_WORD = 0xcafe;

// What the threads of one launch share. Threads are numbered in the order in which they start.
struct Crew {
    void (*work)(int id, int count);
    int count;
    std::atomic<int> started{0};
};

int run_member(void *crew_address) {
    Crew &crew = *static_cast<Crew *>(crew_address);
    const int id = crew.started.fetch_add(1);
    crew.work(id, crew.count);
    return 0;
}

int launch_crew(void (*work)(int, int), int count) {
    Crew crew{work, count};
    NpusimLaunch launch{};
    launch.aicpu_entry = reinterpret_cast<uint64_t>(run_member);
    launch.runtime = &crew;
    launch.aicpu_threads = static_cast<uint32_t>(count);
    const int code = npusim_launch(&launch);
    return code != 0 ? code : npusim_wait();
}

template <typename Function>
Function *find(uint64_t object, const char *name) {
    return reinterpret_cast<Function *>(npusim_symbol(object, name));
}

// ---- mutex_cond

void (*trait_entry)(int, int) = nullptr;

// Each AICPU thread goes through the trait in a thread of its own: what a thread keeps for itself goes when it ends,
// and AICPU threads outlast a launch.
void enter_in_a_thread(int id, int count) { std::thread(trait_entry, id, count).join(); }

// ---- call_free_wait

struct Waits {
    void (*wait_flag)();
    void (*wait_level)(uint32_t);
    uint64_t (*wait_produced)();
    int32_t (*wait_answer)();
    void (*wait_word)(const std::atomic<uint32_t> *, uint32_t);
    void (*store_flag)(uint32_t);
    void (*store_level)(uint32_t);
    void (*store_produced)(uint64_t);
    void (*store_answer)(int32_t);
};

Waits waits;
std::atomic<uint32_t> word{0};
// What the wait under way is, and what it returned.
int wait_number = 0;
uint64_t wait_result = 0;

void store() {
    switch (wait_number) {
        case 0: return waits.store_flag(1);
        case 1: return waits.store_level(WANTED_LEVEL);
        case 2: return waits.store_produced(WANTED_PRODUCED);
        case 3: return waits.store_answer(WANTED_ANSWER);
        default: return word.store(WANTED_WORD);
    }
}

uint64_t wait() {
    switch (wait_number) {
        case 0: waits.wait_flag(); return 1;
        case 1: waits.wait_level(WANTED_LEVEL); return WANTED_LEVEL;
        case 2: return waits.wait_produced();
        case 3: return static_cast<uint64_t>(waits.wait_answer());
        default: waits.wait_word(&word, WANTED_WORD); return word.load();
    }
}

// Thread 0 waits; thread 1, if there is one, ends the wait after a while.
void wait_or_store(int id, int) {
    if (id == 0) {
        wait_result = wait();
        return;
    }
    const timespec pause{0, STORE_AFTER_NS};
    nanosleep(&pause, nullptr);
    store();
}

}  // namespace

extern "C" {

// Loads a trait; 0 if that is not possible.
uint64_t drive_load(const void *bytes, uint64_t size, const char *name) {
    return npusim_load(NPUSIM_ORIGIN_AICPU, bytes, size, name);
}

// The address of a symbol of a trait, unloading it, and calling a function of it that takes nothing.
uint64_t drive_symbol(uint64_t object, const char *name) {
    return reinterpret_cast<uint64_t>(npusim_symbol(object, name));
}
int drive_unload(uint64_t object) { return npusim_unload(object); }
uint64_t drive_call(uint64_t function) { return reinterpret_cast<uint64_t (*)()>(function)(); }

// Runs mutex_cond with so many actors. Null, or the first thing that went wrong.
const char *drive_mutex_cond(uint64_t object, int actors) {
    trait_entry = find<void(int, int)>(object, "trait_entry");
    auto *check = find<const char *(int)>(object, "trait_check");
    if (trait_entry == nullptr || check == nullptr) return "the trait has no entry";
    return launch_crew(enter_in_a_thread, actors) == 0 ? check(actors) : "the launch ended with an error";
}

// Finds the functions of call_free_wait; 0, or -1 if one is missing.
int drive_bind_waits(uint64_t object) {
    waits.wait_flag = find<void()>(object, "wait_flag");
    waits.wait_level = find<void(uint32_t)>(object, "wait_level");
    waits.wait_produced = find<uint64_t()>(object, "wait_produced");
    waits.wait_answer = find<int32_t()>(object, "wait_answer");
    waits.wait_word = find<void(const std::atomic<uint32_t> *, uint32_t)>(object, "wait_word");
    waits.store_flag = find<void(uint32_t)>(object, "store_flag");
    waits.store_level = find<void(uint32_t)>(object, "store_level");
    waits.store_produced = find<void(uint64_t)>(object, "store_produced");
    waits.store_answer = find<void(int32_t)>(object, "store_answer");
    const bool complete = waits.wait_flag && waits.wait_level && waits.wait_produced && waits.wait_answer &&
                          waits.wait_word && waits.store_flag && waits.store_level && waits.store_produced &&
                          waits.store_answer;
    return complete ? 0 : -1;
}

// Goes through wait `number`, 0 to 4, with so many threads: 2, of which one ends the wait, or 1, which waits for ever.
int drive_wait(int number, int threads) {
    wait_number = number;
    wait_result = 0;
    return launch_crew(wait_or_store, threads);
}

// What the last wait returned.
uint64_t drive_wait_result() { return wait_result; }

}  // extern "C"
