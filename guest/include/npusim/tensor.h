// The tensor descriptor: a strided view of a buffer. Kernels get pointers to these, orchestrations make views of them,
// the tensor map compares them.
//
// A view reaches element (i0, i1, ..) of its buffer at start_offset + i0 * strides[0] + i1 * strides[1] + .., counted
// in elements of `dtype`. Views never copy; they only rewrite the descriptor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "npusim/data_type.h"
#include "npusim/task_id.h"

constexpr uint32_t MAX_TENSOR_DIMS = 5;

// Where the buffer of an argument lies when it crosses the host API.
enum class AddressSpace : uint8_t { HOST = 0, DEVICE = 1 };

// How a task uses one of its tensors.
enum class TensorArgType : int32_t {
    INPUT = 0,
    OUTPUT = 1,           // allocated by the runtime at submission
    INOUT = 2,
    OUTPUT_EXISTING = 3,  // written, in a buffer that exists already
    NO_DEP = 4,           // used without any dependency
};

struct PTOBufferHandle {
    uint64_t addr;  // bytes
    uint64_t size;  // bytes
};

struct alignas(64) ChipTensor {
    PTOBufferHandle buffer;
    PTO2TaskId owner_task_id;  // the task whose output it is; invalid for tensors from outside
    uint64_t start_offset;     // elements
    int32_t version;
    uint32_t ndims;
    DataType dtype;
    bool manual_dep;     // only the creator is a dependency; overlaps are not looked up
    bool is_contiguous;  // strides are those of a dense row-major tensor of this shape
    AddressSpace address_space;
    uint32_t shapes[MAX_TENSOR_DIMS];
    uint64_t extent_elem_cache;  // elements from start_offset to the last one reached, that one included
    uint32_t strides[MAX_TENSOR_DIMS];
    uint8_t reserved[36];

    uint64_t numel() const {
        uint64_t count = 1;
        for (uint32_t dim = 0; dim < ndims; ++dim) count *= shapes[dim];
        return count;
    }
    uint64_t nbytes() const { return numel() * element_size(dtype); }
    uint64_t extent_elements() const { return is_contiguous ? numel() : extent_elem_cache; }

    // Address of the view's first element.
    uint64_t address() const { return buffer.addr + start_offset * element_size(dtype); }
    template <typename T>
    T *data() const {
        return reinterpret_cast<T *>(static_cast<uintptr_t>(address()));
    }

    // The box that starts at `offsets` and has the shape `extents`. Both count dimensions of this view.
    ChipTensor view(const uint32_t *extents, const uint32_t *offsets) const {
        ChipTensor result = *this;
        for (uint32_t dim = 0; dim < ndims; ++dim) {
            result.start_offset += uint64_t{offsets[dim]} * strides[dim];
            result.shapes[dim] = extents[dim];
        }
        result.refresh_derived();
        return result;
    }
    // Elements [begin, end) of one dimension, every `step`-th.
    ChipTensor slice(uint32_t dim, uint32_t begin, uint32_t end, uint32_t step = 1) const {
        ChipTensor result = *this;
        result.start_offset += uint64_t{begin} * strides[dim];
        result.shapes[dim] = (end - begin + step - 1) / step;
        result.strides[dim] = strides[dim] * step;
        result.refresh_derived();
        return result;
    }
    ChipTensor transpose(uint32_t left, uint32_t right) const {
        ChipTensor result = *this;
        result.shapes[left] = shapes[right];
        result.shapes[right] = shapes[left];
        result.strides[left] = strides[right];
        result.strides[right] = strides[left];
        result.refresh_derived();
        return result;
    }
    // The same elements under another shape. Only for contiguous views of as many elements.
    ChipTensor reshape(const uint32_t *extents, uint32_t dims) const {
        ChipTensor result = *this;
        result.set_dense_shape(extents, dims);
        return result;
    }

    // Gives the view the strides of a dense row-major tensor.
    void set_dense_shape(const uint32_t *extents, uint32_t dims) {
        ndims = dims;
        uint32_t stride = 1;
        for (uint32_t dim = dims; dim-- > 0;) {
            shapes[dim] = extents[dim];
            strides[dim] = stride;
            stride *= extents[dim];
        }
        is_contiguous = true;
        extent_elem_cache = stride;
    }
    void refresh_derived() {
        uint64_t dense_stride = 1;
        uint64_t last = 0;
        bool empty = false;
        is_contiguous = true;
        for (uint32_t dim = ndims; dim-- > 0;) {
            if (shapes[dim] != 1 && strides[dim] != dense_stride) is_contiguous = false;
            if (shapes[dim] == 0) empty = true;
            else last += uint64_t{shapes[dim] - 1} * strides[dim];
            dense_stride *= shapes[dim];
        }
        extent_elem_cache = empty ? 0 : last + 1;
    }
};
static_assert(sizeof(ChipTensor) == 128);
static_assert(offsetof(ChipTensor, owner_task_id) == 16);
static_assert(offsetof(ChipTensor, start_offset) == 24);
static_assert(offsetof(ChipTensor, version) == 32);
static_assert(offsetof(ChipTensor, ndims) == 36);
static_assert(offsetof(ChipTensor, dtype) == 40);
static_assert(offsetof(ChipTensor, manual_dep) == 41);
static_assert(offsetof(ChipTensor, is_contiguous) == 42);
static_assert(offsetof(ChipTensor, address_space) == 43);
static_assert(offsetof(ChipTensor, shapes) == 44);
static_assert(offsetof(ChipTensor, extent_elem_cache) == 64);
static_assert(offsetof(ChipTensor, strides) == 72);

// A dense tensor over memory that exists.
inline ChipTensor make_tensor(void *address, const uint32_t *extents, uint32_t dims, DataType type,
                              AddressSpace space = AddressSpace::HOST) {
    ChipTensor tensor{};
    tensor.owner_task_id = PTO2TaskId::invalid();
    tensor.dtype = type;
    tensor.address_space = space;
    tensor.set_dense_shape(extents, dims);
    tensor.buffer = {reinterpret_cast<uint64_t>(address), tensor.nbytes()};
    return tensor;
}
