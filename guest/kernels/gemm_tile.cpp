// Arguments: left, right, product: square matrices of one size, row-major in the last two dimensions, float32.
//
// Each element of the product is summed in the order of k, beginning with 0, and each product is rounded before it is
// added. Only whole rows are worked on at once, so vector units of any width give the same bits.
#include "npusim/kernel.h"

namespace {

void multiply(const float *__restrict left, const float *__restrict right, float *__restrict product, uint64_t edge) {
    for (uint64_t row = 0; row < edge; ++row) {
        float *__restrict sums = product + row * edge;
        for (uint64_t column = 0; column < edge; ++column) sums[column] = 0.0f;
        for (uint64_t k = 0; k < edge; ++k) {
            const float factor = left[row * edge + k];
            const float *__restrict line = right + k * edge;
            for (uint64_t column = 0; column < edge; ++column) sums[column] += factor * line[column];
        }
    }
}

}  // namespace

void kernel_entry(int64_t *args) {
    const ChipTensor &product = npusim::tensor(args, 2);
    multiply(npusim::data<const float>(args, 0), npusim::data<const float>(args, 1), product.data<float>(),
             product.shapes[product.ndims - 1]);
}
