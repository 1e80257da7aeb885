// Convolution of a picture with windows of 3 x 3, one pixel of padding on every side, as a product on an AIC:
//
//     y[pixel, n] = the sum over c1, dy, dx, c0 of x[c1, pixel + (dy, dx) - (1, 1), c0] * weights[c1, dy, dx, n, c0]
//
// Arguments: x [1, channels, height, width, 16], weights [channels * 9, n / 16, 16, 16], y [height * width, columns], float16,
// a part of all columns; height, width, first_column. Tiles of 128 pixels x 256 columns; 48 of k at once, which are three
// places of a window; 144 in one load, all of one channel; two buffers each. Summed in the order of k, beginning with 0.
#include "npusim/tile_conv.h"

namespace {

using namespace npusim::tile;

constexpr uint32_t TILE_M = 128, TILE_N = 256;
constexpr uint32_t EDGE = 3, PLACES = EDGE * EDGE, C0 = 16;
constexpr uint32_t PLACES_A_STEP = 3, STEPS = PLACES / PLACES_A_STEP, STEP_K = PLACES_A_STEP * C0;
constexpr uint32_t FRACTAL = C0 * C0;

class Convolution {
public:
    explicit Convolution(const int64_t *args)
        : core_(args), height_(core_.scalar_argument<uint32_t>(3)), width_(core_.scalar_argument<uint32_t>(4)),
          first_column_(core_.scalar_argument<uint32_t>(5)), y_(core_.global<half>(2)) {
        const auto x = core_.global<const half>(0), weights = core_.global<const half>(1);
        channels_ = x.rows / (height_ * width_);
        x_ = x.reshape(channels_ * height_, width_ * C0);
        weights_ = weights.reshape(channels_ * PLACES, weights.rows / (channels_ * PLACES) * C0);
        // Lines that the pixels of a tile touch, and one above and one below.
        const uint32_t lines = (TILE_M + width_ - 2) / width_ + 3;
        for (uint32_t buffer = 0; buffer < 2; ++buffer) {
            picture_[buffer] = core_.l1<half>(lines, width_ * C0);
            window_[buffer] = core_.l1<half>(PLACES, TILE_N * C0);
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
        for (uint32_t pixel = 0; pixel < y_.rows; pixel += TILE_M) {
            for (uint32_t col = 0; col < y_.cols; col += TILE_N) tile(pixel, col);
        }
        for (uint16_t buffer = 0; buffer < 2; ++buffer) {
            core_.wait_flag(Pipe::M, Pipe::MTE1, buffer);
            core_.wait_flag(Pipe::MTE1, Pipe::MTE2, buffer);
        }
    }

private:
    // Flags are numbered by buffer, but for what has been loaded.
    enum Loaded : uint16_t { PICTURE = 0, WINDOW = 1 };

    void tile(uint32_t pixel, uint32_t col) {
        const uint32_t rows = std::min(TILE_M, y_.rows - pixel), cols = std::min(TILE_N, y_.cols - col);
        first_line_ = std::max(pixel / width_, 1u) - 1;
        lines_ = std::min((pixel + rows - 1) / width_ + 1, height_ - 1) - first_line_ + 1;
        for (uint32_t channel = 0; channel < channels_; ++channel) {
            stage(channel, col, cols);
            for (uint32_t step = 0; step < STEPS; ++step) multiply(pixel, rows, cols, channel, step);
        }
        core_.sync(Pipe::M, Pipe::FIX, 0);
        core_.store(y_.block(pixel, col, rows, cols), sum_.block(0, 0, rows, cols));
        core_.sync(Pipe::FIX, Pipe::M, 0);
    }

    void stage(uint32_t channel, uint32_t col, uint32_t cols) {
        staged_ ^= 1;
        core_.wait_flag(Pipe::MTE1, Pipe::MTE2, staged_);
        core_.load(picture_[staged_].block(0, 0, lines_, width_ * C0),
                   x_.block(channel * height_ + first_line_, 0, lines_, width_ * C0));
        core_.set_flag(Pipe::MTE2, Pipe::MTE1, PICTURE);
        core_.load(window_[staged_].block(0, 0, PLACES, cols * C0),
                   weights_.block(channel * PLACES, (first_column_ + col) * C0, PLACES, cols * C0));
        core_.set_flag(Pipe::MTE2, Pipe::MTE1, WINDOW);
    }

    void multiply(uint32_t pixel, uint32_t rows, uint32_t cols, uint32_t channel, uint32_t step) {
        const auto left = left_[now_].block(0, 0, rows, STEP_K);
        const auto right = right_[now_].block(0, 0, STEP_K, cols);
        const uint32_t first_place = step * PLACES_A_STEP;
        core_.wait_flag(Pipe::M, Pipe::MTE1, now_);
        if (step == 0) core_.wait_flag(Pipe::MTE2, Pipe::MTE1, PICTURE);
        core_.gather(left, [&](uint32_t row, uint32_t k) { return seen(pixel + row, first_place + k / C0, k % C0); });
        if (step == 0) core_.wait_flag(Pipe::MTE2, Pipe::MTE1, WINDOW);
        core_.gather(right, [&](uint32_t k, uint32_t col) {
            return window_[staged_].at(first_place + k / C0, col / C0 * FRACTAL + col % C0 * C0 + k % C0);
        });
        if (step + 1 == STEPS) core_.set_flag(Pipe::MTE1, Pipe::MTE2, staged_);
        core_.sync(Pipe::MTE1, Pipe::M, now_);
        core_.matmul(sum_.block(0, 0, rows, cols), left, right, channel + step > 0);
        core_.set_flag(Pipe::M, Pipe::MTE1, now_);
        now_ ^= 1;
    }

    // What the window of a pixel has at a place; outside of the picture is 0.
    half seen(uint32_t pixel, uint32_t place, uint32_t channel) const {
        const uint32_t line = pixel / width_ + place / EDGE, column = pixel % width_ + place % EDGE;
        if (line < 1 || line > height_ || column < 1 || column > width_) return half(0.0f);
        return picture_[staged_].at(line - 1 - first_line_, (column - 1) * C0 + channel);
    }

    ConvCore core_;
    uint32_t height_, width_, first_column_, channels_;
    Global<const half> x_, weights_;
    Global<half> y_;
    L1Tile<half> picture_[2], window_[2];
    L0aTile<half> left_[2];
    L0bTile<half> right_[2];
    L0cTile<float> sum_;
    uint32_t first_line_ = 0, lines_ = 0;  // of the picture, in L1
    uint16_t staged_ = 1, now_ = 0;        // buffers in use
};

}  // namespace

void kernel_entry(int64_t *args) { Convolution(args).run(); }
