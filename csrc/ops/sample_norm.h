// Group and layer normalisation, whose statistics are those of single samples, and their gradients.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/norm.h"

namespace dlnative {

// x [samples, rows, channels]; statistics over the rows and over channels / groups channels.
// y may be x, dx may be dy; gamma and beta may be null.
template <class T>
class GroupNormOp {
 public:
  GroupNormOp(std::int64_t samples, std::int64_t rows, std::int64_t channels, std::int64_t groups,
              double epsilon);

  void forward(const T* x, const T* gamma, const T* beta, T* y);
  void backward(const T* dy, const T* x, const T* gamma, T* dx, T* dgamma, T* dbeta);

 private:
  // What one sample needs while it is worked on.
  struct Sample {
    Sample(std::int64_t channels, std::int64_t scratch_size)
        : map(channels),
          statistics(static_cast<std::size_t>(4 * channels)),
          scratch(static_cast<std::size_t>(scratch_size)) {}
    ChannelScale<T> map;
    std::vector<double> statistics;  // mean, m2 of channels; then mean, inverse of their groups
    std::vector<double> scratch;
  };
  template <class F>
  void for_each_sample(F&& f);
  void group_statistics(const T* x, Sample& sample, int threads) const;

  ChannelPasses<T> passes_;
  std::int64_t samples_ = 0, groups_ = 0;
  double epsilon_ = 0.0;
  int threads_ = 0;
  std::vector<Sample> scratch_;  // one per sample
  std::vector<double> sums_;     // [samples, 2, channels]
  std::vector<double> total_;    // [2, channels]
};

// x [rows, cols]; statistics per row. y may be x, dx may be dy; gamma and beta may be null.
template <class T>
class LayerNormOp {
 public:
  LayerNormOp(std::int64_t rows, std::int64_t cols, double epsilon);

  void forward(const T* x, const T* gamma, const T* beta, T* y) const;
  void backward(const T* dy, const T* x, const T* gamma, T* dx, T* dgamma, T* dbeta);

 private:
  // Rows of up to this many values are differentiated whole, a few at a time, in the cache.
  static constexpr std::int64_t kWholeRow = 4096;

  const Kernels<T>* kernels_ = nullptr;
  std::int64_t rows_ = 0, cols_ = 0;
  double epsilon_ = 0.0;
  int threads_ = 0;
  bool stream_ = false;  // the result is too large for the caches
  RowBlocks blocks_;
  std::vector<T> ones_, zeros_;  // in the place of gamma and beta
  std::vector<T> partial_;       // [2, blocks, cols] of dgamma and dbeta
  std::vector<RowGradient<T>> gradients_;
};

extern template class GroupNormOp<float>;
extern template class GroupNormOp<double>;
extern template class LayerNormOp<float>;
extern template class LayerNormOp<double>;

}  // namespace dlnative
