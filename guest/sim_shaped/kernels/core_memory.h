// The local memory of a core: that of the thread which plays the core, zero when it is first used.
//
// The symbol is unique in the process, so every kernel that a thread runs finds the same memory.
#pragma once

#include <cstddef>
#include <memory>

class CoreMemory {
public:
    static constexpr size_t SIZE = 1 << 20;

    float *data() { return words_.get(); }

private:
    std::unique_ptr<float[]> words_ = std::make_unique<float[]>(SIZE / sizeof(float));
};

inline thread_local CoreMemory core_memory;
