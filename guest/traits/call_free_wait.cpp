// Loops that wait for memory without calling anything, in the shapes that compilers give them, and code that looks like
// such loops and is none.
//
// wait_* return when a store_* by another actor ends them. decoy_* return by themselves.
#include <atomic>
#include <cstdint>

namespace {

std::atomic<uint32_t> flag{0};
std::atomic<uint32_t> level{0};
std::atomic<uint64_t> produced{0};
std::atomic<uint64_t> consumed{0};
std::atomic<int32_t> answer{0};

}  // namespace

extern "C" {

struct Link {
    const Link *next;
    uint32_t key;
};

// ---- waits

void wait_flag() {
    while (!flag.load(std::memory_order_acquire)) {
    }
}

void wait_level(uint32_t wanted) {
    while (level.load(std::memory_order_acquire) < wanted) {
    }
}

// Two loads in one iteration.
uint64_t wait_produced() {
    while (produced.load(std::memory_order_acquire) == consumed.load(std::memory_order_acquire)) {
    }
    return produced.load(std::memory_order_relaxed);
}

// A second way out in the middle.
int32_t wait_answer() {
    int32_t seen;
    do {
        seen = answer.load(std::memory_order_acquire);
        if (seen < 0) return -seen;
    } while (seen == 0);
    return seen;
}

// The address comes in a register.
void wait_word(const std::atomic<uint32_t> *word, uint32_t wanted) {
    while (word->load(std::memory_order_acquire) != wanted) {
    }
}

// ---- stores

void store_flag(uint32_t value) { flag.store(value, std::memory_order_release); }
void store_level(uint32_t value) { level.store(value, std::memory_order_release); }
void store_produced(uint64_t value) { produced.store(value, std::memory_order_release); }
void store_answer(int32_t value) { answer.store(value, std::memory_order_release); }

// ---- decoys

// The cold block lies behind the return and jumps back: a backward branch, but no loop.
uint64_t decoy_cold_block(uint32_t limit) {
    uint64_t seen = flag.load(std::memory_order_acquire);
    if (__builtin_expect(seen > limit, 0)) seen = level.load(std::memory_order_acquire);
    // Long enough that no compiler puts a copy of it into the cold block.
    const uint64_t in_flight = produced.load(std::memory_order_relaxed) - consumed.load(std::memory_order_relaxed);
    const uint64_t mixed = (seen * 31 + in_flight) * 31 + static_cast<uint64_t>(answer.load(std::memory_order_relaxed));
    return mixed % 1021 + in_flight / 7 + seen % 13;
}

// Walks along a list: the address register is written, so it makes progress.
const Link *decoy_walk(const Link *link, uint32_t key) {
    while (link && link->key != key) link = link->next;
    return link;
}

// Walks along an array up to its terminator.
const uint32_t *decoy_scan(const uint32_t *words) {
    while (*words != 0) ++words;
    return words;
}

// Looks at a stack slot that nobody else can reach. Comes back only when called with 0.
void decoy_stack_slot(uint32_t value) {
    volatile uint32_t slot = value;
    while (slot != 0) {
    }
}

}  // extern "C"
