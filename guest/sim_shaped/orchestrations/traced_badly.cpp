// As vector, with a kernel that leaves traces of its tile instructions. Tensors: a, b, f. Kernels: 0 traced_badly.
#include "orchestrations/vector.cpp"
