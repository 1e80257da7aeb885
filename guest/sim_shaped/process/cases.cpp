#include "process/cases.h"

namespace sim_shaped {
namespace {

Argument in(Formula value) { return {ArgDirection::IN, value}; }
Argument out(Formula value) { return {ArgDirection::OUT, value}; }
Argument inout(Formula value) { return {ArgDirection::INOUT, value}; }

float a(float a, float) { return a; }
float b(float, float b) { return b; }
float zero(float, float) { return 0.0f; }
float sum(float a, float b) { return a + b; }

// Inputs are small integers, so that every result is exact.
const std::vector<Case> CASES = {
    {"vector", {"add"}, {in(a), in(b), out([](float a, float b) { return 4 * (a + b); })}},
    {"traced", {"traced_add"}, {in(a), in(b), out([](float a, float b) { return 4 * (a + b); })}},
    {"traced_badly", {"traced_badly"}, {in(a), in(b), out([](float a, float b) { return 4 * (a + b); })}},
    {"mix",
     {"mix_cube", "mix_vector"},
     {in(a), in(b), out([](float a, float) { return 2 * a + 1; }), out([](float, float b) { return 2 * b + 1; })}},
    {"build", {"build"}, {in(a), out(a)}},
    {"core_memory", {"core_store", "core_load"}, {in(a), out(zero), out(a), out(zero)}},
    {"flag", {"add", "flag_set", "flag_wait"}, {in(a), in(b), inout(zero), out(sum)}},
    {"timeout", {"add"}, {in(a), in(b), out(sum)}},
    {"stale_memory", {"add"}, {in(a), in(b), out(sum)}},
    {"stale_list", {"add"}, {in(a), in(b), out(sum)}},
};

}  // namespace

const Case *find_case(const std::string &name) {
    for (const Case &entry : CASES) {
        if (entry.name == name) return &entry;
    }
    return nullptr;
}

}  // namespace sim_shaped
