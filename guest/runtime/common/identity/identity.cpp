#include "common/identity/identity.h"

#include <cstring>

// The build says who this object is: runtime and generation.
#ifndef NPUSIM_IDENTITY
#error "NPUSIM_IDENTITY is not defined"
#endif

extern "C" {
// Visible on purpose: each runtime has them, and each its own.
const char *npusim_identity = NPUSIM_IDENTITY;
thread_local const char *npusim_identity_of_thread = NPUSIM_IDENTITY;
}

namespace rt {

// Static data of a template: the compiler gives it the unique binding, and so the dynamic linker would give the first
// one loaded to everybody.
template <typename T>
struct Unique {
    static T text;
};
template <typename T>
T Unique<T>::text = NPUSIM_IDENTITY;

namespace {

constexpr const char *SEEN = "seen by " NPUSIM_IDENTITY;

bool equal(const char *left, const char *right) { return std::strcmp(left, right) == 0; }

}  // namespace

bool identity_is_own() {
    const bool fresh = equal(npusim_identity_of_thread, NPUSIM_IDENTITY) || equal(npusim_identity_of_thread, SEEN);
    npusim_identity_of_thread = SEEN;
    return fresh && equal(npusim_identity, NPUSIM_IDENTITY) && equal(Unique<const char *>::text, NPUSIM_IDENTITY);
}

}  // namespace rt

extern "C" const char *npusim_unique_identity() { return rt::Unique<const char *>::text; }
