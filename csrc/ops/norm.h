// Batch normalisation, its gradients, and the passes over channels that it is made of.
//
// Rows are channels-last: x is [rows, channels]. Statistics are taken in one read: blocks of at
// most 256 rows give mean and sum of squared deviations per channel, and blocks are merged in
// float64 in their order. Blocks and tasks are cut by the problem's size only.
#pragma once

#include <cstdint>

#include "kernels/norm_kernels.h"
#include "ops/chunks.h"

namespace dlnative {

// How a matrix is cut: blocks of rows and, where rows are long, panels of columns. Neighbouring
// blocks of short rows make one task.
class RowBlocks {
 public:
  static constexpr std::int64_t kRows = 256;
  static constexpr std::int64_t kColumns = 1024;

  RowBlocks(std::int64_t rows, std::int64_t cols, std::int64_t block_rows = kRows,
            std::int64_t panel = kColumns);

  std::int64_t blocks() const { return blocks_; }  // at least 1
  std::int64_t block_rows() const { return block_rows_; }
  std::int64_t last_rows() const { return rows_ - (blocks_ - 1) * block_rows_; }

  // f(block, its first row, its rows, first column, columns), each block and panel once.
  template <class F>
  void for_each_block(int threads, F&& f) const {
    parallel_for(tasks_ * panels_, threads, [&](std::int64_t task, int) {
      const std::int64_t column = task % panels_ * panel_;
      const std::int64_t first = task / panels_ * group_;
      for (std::int64_t b = first; b < std::min(first + group_, blocks_); ++b) {
        f(b, b * block_rows_, b + 1 < blocks_ ? block_rows_ : last_rows(), column,
          std::min(panel_, cols_ - column));
      }
    });
  }

 private:
  std::int64_t rows_ = 0, cols_ = 0, block_rows_ = 0, panel_ = 0;
  std::int64_t blocks_ = 0, group_ = 0, tasks_ = 0, panels_ = 0;
};

// Parameters of a map, one value per channel.
template <class T>
struct ChannelScale {
  void take(WorkspacePieces& pieces, std::int64_t channels) {
    for (T** piece : {&mean, &scale, &offset, &slope}) *piece = pieces.take<T>(channels);
  }
  T *mean = nullptr, *scale = nullptr, *offset = nullptr, *slope = nullptr;
};

// [rows, channels] and what all ops over channels need. Threads are given per call, so that many
// small matrices (the samples of group normalisation) can be shared out whole.
template <class T>
class ChannelPasses {
 public:
  // One of `matrices` of this shape, which are worked on one after the other.
  ChannelPasses(std::int64_t rows, std::int64_t channels, std::int64_t matrices = 1);

  std::int64_t rows() const { return rows_; }
  std::int64_t channels() const { return channels_; }
  // Elements of the scratch that `moments` and `product_sums` need.
  std::int64_t scratch_size() const { return blocks_.blocks() * 2 * channels_; }

  // mean and m2 (sum of squared deviations) per channel.
  void moments(const T* x, double* mean, double* m2, double* scratch, int threads) const;
  // sums[c] of g = saved > 0 ? dy : 0 and sums[channels + c] of g * (x - mean).
  // With dx (then saved is null): also dx = dy * scale.
  void product_sums(const T* dy, const T* x, const T* saved, const T* mean, double* sums,
                    double* scratch, int threads, const T* scale = nullptr, T* dx = nullptr) const;
  void normalize(const T* x, const T* residual, T* y, const T* mean, const T* scale,
                 const T* offset, bool relu, int threads) const;
  void backward(const T* dy, const T* x, const T* saved, T* dx, T* dresidual, const T* mean,
                const T* a, const T* b, const T* d, int threads) const;

 private:
  template <class F>
  void for_each_rows(int threads, F&& f) const;

  const NormKernels<T>* kernels_ = nullptr;
  std::int64_t rows_ = 0, channels_ = 0;
  RowBlocks blocks_;
  std::int64_t chunk_rows_ = 0;  // of a task of a map
  bool stream_ = false;
};

// y = act((x - mean) / sqrt(variance + epsilon) * gamma + beta + residual). gamma, beta and
// residual may be null; y may be x or residual.
template <class T>
class BatchNormOp {
 public:
  BatchNormOp(std::int64_t rows, std::int64_t channels, double epsilon, bool relu);
  // For `run`, or for `run_training`, with moments that are given or not.
  enum class Statistics { kGiven, kOfMoments, kOfRows };
  std::size_t set_workspace(void* workspace, Statistics statistics);

  // With the statistics given.
  void run(const T* x, const T* mean, const T* variance, const T* gamma, const T* beta,
           const T* residual, T* y) const;
  // With those of x, which are written to mean and variance. `moments` (may be null) has mean and
  // sum of squared deviations of `blocks` blocks of equally many rows: [blocks, 2, channels].
  void run_training(const T* x, const T* gamma, const T* beta, const T* residual, const T* moments,
                    std::int64_t blocks, T* y, T* mean, T* variance) const;

 private:
  void set_scale(std::int64_t c, double mean, double variance, const T* gamma, const T* beta) const;

  const NormKernels<T>* kernels_ = nullptr;
  ChannelPasses<T> passes_;
  double epsilon_ = 0.0;
  bool relu_ = false;
  int threads_ = 0;
  ChannelScale<T> map_;
  double *mean_ = nullptr, *m2_ = nullptr, *scratch_ = nullptr;
};

// dgamma = sum(g * xhat), dbeta = sum(g), with g = saved > 0 ? dy : 0, or dy where saved is null.
// Statistics given: dx = dy * gamma * inverse (one pass; no saved, no dresidual). Those of x:
// dx = gamma * inverse * (g - mean(g) - xhat * mean(g * xhat)), in two passes, and dresidual = g.
// dx may be dy; dresidual (may be null) may be x. gamma may be null.
template <class T>
class BatchNormBackwardOp {
 public:
  BatchNormBackwardOp(std::int64_t rows, std::int64_t channels, double epsilon);
  std::size_t set_workspace(void* workspace);

  void run(const T* dy, const T* x, const T* mean, const T* variance, const T* gamma, T* dx,
           T* dgamma, T* dbeta) const;
  void run_training(const T* dy, const T* x, const T* mean, const T* variance, const T* gamma,
                    const T* saved, T* dx, T* dgamma, T* dbeta, T* dresidual) const;

 private:
  ChannelPasses<T> passes_;
  double epsilon_ = 0.0;
  int threads_ = 0;
  ChannelScale<T> map_;
  double *inverse_ = nullptr, *sums_ = nullptr, *scratch_ = nullptr;
};

extern template class ChannelPasses<float>;
extern template class ChannelPasses<double>;
extern template class BatchNormOp<float>;
extern template class BatchNormOp<double>;
extern template class BatchNormBackwardOp<float>;
extern template class BatchNormBackwardOp<double>;

}  // namespace dlnative
