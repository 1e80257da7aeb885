// Throws while it is being loaded, and nobody catches.
#include <cstdint>

namespace {

struct Throws {
    Throws() { throw 1; }
};

Throws throws;

}  // namespace

extern "C" uint64_t answer() { return 42; }
