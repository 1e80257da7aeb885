// What a core has in its memory stays until the run ends, and is its own. Tensors: a, before, after, elsewhere.
// Kernels: 0 core_store, 1 core_load.
//
// before = 0 and after = a on the same core, elsewhere = 0 on another one.
#include "common/orchestration.h"

using namespace sim_shaped;

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    constexpr int STORE = 0, LOAD = 1;
    constexpr int HERE = 0, ELSEWHERE = 1;  // clusters
    const int first = submit(aiv_task(LOAD, {args.tensor(1)}).on_cluster(HERE));
    const int stored = submit(aiv_task(STORE, {args.tensor(0)}).on_cluster(HERE).after(first));
    submit(aiv_task(LOAD, {args.tensor(2)}).on_cluster(HERE).after(stored));
    submit(aiv_task(LOAD, {args.tensor(3)}).on_cluster(ELSEWHERE).after(stored));
}
