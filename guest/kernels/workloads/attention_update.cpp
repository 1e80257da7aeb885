// Adds what one group of blocks gave to what the groups before it gave, on an AIV, and divides by the sum of weights
// after the last group.
//
// Arguments: group_maxima, group_sums [queries], group_product [queries, head_dim]; maxima, sums [queries], product
// [queries, head_dim], result [queries, head_dim], float32; is_first, is_last. The first group is only kept.
#include "kernels/workloads/common/paged_attention.h"

namespace {

using namespace npusim::tile;
using paged::line;

class Update {
public:
    explicit Update(const int64_t *args)
        : core_(args), group_{core_.global<float>(0), core_.global<float>(1), core_.global<float>(2)},
          all_{core_.global<float>(3), core_.global<float>(4), core_.global<float>(5)},
          result_(core_.global<float>(6)), is_last_(core_.scalar_argument<uint64_t>(8) != 0) {
        const uint32_t rows = result_.rows;
        new_product_ = core_.ub<float>(rows, result_.cols);
        product_ = core_.ub<float>(rows, result_.cols);
        for (UbTile<float> *column : {&group_maximum_, &group_sum_, &maximum_, &sum_, &new_maximum_, &factor_,
                                      &group_factor_, &new_sum_, &scaled_sum_}) {
            *column = core_.ub<float>(rows, 1);
        }
    }

    void keep() {
        core_.load(new_product_, group_.product);
        core_.load(line(group_maximum_), line(group_.maxima));
        core_.load(line(group_sum_), line(group_.sums));
        core_.sync(Pipe::MTE2, Pipe::V, 0);
        core_.sync(Pipe::V, Pipe::MTE3, 0);
        core_.store(line(all_.maxima), line(group_maximum_));
        core_.store(line(all_.sums), line(group_sum_));
        core_.store(all_.product, new_product_);
        if (is_last_) {
            core_.sync(Pipe::MTE3, Pipe::V, 0);
            core_.row_expand_div(new_product_, new_product_, group_sum_);
            core_.sync(Pipe::V, Pipe::MTE3, 1);
            core_.store(result_, new_product_);
        }
        core_.sync(Pipe::MTE3, Pipe::S, 7);
    }

    void add() {
        core_.load(new_product_, group_.product);
        core_.load(product_, all_.product);
        core_.load(line(group_maximum_), line(group_.maxima));
        core_.load(line(group_sum_), line(group_.sums));
        core_.load(line(maximum_), line(all_.maxima));
        core_.load(line(sum_), line(all_.sums));
        core_.sync(Pipe::MTE2, Pipe::V, 0);
        core_.max(line(new_maximum_), line(maximum_), line(group_maximum_));
        core_.barrier(Pipe::V);
        core_.sub(line(factor_), line(maximum_), line(new_maximum_));
        core_.sub(line(group_factor_), line(group_maximum_), line(new_maximum_));
        core_.barrier(Pipe::V);
        core_.exp(line(factor_), line(factor_));
        core_.exp(line(group_factor_), line(group_factor_));
        core_.barrier(Pipe::V);
        core_.mul(line(scaled_sum_), line(factor_), line(sum_));
        core_.mul(line(new_sum_), line(group_factor_), line(group_sum_));
        core_.barrier(Pipe::V);
        core_.add(line(new_sum_), line(scaled_sum_), line(new_sum_));
        core_.barrier(Pipe::V);
        core_.row_expand_mul(product_, product_, factor_);
        core_.row_expand_mul(new_product_, new_product_, group_factor_);
        core_.barrier(Pipe::V);
        core_.add(product_, product_, new_product_);
        if (is_last_) {
            core_.barrier(Pipe::V);
            core_.row_expand_div(product_, product_, new_sum_);
        }
        core_.sync(Pipe::V, Pipe::MTE3, 0);
        core_.store(line(all_.maxima), line(new_maximum_));
        core_.store(line(all_.sums), line(new_sum_));
        core_.store(is_last_ ? result_ : all_.product, product_);
        core_.sync(Pipe::MTE3, Pipe::S, 7);
    }

private:
    struct Part {
        Global<float> maxima, sums, product;
    };

    Core core_;
    Part group_, all_;
    Global<float> result_;
    bool is_last_;
    UbTile<float> new_product_, product_;
    // One element for each query.
    UbTile<float> group_maximum_, group_sum_, maximum_, sum_, new_maximum_, factor_, group_factor_, new_sum_, scaled_sum_;
};

}  // namespace

void kernel_entry(int64_t *args) {
    Update update(args);
    const bool is_first = npusim::scalar<uint64_t>(args, 7) != 0;
    if (is_first) update.keep();
    else update.add();
}
