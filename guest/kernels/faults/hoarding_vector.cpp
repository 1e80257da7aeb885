// An AIV's part of a dense layer that pushes all of its tiles before it pops any. With more tiles than there are slots
// the AIC cannot get rid of its products, pops nothing any more, and both sides wait for ever. Arguments as those of
// dense_cube.
#include "kernels/workloads/common/dense_layer.h"

void kernel_entry(int64_t *args) {
    npusim::tile::MixCore core(args);
    dense_layer::VectorPart part(core);
    for (uint32_t tile = 0; tile < part.tiles(); ++tile) part.push(tile);
    for (uint32_t tile = 0; tile < part.tiles(); ++tile) part.pop(tile);
    part.close();
}
