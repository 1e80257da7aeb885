// A core's block of C = A · Bᵀ, on an AIC. Arguments: a [m, k] and b [n, k], float16; c [m, n], float32; m a multiple of
// 128, n and k of 256.
//
//     GM ──MTE2──► L1: four steps of k of both, twice ──MTE1──► L0A, L0B: one step, twice ──M──► L0C ──FIX──► GM
//
// Each element is summed in the order of k, beginning with 0.
#include "npusim/tile.h"

namespace {

using namespace npusim::tile;

constexpr uint32_t TILE_M = 128, TILE_N = 256, STEP_K = 64;
constexpr uint32_t STEPS = 4;
constexpr uint32_t STAGED_K = STEPS * STEP_K;

// Flags are numbered by buffer, but for what has been loaded: A and B by themselves.
enum Loaded : uint16_t { LOADED_A = 0, LOADED_B = 1 };

class Gemm {
public:
    explicit Gemm(const int64_t *args)
        : core_(args), a_(core_.global<const half>(0)), b_(core_.global<const half>(1)), c_(core_.global<float>(2)) {
        for (int buffer = 0; buffer < 2; ++buffer) {
            staged_a_[buffer] = core_.l1<half>(TILE_M, STAGED_K);
            staged_b_[buffer] = core_.l1<half>(TILE_N, STAGED_K);
            left_[buffer] = core_.l0a<half>(TILE_M, STEP_K);
            right_[buffer] = core_.l0b<half>(STEP_K, TILE_N);
        }
        sum_ = core_.l0c<float>(TILE_M, TILE_N);
    }

    void run() {
        for (uint16_t buffer = 0; buffer < 2; ++buffer) {
            core_.set_flag(Pipe::MTE1, Pipe::MTE2, buffer);
            core_.set_flag(Pipe::M, Pipe::MTE1, buffer);
        }
        for (uint32_t row = 0; row < c_.rows; row += TILE_M) {
            for (uint32_t col = 0; col < c_.cols; col += TILE_N) {
                for (uint32_t k = 0; k < a_.cols; k += STEP_K) step(row, col, k);
                core_.sync(Pipe::M, Pipe::FIX, 0);
                core_.store(c_.block(row, col, TILE_M, TILE_N), sum_);
                core_.sync(Pipe::FIX, Pipe::M, 0);
            }
        }
        for (uint16_t buffer = 0; buffer < 2; ++buffer) {
            core_.wait_flag(Pipe::M, Pipe::MTE1, buffer);
            core_.wait_flag(Pipe::MTE1, Pipe::MTE2, buffer);
        }
    }

private:
    void step(uint32_t row, uint32_t col, uint32_t k) {
        const uint32_t staged = k % STAGED_K;
        if (staged == 0) stage(row, col, k);
        core_.wait_flag(Pipe::M, Pipe::MTE1, factors_);
        if (staged == 0) core_.wait_flag(Pipe::MTE2, Pipe::MTE1, LOADED_A);
        core_.move(left_[factors_], staged_a_[stage_].block(0, staged, TILE_M, STEP_K));
        if (staged == 0) core_.wait_flag(Pipe::MTE2, Pipe::MTE1, LOADED_B);
        core_.move_transposed(right_[factors_], staged_b_[stage_].block(0, staged, TILE_N, STEP_K));
        if (staged + STEP_K == STAGED_K) core_.set_flag(Pipe::MTE1, Pipe::MTE2, stage_);
        core_.sync(Pipe::MTE1, Pipe::M, factors_);
        core_.matmul(sum_, left_[factors_], right_[factors_], k > 0);
        core_.set_flag(Pipe::M, Pipe::MTE1, factors_);
        factors_ ^= 1;
    }

    void stage(uint32_t row, uint32_t col, uint32_t k) {
        stage_ ^= 1;
        core_.wait_flag(Pipe::MTE1, Pipe::MTE2, stage_);
        core_.load(staged_a_[stage_], a_.block(row, k, TILE_M, STAGED_K), Layout::ND2NZ);
        core_.set_flag(Pipe::MTE2, Pipe::MTE1, LOADED_A);
        core_.load(staged_b_[stage_], b_.block(col, k, TILE_N, STAGED_K), Layout::ND2NZ);
        core_.set_flag(Pipe::MTE2, Pipe::MTE1, LOADED_B);
    }

    Core core_;
    Global<const half> a_, b_;
    Global<float> c_;
    L1Tile<half> staged_a_[2], staged_b_[2];
    L0aTile<half> left_[2];
    L0bTile<half> right_[2];
    L0cTile<float> sum_;
    uint16_t stage_ = 1, factors_ = 0;  // buffers in use
};

}  // namespace

void kernel_entry(int64_t *args) { Gemm(args).run(); }
