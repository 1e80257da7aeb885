// What this process holds: for tests of whether it stays the same.
#pragma once

#include <string>

namespace sim_shaped {

// One line: descriptors, threads, mappings and resident memory.
std::string footprint();

}  // namespace sim_shaped
