// Group and layer normalisation, whose statistics are those of single samples, and their gradients.
#pragma once

#include <cstdint>

#include "core/table.h"
#include "ops/norm.h"

namespace dlnative {

enum class NormPass { kForward, kBackward };

// x [samples, rows, channels]; statistics over the rows and over channels / groups channels.
// y may be x, dx may be dy; gamma and beta may be null.
template <class T>
class GroupNormOp {
 public:
  GroupNormOp(std::int64_t samples, std::int64_t rows, std::int64_t channels, std::int64_t groups,
              double epsilon, int threads);
  std::size_t set_workspace(void* workspace, NormPass pass);

  void forward(const T* x, const T* gamma, const T* beta, T* y) const;
  void backward(const T* dy, const T* x, const T* gamma, T* dx, T* dgamma, T* dbeta) const;

 private:
  // What one sample needs while it is worked on.
  struct Sample {
    ChannelScale<T> map;
    double* statistics = nullptr;  // mean, m2 of channels; then mean, inverse of their groups
    double* scratch = nullptr;
  };
  bool shares_whole_samples() const;
  std::size_t take_sample(void* memory, Sample& sample) const;
  template <class F>
  void for_each_sample(F&& f) const;
  void group_statistics(const T* x, const Sample& sample, int threads) const;

  ChannelPasses<T> passes_;
  std::int64_t samples_ = 0, groups_ = 0;
  double epsilon_ = 0.0;
  int threads_ = 0;
  ThreadScratch<std::byte> scratch_;  // a Sample
  double* sums_ = nullptr;            // [samples, 2, channels]
  double* total_ = nullptr;           // [2, channels]
};

// x [rows, cols]; statistics per row. y may be x, dx may be dy; gamma and beta may be null.
template <class T>
class LayerNormOp {
 public:
  LayerNormOp(std::int64_t rows, std::int64_t cols, double epsilon);
  std::size_t set_workspace(void* workspace, NormPass pass);

  void forward(const T* x, const T* gamma, const T* beta, T* y) const;
  void backward(const T* dy, const T* x, const T* gamma, T* dx, T* dgamma, T* dbeta) const;

 private:
  // Rows of up to this many values are differentiated whole, a few at a time, in the cache.
  static constexpr std::int64_t kWholeRow = 4096;

  const Kernels<T>* kernels_ = nullptr;
  std::int64_t rows_ = 0, cols_ = 0;
  double epsilon_ = 0.0;
  int threads_ = 0;
  bool stream_ = false;  // the result is too large for the caches
  RowBlocks blocks_;
  Table<T> ones_, zeros_;  // in the place of gamma and beta
  T* partial_ = nullptr;   // [2, blocks, cols] of dgamma and dbeta
  RowGradient<T>* gradients_ = nullptr;
};

extern template class GroupNormOp<float>;
extern template class GroupNormOp<double>;
extern template class LayerNormOp<float>;
extern template class LayerNormOp<double>;

}  // namespace dlnative
