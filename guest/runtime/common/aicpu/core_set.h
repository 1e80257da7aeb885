// A set of a scheduler's own cores. A turn looks at few of many cores, and a turn is short.
#pragma once

#include <cstdint>

#include "common/device/topology.h"

namespace rt {

class CoreSet {
public:
    void insert(uint32_t core) { words_[core / 64] |= uint64_t{1} << core % 64; }
    void erase(uint32_t core) { words_[core / 64] &= ~(uint64_t{1} << core % 64); }
    bool empty() const {
        uint64_t any = 0;
        for (const uint64_t word : words_) any |= word;
        return any == 0;
    }

    // Calls visit(core) in order. It may erase the core that it is called with.
    template <typename Visit>
    void for_each(Visit visit) const {
        for (uint32_t word = 0; word < WORDS; ++word) {
            for (uint64_t rest = words_[word]; rest != 0; rest &= rest - 1) {
                visit(word * 64 + static_cast<uint32_t>(__builtin_ctzll(rest)));
            }
        }
    }

private:
    static constexpr uint32_t WORDS = (MAX_CORES + 63) / 64;
    uint64_t words_[WORDS] = {};
};

}  // namespace rt
