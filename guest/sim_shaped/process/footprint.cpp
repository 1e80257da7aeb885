#include "process/footprint.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sim_shaped {
namespace {

long entries(const char *directory) {
    const std::filesystem::directory_iterator begin(directory);
    return std::distance(begin, std::filesystem::directory_iterator());
}

long lines(const char *path) {
    std::ifstream file(path);
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
}

// The number that /proc/self/status has behind `name`.
long status(const std::string &name) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.rfind(name, 0) == 0) return std::stol(line.substr(name.size()));
    }
    return 0;
}

}  // namespace

std::string footprint() {
    return "fds " + std::to_string(entries("/proc/self/fd")) + " threads " +
           std::to_string(entries("/proc/self/task")) + " mappings " + std::to_string(lines("/proc/self/maps")) +
           " rss_kib " + std::to_string(status("VmRSS:"));
}

}  // namespace sim_shaped
