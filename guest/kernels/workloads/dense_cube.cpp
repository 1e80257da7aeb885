// The AIC's part of a dense layer: pops tiles of relu(x), multiplies each by the weights, and pushes the products. Arguments:
// x [rows, k], weights [k, n], bias, y, slots of both pipes [2 * tile rows, k] and [2 * tile rows, n]; float32.
//
// Each element of a product is summed in the order of k, beginning with 0, and each product is rounded before it is
// added.
#include "kernels/workloads/common/dense_layer.h"

void kernel_entry(int64_t *args) {
    using namespace npusim::tile;
    using namespace dense_layer;
    enum Event : uint16_t { POPPED = 0, LEFT = 1, SUM = 2 };
    MixCore core(args);
    const auto x = core.global<const float>(X), weights = core.global<const float>(WEIGHTS);
    const auto slots = core.global<float>(RECTIFIED);
    Rectified::Consumer rectified(core, slots);
    Products::Producer products(core, core.global<float>(PRODUCTS));
    const uint32_t rows = slots.rows / SLOTS;
    const auto weights_l1 = core.l1<float>(weights.rows, weights.cols);
    const auto right = core.l0b<float>(weights.rows, weights.cols);
    const auto left = core.l0a<float>(rows, x.cols);
    const auto sum = core.l0c<float>(rows, weights.cols);

    core.load(weights_l1, weights, Layout::ND2NZ);
    core.sync(Pipe::MTE2, Pipe::MTE1, POPPED);
    core.move(right, weights_l1);
    for (uint32_t tile = 0; tile < 2; ++tile) core.set_flag(Pipe::MTE1, Pipe::MTE2, POPPED);
    core.set_flag(Pipe::M, Pipe::MTE1, LEFT);
    core.set_flag(Pipe::FIX, Pipe::M, SUM);
    for (uint32_t tile = 0; tile < x.rows / rows; ++tile) {
        core.wait_flag(Pipe::MTE1, Pipe::MTE2, POPPED);
        const auto popped = rectified.pop();
        core.sync(Pipe::MTE2, Pipe::MTE1, POPPED);
        core.wait_flag(Pipe::M, Pipe::MTE1, LEFT);
        core.move(left, popped);
        core.set_flag(Pipe::MTE1, Pipe::MTE2, POPPED);
        rectified.free();
        core.sync(Pipe::MTE1, Pipe::M, LEFT);
        core.wait_flag(Pipe::FIX, Pipe::M, SUM);
        core.matmul(sum, left, right);
        core.set_flag(Pipe::M, Pipe::MTE1, LEFT);
        core.sync(Pipe::M, Pipe::FIX, SUM);
        products.push(sum);
        core.set_flag(Pipe::FIX, Pipe::M, SUM);
    }
    for (uint32_t tile = 0; tile < 2; ++tile) core.wait_flag(Pipe::MTE1, Pipe::MTE2, POPPED);
    core.wait_flag(Pipe::M, Pipe::MTE1, LEFT);
    core.wait_flag(Pipe::FIX, Pipe::M, SUM);
}
