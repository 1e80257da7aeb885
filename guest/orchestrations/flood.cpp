// N tasks that do nothing and need nothing: what the control plane alone can do. One in three is for an AIC, so that
// every core of every cluster has its share.
//
// Scalar: N. No tensors.
#include "npusim/orchestration.h"
#include "orchestrations/common/scoped_batches.h"

namespace {

enum Kernel : int32_t { EMPTY = 0 };

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {1}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    npusim::TaskArgs nothing;
    npusim::submit_in_scopes(npusim::scalar_as<uint64_t>(args, 0),
                             [&](uint64_t index) {
                                 if (index % 3 == 0) npusim::submit_aic(EMPTY, nothing);
                                 else npusim::submit_aiv(EMPTY, nothing);
                             });
}
