// The AICPU object: a graph is built, and then runs.
#include "aicpu/graph_builder.h"
#include "common/ringed/aicpu/entry.h"

extern "C" int aicpu_execute(void *image) { return rt::execute<abg::GraphBuilder>(image); }
