// The cases: an orchestration, its kernels, and arguments with what is in them before or after a run.
#pragma once

#include <string>
#include <vector>

#include "npusim/callable.h"

namespace sim_shaped {

// An element of a tensor, from the elements of the two inputs at the same place.
using Formula = float (*)(float a, float b);

struct Argument {
    ArgDirection direction;
    Formula value;  // what goes in, unless it is OUT; then what has to come out
};

struct Case {
    std::string name;                  // also that of the orchestration
    std::vector<std::string> kernels;  // by function id
    std::vector<Argument> arguments;
};

// Null if there is no case of that name.
const Case *find_case(const std::string &name);

}  // namespace sim_shaped
