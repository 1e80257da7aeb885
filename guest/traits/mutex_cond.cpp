// What C++ code may use to wait for other threads, each once, with an answer that only correct waiting gives.
//
// n actors call trait_entry(id, n), id 0 .. n - 1, once each. When all have ended, trait_check(n) names the first thing
// that went wrong, or gives null.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <sched.h>
#include <thread>

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int YIELDS = 5;               // enough for every other actor to get in between
constexpr auto SHORT_WAIT = 2ms;        // of a wait that nobody ends
constexpr auto LONG_WAIT = 3600s;       // of a wait that somebody ends
constexpr int THREADS_PER_ACTOR = 2;

void let_others_run() {
    for (int turn = 0; turn < YIELDS; ++turn) sched_yield();
}

std::mutex mutex;
std::condition_variable changed;
std::once_flag once;

// Guarded by `mutex`.
int inside = 0;
int entered = 0;
bool overlapped = false;
int arrived = 0;
bool last_left = false;
int signals_missed = 0;
int early_timeouts = 0;

std::atomic<int> once_calls{0};
std::atomic<int> once_seen_early{0};
std::atomic<bool> once_finished{false};
std::atomic<int> static_constructions{0};
std::atomic<int> static_seen_early{0};
std::atomic<int> departures{0};
std::atomic<int> thread_departures{0};
std::atomic<int> foreign_thread_locals{0};
std::atomic<int> thread_runs{0};
std::atomic<int> joins_too_early{0};

void hold_a_contended_mutex() {
    const std::lock_guard<std::mutex> lock(mutex);
    if (++inside != 1) overlapped = true;
    let_others_run();
    ++entered;
    --inside;
}

// A condition variable without a deadline: nobody goes on before all are here.
void meet(int actors) {
    std::unique_lock<std::mutex> lock(mutex);
    if (++arrived == actors) changed.notify_all();
    changed.wait(lock, [&] { return arrived == actors; });
}

// With a deadline that passes: the wait ends, and not before its time.
void wait_for_nobody() {
    std::mutex own;
    std::condition_variable silent;
    std::unique_lock<std::mutex> lock(own);
    const auto begin = Clock::now();
    const bool woken = silent.wait_for(lock, SHORT_WAIT, [] { return false; });
    const bool early = Clock::now() - begin < SHORT_WAIT;
    const std::lock_guard<std::mutex> shared(mutex);
    if (woken || early) ++early_timeouts;
}

// With a deadline that somebody comes before: the last actor tells all others.
void wait_for_the_last(int id, int actors) {
    std::unique_lock<std::mutex> lock(mutex);
    if (id == actors - 1) {
        last_left = true;
        changed.notify_all();
    } else if (!changed.wait_for(lock, LONG_WAIT, [] { return last_left; })) {
        ++signals_missed;
    }
}

void call_once_with_others() {
    std::call_once(once, [] {
        ++once_calls;
        let_others_run();
        once_finished = true;
    });
    if (!once_finished) ++once_seen_early;
}

struct SlowToBuild {
    std::atomic<bool> finished{false};
    SlowToBuild() {
        ++static_constructions;
        let_others_run();
        finished = true;
    }
};

void use_a_static_that_others_build() {
    static SlowToBuild shared;
    if (!shared.finished) ++static_seen_early;
}

// Counts itself out when its thread ends.
struct Departure {
    std::atomic<int> *counter = nullptr;
    ~Departure() {
        if (counter) ++*counter;
    }
};
thread_local Departure departure;
thread_local int owner = -1;

void keep_thread_locals(int id, std::atomic<int> &counter) {
    if (departure.counter || owner != -1) ++foreign_thread_locals;
    departure.counter = &counter;
    owner = id;
    let_others_run();
    if (owner != id || departure.counter != &counter) ++foreign_thread_locals;
}

void start_and_join_threads(int id) {
    for (int index = 0; index < THREADS_PER_ACTOR; ++index) {
        bool finished = false;
        std::thread thread([&] {
            keep_thread_locals(id, thread_departures);
            ++thread_runs;
            finished = true;
        });
        thread.join();
        if (!finished) ++joins_too_early;
    }
}

}  // namespace

extern "C" void trait_entry(int id, int n) {
    keep_thread_locals(id, departures);
    call_once_with_others();
    use_a_static_that_others_build();
    hold_a_contended_mutex();
    meet(n);
    wait_for_nobody();
    wait_for_the_last(id, n);
    start_and_join_threads(id);
}

extern "C" const char *trait_check(int n) {
    const struct {
        bool holds;
        const char *otherwise;
    } checks[] = {
        {!overlapped, "two actors held one mutex"},
        {entered == n, "an actor did not get the mutex"},
        {arrived == n, "an actor did not reach the meeting"},
        {early_timeouts == 0, "wait_for ended before its time or without a reason"},
        {signals_missed == 0, "wait_for missed a signal"},
        {once_calls == 1, "call_once did not call exactly once"},
        {once_seen_early == 0, "call_once returned before the call had ended"},
        {static_constructions == 1, "a static was not built exactly once"},
        {static_seen_early == 0, "a static was used before it was built"},
        {foreign_thread_locals == 0, "an actor saw another thread's thread_local"},
        {thread_runs == n * THREADS_PER_ACTOR, "a thread did not run"},
        {joins_too_early == 0, "join returned before the thread had ended"},
        {thread_departures == n * THREADS_PER_ACTOR, "a thread's thread_local was not destroyed"},
        {departures == n, "an actor's thread_local was not destroyed"},
    };
    for (const auto &check : checks) {
        if (!check.holds) return check.otherwise;
    }
    return nullptr;
}
