// Never comes back from being unloaded, and calls nothing meanwhile.
#include <cstdint>

namespace {

struct Hangs {
    ~Hangs() {
        for (volatile int turn = 0;; turn = turn + 1) {
        }
    }
};

Hangs hangs;

}  // namespace

extern "C" uint64_t answer() { return 42; }
