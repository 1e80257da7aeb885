// The cube's part of a step of flash attention, on an AIC: scores = queries · keysᵀ of one chunk, products = weights ·
// values of another. Arguments: common/flash_attention.h.
#include "kernels/workloads/common/flash_attention.h"

namespace {

using namespace flash;

class Cube {
public:
    explicit Cube(const int64_t *args) : core_(args), it_(core_) {
        queries_ = core_.l1<half>(QUERIES, HEAD);
        for (int buffer = 0; buffer < 2; ++buffer) {
            keys_[buffer] = core_.l1<half>(PART, HEAD);
            weights_[buffer] = core_.l1<half>(QUERIES, PART);
            values_[buffer] = core_.l1<half>(PART, HEAD);
            left_[buffer] = core_.l0a<half>(QUERIES, HEAD);
            right_[buffer] = core_.l0b<half>(HEAD, PART);
            sum_[buffer] = core_.l0c<float>(QUERIES, PART);
        }
    }

    void run() {
        for (uint16_t buffer = 0; buffer < 2; ++buffer) {
            core_.set_flag(Pipe::MTE1, Pipe::MTE2, KEYS + buffer);
            core_.set_flag(Pipe::MTE1, Pipe::MTE2, VALUES + buffer);
            core_.set_flag(Pipe::M, Pipe::MTE1, buffer);
            core_.set_flag(Pipe::FIX, Pipe::M, buffer);
        }
        for (uint32_t tile = 0; tile < it_.tiles; ++tile) {
            for (uint32_t part = 0; part < it_.parts; ++part) {
                if (it_.has_chunk(SCORES)) score(tile, part);
                if (it_.has_chunk(PRODUCTS)) multiply(tile, part);
            }
        }
        for (uint16_t buffer = 0; buffer < 2; ++buffer) {
            core_.wait_flag(Pipe::MTE1, Pipe::MTE2, KEYS + buffer);
            core_.wait_flag(Pipe::MTE1, Pipe::MTE2, VALUES + buffer);
            core_.wait_flag(Pipe::M, Pipe::MTE1, buffer);
            core_.wait_flag(Pipe::FIX, Pipe::M, buffer);
        }
        core_.barrier_all();
    }

private:
    // Numbers of the flags that say which buffer of L1 is free.
    enum Staged : uint16_t { KEYS = 0, VALUES = 2 };

    void score(uint32_t tile, uint32_t part) {
        const uint32_t chunk = it_.chunk(SCORES);
        const uint32_t first_key = it_.first_key(chunk, tile, part);
        core_.wait_flag(Pipe::MTE1, Pipe::MTE2, KEYS + key_buffer_);
        if (tile == 0 && part == 0) core_.load(queries_, it_.queries, Layout::ND2NZ);
        core_.load(keys_[key_buffer_], it_.keys.block(first_key, 0, PART, HEAD), Layout::ND2NZ);
        core_.sync(Pipe::MTE2, Pipe::MTE1, 0);
        core_.wait_flag(Pipe::M, Pipe::MTE1, factors_);
        core_.move(left_[factors_], queries_);
        core_.move_transposed(right_[factors_], keys_[key_buffer_]);
        core_.set_flag(Pipe::MTE1, Pipe::MTE2, KEYS + key_buffer_);
        key_buffer_ ^= 1;
        core_.sync(Pipe::MTE1, Pipe::M, factors_);
        // While there are products, they have the other buffer: a tile of them takes all parts.
        const uint16_t sum = it_.has_chunk(PRODUCTS) ? 0 : part % 2;
        core_.wait_flag(Pipe::FIX, Pipe::M, sum);
        core_.matmul(sum_[sum], left_[factors_], right_[factors_]);
        core_.set_flag(Pipe::M, Pipe::MTE1, factors_);
        factors_ ^= 1;
        core_.sync(Pipe::M, Pipe::FIX, 0);
        core_.store(it_.part_of(it_.scores, chunk, tile, part, 0, QUERIES), sum_[sum]);
        core_.set_flag(Pipe::FIX, Pipe::M, sum);
    }

    void multiply(uint32_t tile, uint32_t part) {
        const uint32_t chunk = it_.chunk(PRODUCTS);
        const uint32_t first_value = it_.first_key(chunk, tile, part);
        core_.wait_flag(Pipe::MTE1, Pipe::MTE2, VALUES + value_buffer_);
        core_.load(values_[value_buffer_], it_.values.block(first_value, 0, PART, HEAD), Layout::ND2NZ);
        core_.load(weights_[value_buffer_], it_.part_of(it_.weights, chunk, tile, part, 0, QUERIES),
                   Layout::ND2NZ);
        core_.sync(Pipe::MTE2, Pipe::MTE1, 0);
        core_.wait_flag(Pipe::M, Pipe::MTE1, factors_);
        core_.move(left_[factors_], weights_[value_buffer_]);
        core_.move(right_[factors_], values_[value_buffer_]);
        core_.set_flag(Pipe::MTE1, Pipe::MTE2, VALUES + value_buffer_);
        value_buffer_ ^= 1;
        core_.sync(Pipe::MTE1, Pipe::M, factors_);
        if (part == 0) core_.wait_flag(Pipe::FIX, Pipe::M, 1);
        core_.matmul(sum_[1], left_[factors_], right_[factors_], part > 0);
        core_.set_flag(Pipe::M, Pipe::MTE1, factors_);
        factors_ ^= 1;
        if (part + 1 < it_.parts) return;
        core_.sync(Pipe::M, Pipe::FIX, 1);
        core_.store(it_.product(chunk, tile, 0, QUERIES), sum_[1]);
        core_.set_flag(Pipe::FIX, Pipe::M, 1);
    }

    Core core_;
    Arguments it_;
    L1Tile<half> queries_, keys_[2], weights_[2], values_[2];
    L0aTile<half> left_[2];
    L0bTile<half> right_[2];
    L0cTile<float> sum_[2];
    uint16_t key_buffer_ = 0, value_buffer_ = 0, factors_ = 0;
};

}  // namespace

void kernel_entry(int64_t *args) { Cube(args).run(); }
