// Arguments: left, right, sum. sum = left + right, element by element; float32, one shape of whole rows of 64 elements.
// Leaves a trace of its tile instructions.
#include "../../kernels/traced_add.cpp"
