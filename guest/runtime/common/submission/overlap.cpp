#include "common/submission/overlap.h"

namespace rt {
namespace {

struct Interval {
    uint64_t begin;
    uint64_t end;

    bool meets(Interval other) const { return begin < other.end && other.begin < end; }
    bool contains(Interval other) const { return begin <= other.begin && other.end <= end; }
};

Interval bytes_of(const ChipTensor &tensor) {
    const uint64_t size = element_size(tensor.dtype);
    return {tensor.start_offset * size, (tensor.start_offset + tensor.extent_elements()) * size};
}

// A view as a box in the coordinates of its strides, the slowest dimension first.
struct Box {
    Interval sides[MAX_TENSOR_DIMS];
};

// False if the view does not tell its origin: its strides do not fall, or it runs over the end of a row.
bool box_of(const ChipTensor &tensor, Box *box) {
    uint64_t rest = tensor.start_offset;
    for (uint32_t dim = 0; dim < tensor.ndims; ++dim) {
        const uint64_t stride = tensor.strides[dim];
        if (stride == 0 || (dim > 0 && (tensor.strides[dim - 1] % stride != 0))) return false;
        const uint64_t origin = rest / stride;
        rest %= stride;
        box->sides[dim] = {origin, origin + tensor.shapes[dim]};
        if (dim > 0 && box->sides[dim].end * stride > tensor.strides[dim - 1]) return false;
    }
    return rest == 0;
}

bool same_strides(const ChipTensor &first, const ChipTensor &second) {
    if (first.dtype != second.dtype || first.ndims != second.ndims) return false;
    for (uint32_t dim = 0; dim < first.ndims; ++dim) {
        if (first.strides[dim] != second.strides[dim]) return false;
    }
    return true;
}

}  // namespace

Overlap overlap(const ChipTensor &first, const ChipTensor &second) {
    const Interval ours = bytes_of(first);
    const Interval theirs = bytes_of(second);
    if (!ours.meets(theirs)) return Overlap::NONE;
    if (first.is_contiguous) {
        if (ours.contains(theirs)) return Overlap::COVERED;
        if (second.is_contiguous) return Overlap::SOME;
    }
    Box left, right;
    if (!same_strides(first, second) || !box_of(first, &left) || !box_of(second, &right)) return Overlap::SOME;
    bool covered = true;
    for (uint32_t dim = 0; dim < first.ndims; ++dim) {
        if (!left.sides[dim].meets(right.sides[dim])) return Overlap::NONE;
        covered = covered && left.sides[dim].contains(right.sides[dim]);
    }
    return covered ? Overlap::COVERED : Overlap::SOME;
}

}  // namespace rt
