// Does nothing to anybody while it is loaded and unloaded; for what goes wrong around it.
#include <cstdint>

// Set to another value in copies of the object that are to be told apart: 8 bytes that are found by what is in them.
extern "C" const volatile uint64_t npusim_identity = 0x6e70757369640000ull;

extern "C" uint64_t answer() { return 42; }

extern "C" uint64_t identity() { return npusim_identity; }
