// Calls an orchestration, bound to whatever builds the graph.
//
// A Builder has submit(TaskRequest), begin_scope, end_scope, failed, fail(status, reason) and cluster_count: what an
// orchestration sees of a runtime (npusim/orchestration.h).
#pragma once

#include "common/orchestration/orchestration.h"
#include "npusim/runtime_status.h"

namespace rt {

template <typename Builder>
npusim::OrchestrationRuntime bound_to(Builder &self) {
    npusim::OrchestrationRuntime table{};
    table.self = &self;
    table.submit = [](void *self, const npusim::TaskRequest *request) {
        return static_cast<Builder *>(self)->submit(*request);
    };
    table.scope_begin = [](void *self) { static_cast<Builder *>(self)->begin_scope(); };
    table.scope_end = [](void *self) { static_cast<Builder *>(self)->end_scope(); };
    table.failed = [](void *self) { return static_cast<Builder *>(self)->failed(); };
    table.fail = [](void *self, const char *reason) {
        static_cast<Builder *>(self)->fail(STATUS_EXPLICIT_ORCH_FATAL, reason);
    };
    table.cluster_count = [](void *self) { return static_cast<Builder *>(self)->cluster_count(); };
    return table;
}

// `registered` may be null: then the callable is not there, which is the run's failure.
template <typename Builder>
void run_orchestration(Builder &builder, Orchestration *registered, const ChipStorageTaskArgs &args) {
    if (registered == nullptr) {
        builder.fail(STATUS_INVALID_ARGS, "the callable is not registered");
        return;
    }
    const OrchestrationRun loaded(*registered);
    if (loaded.status() != STATUS_OK) {
        builder.fail(static_cast<RuntimeStatus>(loaded.status()), "the orchestration cannot be loaded");
        return;
    }
    const int32_t arguments = args.tensor_count() + args.scalar_count();
    if (loaded->config != nullptr && loaded->config(args).expected_arg_count != arguments) {
        builder.fail(STATUS_INVALID_ARGS, "the orchestration expects another number of arguments");
        return;
    }
    const npusim::OrchestrationRuntime table = bound_to(builder);
    loaded->bind(&table);
    builder.begin_scope();
    loaded->entry(args);
    builder.end_scope();
}

}  // namespace rt
