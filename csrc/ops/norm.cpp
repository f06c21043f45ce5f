#include "ops/norm.h"

#include <cmath>

#include "dispatch/dispatch.h"
#include "ops/norm_parts.h"

namespace dlnative {

using namespace norm_parts;

RowBlocks::RowBlocks(std::int64_t rows, std::int64_t cols, std::int64_t block_rows,
                     std::int64_t panel)
    : rows_(rows),
      cols_(cols),
      block_rows_(block_rows),
      panel_(panel),
      blocks_(std::max<std::int64_t>(1, chunk_count(rows, block_rows))),
      group_(std::max<std::int64_t>(
          1, kChunk / std::max<std::int64_t>(1, block_rows * std::min(cols, panel)))),
      tasks_(chunk_count(blocks_, group_)),
      panels_(chunk_count(cols, panel)) {}

// --- passes over channels -----------------------------------------------------------------------

template <class T>
ChannelPasses<T>::ChannelPasses(std::int64_t rows, std::int64_t channels, std::int64_t matrices)
    : kernels_(kernels<T>().norm),
      rows_(rows),
      channels_(channels),
      blocks_(rows, channels),
      chunk_rows_(std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(channels, 1))),
      stream_(too_large_to_cache<T>(matrices * rows * channels)) {
  // Whole multiples of the rows that kernels take together.
  if (chunk_rows_ > 64) chunk_rows_ = chunk_rows_ / 64 * 64;
}

template <class T>
void ChannelPasses<T>::moments(const T* x, double* mean, double* m2, double* scratch,
                               int threads) const {
  if (rows_ == 0) {
    std::fill_n(mean, channels_, 0.0);
    std::fill_n(m2, channels_, 0.0);
    return;
  }
  blocks_.for_each_block(threads, [&](std::int64_t block, std::int64_t row, std::int64_t rows,
                                      std::int64_t column, std::int64_t columns) {
    double* to = scratch + block * 2 * channels_ + column;
    kernels_->channel_moments_wide(x + row * channels_ + column, channels_, rows, columns, to,
                                   to + channels_);
  });
  kernels_->merge_moments_wide(scratch, blocks_.blocks(), blocks_.block_rows(), blocks_.last_rows(),
                               channels_, mean, m2);
}

template <class T>
void ChannelPasses<T>::product_sums(const T* dy, const T* x, const T* saved, const T* mean,
                                    double* sums, double* scratch, int threads, const T* scale,
                                    T* dx) const {
  const bool single = blocks_.blocks() == 1;
  blocks_.for_each_block(threads, [&](std::int64_t block, std::int64_t row, std::int64_t rows,
                                      std::int64_t column, std::int64_t columns) {
    const std::int64_t at = row * channels_ + column;
    double* to = (single ? sums : scratch + block * 2 * channels_) + column;
    kernels_->product_sums({dy + at, x + at, saved != nullptr ? saved + at : nullptr, channels_,
                            rows, columns, mean + column, to, to + channels_,
                            scale != nullptr ? scale + column : nullptr,
                            dx != nullptr ? dx + at : nullptr});
  });
  if (!single) add_rows(scratch, blocks_.blocks(), 2 * channels_, sums);
}

template <class T>
template <class F>
void ChannelPasses<T>::for_each_rows(int threads, F&& f) const {
  for_each_chunk(rows_, chunk_rows_, threads,
                 [&](std::int64_t row, std::int64_t rows) { f(row * channels_, rows); });
}

template <class T>
void ChannelPasses<T>::normalize(const T* x, const T* residual, T* y, const T* mean, const T* scale,
                                 const T* offset, bool relu, int threads) const {
  for_each_rows(threads, [&](std::int64_t at, std::int64_t rows) {
    kernels_->normalize({x + at, residual != nullptr ? residual + at : nullptr, y + at, rows,
                         channels_, mean, scale, offset, relu, stream_});
  });
}

template <class T>
void ChannelPasses<T>::backward(const T* dy, const T* x, const T* saved, T* dx, T* dresidual,
                                const T* mean, const T* a, const T* b, const T* d,
                                int threads) const {
  for_each_rows(threads, [&](std::int64_t at, std::int64_t rows) {
    kernels_->backward({dy + at, x + at, saved != nullptr ? saved + at : nullptr, dx + at,
                        dresidual != nullptr ? dresidual + at : nullptr, rows, channels_, mean, a,
                        b, d, stream_});
  });
}

// --- batch normalisation ------------------------------------------------------------------------

template <class T>
BatchNormOp<T>::BatchNormOp(std::int64_t rows, std::int64_t channels, double epsilon, bool relu)
    : kernels_(kernels<T>().norm),
      passes_(rows, channels),
      epsilon_(epsilon),
      relu_(relu),
      threads_(threads_of<T>(rows * channels, 2)) {}

template <class T>
std::size_t BatchNormOp<T>::set_workspace(void* workspace, Statistics statistics) {
  WorkspacePieces pieces(workspace);
  const std::int64_t channels = passes_.channels();
  map_.take(pieces, channels);
  if (statistics == Statistics::kGiven) return pieces.bytes();
  mean_ = pieces.take<double>(channels);
  m2_ = pieces.take<double>(channels);
  if (statistics == Statistics::kOfRows) scratch_ = pieces.take<double>(passes_.scratch_size());
  return pieces.bytes();
}

