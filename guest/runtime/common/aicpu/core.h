// A core as its scheduler sees it: which tokens it was given, and what COND says of them.
//
// A core has at most two tasks: the older one runs, the younger one waits in DATA_MAIN_BASE, which holds one token. The
// core reports ACK (the token) when it takes a task and FIN|token when it is done, each time overwriting COND. So the
// younger token may be stored only once the ACK of the older one was seen: else it could overwrite a token that the core
// has not read. And a scheduler that sees any report of the younger token knows that the older task is finished, though
// it never saw that report.
#pragma once

#include <cstdint>

#include "common/device/dispatch.h"
#include "common/device/task.h"
#include "common/device/topology.h"

namespace rt {

// The part of a task that one core runs.
struct Subtask {
    Task *task = nullptr;
    uint32_t token = 0;

    bool exists() const { return task != nullptr; }
};

// What a report means for a core's tasks.
enum class Report { NOTHING, OLDER_TAKEN, OLDER_DONE, BOTH_DONE };

struct Core {
    volatile uint32_t *data_main_base = nullptr;
    const volatile uint32_t *cond = nullptr;
    DispatchPayload *payloads = nullptr;
    uint32_t physical = 0;
    uint32_t last_token = FIRST_TOKEN - 1;
    Subtask older;
    Subtask younger;
    bool older_taken = false;

    bool is_idle() const { return !older.exists(); }
    bool can_take_one_ahead() const { return older_taken && !younger.exists(); }

    // The older task is finished.
    void advance(bool younger_taken) {
        older = younger;
        younger = Subtask{};
        older_taken = younger_taken;
    }

    Report read(uint32_t report) const {
        if (younger.exists() && report == (COND_FIN | younger.token)) return Report::BOTH_DONE;
        if (younger.exists() && report == younger.token) return Report::OLDER_DONE;
        if (report == (COND_FIN | older.token)) return Report::OLDER_DONE;
        return report == older.token ? Report::OLDER_TAKEN : Report::NOTHING;
    }
};

}  // namespace rt