// The mean is rounded to T; what that takes off goes into the offset.
template <class T>
void BatchNormOp<T>::set_scale(std::int64_t c, double mean, double variance, const T* gamma,
                               const T* beta) const {
  const double scale = value_or(gamma, c, 1.0) * inverse_deviation(variance, epsilon_);
  map_.mean[c] = static_cast<T>(mean);
  map_.scale[c] = static_cast<T>(scale);
  const double rest = std::isfinite(mean) ? mean - static_cast<double>(map_.mean[c]) : 0.0;
  map_.offset[c] = static_cast<T>(value_or(beta, c, 0.0) - rest * scale);
}

template <class T>
void BatchNormOp<T>::run(const T* x, const T* mean, const T* variance, const T* gamma,
                         const T* beta, const T* residual, T* y) const {
  for (std::int64_t c = 0; c < passes_.channels(); ++c) {
    set_scale(c, static_cast<double>(mean[c]), static_cast<double>(variance[c]), gamma, beta);
  }
  passes_.normalize(x, residual, y, map_.mean, map_.scale, map_.offset, relu_, threads_);
}

template <class T>
void BatchNormOp<T>::run_training(const T* x, const T* gamma, const T* beta, const T* residual,
                                  const T* moments, std::int64_t blocks, T* y, T* mean,
                                  T* variance) const {
  if (moments != nullptr && passes_.rows() > 0) {
    const std::int64_t rows = passes_.rows() / blocks;
    kernels_->merge_moments(moments, blocks, rows, rows, passes_.channels(), mean_, m2_);
  } else {
    passes_.moments(x, mean_, m2_, scratch_, threads_);
  }
  const double count = static_cast<double>(std::max<std::int64_t>(1, passes_.rows()));
  for (std::int64_t c = 0; c < passes_.channels(); ++c) {
    const double v = m2_[c] / count;
    set_scale(c, mean_[c], v, gamma, beta);
    mean[c] = map_.mean[c];
    variance[c] = static_cast<T>(v);
  }
  passes_.normalize(x, residual, y, map_.mean, map_.scale, map_.offset, relu_, threads_);
}

template <class T>
BatchNormBackwardOp<T>::BatchNormBackwardOp(std::int64_t rows, std::int64_t channels,
                                            double epsilon)
    : passes_(rows, channels), epsilon_(epsilon), threads_(threads_of<T>(rows * channels, 3)) {}

template <class T>
std::size_t BatchNormBackwardOp<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  const std::int64_t channels = passes_.channels();
  map_.take(pieces, channels);
  inverse_ = pieces.take<double>(channels);
  sums_ = pieces.take<double>(2 * channels);
  scratch_ = pieces.take<double>(passes_.scratch_size());
  return pieces.bytes();
}

template <class T>
void BatchNormBackwardOp<T>::run(const T* dy, const T* x, const T* mean, const T* variance,
                                 const T* gamma, T* dx, T* dgamma, T* dbeta) const {
  const std::int64_t channels = passes_.channels();
  for (std::int64_t c = 0; c < channels; ++c) {
    inverse_[c] = inverse_deviation(static_cast<double>(variance[c]), epsilon_);
    map_.scale[c] = static_cast<T>(value_or(gamma, c, 1.0) * inverse_[c]);
  }
  passes_.product_sums(dy, x, nullptr, mean, sums_, scratch_, threads_, map_.scale, dx);
  for (std::int64_t c = 0; c < channels; ++c) {
    dbeta[c] = static_cast<T>(sums_[c]);
    dgamma[c] = static_cast<T>(sums_[channels + c] * inverse_[c]);
  }
}

template <class T>
void BatchNormBackwardOp<T>::run_training(const T* dy, const T* x, const T* mean, const T* variance,
                                          const T* gamma, const T* saved, T* dx, T* dgamma,
                                          T* dbeta, T* dresidual) const {
  const std::int64_t channels = passes_.channels();
  const double count = static_cast<double>(std::max<std::int64_t>(1, passes_.rows()));
  passes_.product_sums(dy, x, saved, mean, sums_, scratch_, threads_);
  for (std::int64_t c = 0; c < channels; ++c) {
    const double inverse = inverse_deviation(static_cast<double>(variance[c]), epsilon_);
    const double scale = value_or(gamma, c, 1.0) * inverse;
    const double sum = sums_[c], along = sums_[channels + c] * inverse;
    map_.scale[c] = static_cast<T>(scale);
    map_.slope[c] = static_cast<T>(-scale * inverse * along / count);
    map_.offset[c] = static_cast<T>(-scale * sum / count);
    dbeta[c] = static_cast<T>(sum);
    dgamma[c] = static_cast<T>(along);
  }
  passes_.backward(dy, x, saved, dx, dresidual, mean, map_.scale, map_.slope, map_.offset,
                   threads_);
}

template class ChannelPasses<float>;
template class ChannelPasses<double>;
template class BatchNormOp<float>;
template class BatchNormOp<double>;
template class BatchNormBackwardOp<float>;
template class BatchNormBackwardOp<double>;

}  // namespace dlnative
