#include "ops/norm.h"

#include <cmath>

#include "dispatch/cpu.h"
#include "dispatch/dispatch.h"

namespace dlnative {

namespace {

// Time of one element of one array in nanoseconds, from memory.
template <class T>
constexpr double kElementTime = sizeof(T) == 4 ? 0.2 : 0.4;

template <class T>
int threads_of(std::int64_t elements, int arrays) {
  return threads_for(static_cast<double>(elements) * arrays * kElementTime<T>);
}

// Whether what a pass writes is out of the caches before anybody can read it: x and y together fill
// the last one.
template <class T>
bool too_large_to_cache(std::int64_t elements) {
  const CacheSizes& caches = cache_sizes();
  const std::int64_t last = std::max(caches.l2, caches.l3);
  return elements * static_cast<std::int64_t>(sizeof(T)) > last / 2;
}

std::size_t size(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

// sums[i] = sum over r of rows[r, i]
void add_rows(const double* rows, std::int64_t count, std::int64_t n, double* sums) {
  kernels<double>().reduce->sum_rows(rows, n, sums, count, n, false);
}

double inverse_deviation(double variance, double epsilon) {
  return 1.0 / std::sqrt(variance + epsilon);
}

template <class T>
double value_or(const T* array, std::int64_t i, double fallback) {
  return array != nullptr ? static_cast<double>(array[i]) : fallback;
}

}  // namespace

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
      threads_(threads_of<T>(rows * channels, 2)),
      map_(channels),
      mean_(size(channels)),
      m2_(size(channels)) {}

// The mean is rounded to T; what that takes off goes into the offset.
template <class T>
void BatchNormOp<T>::set_scale(std::int64_t c, double mean, double variance, const T* gamma,
                               const T* beta) {
  const auto i = size(c);
  const double scale = value_or(gamma, c, 1.0) * inverse_deviation(variance, epsilon_);
  map_.mean[i] = static_cast<T>(mean);
  map_.scale[i] = static_cast<T>(scale);
  const double rest = mean - static_cast<double>(map_.mean[i]);
  map_.offset[i] = static_cast<T>(value_or(beta, c, 0.0) - rest * scale);
}

template <class T>
void BatchNormOp<T>::run(const T* x, const T* mean, const T* variance, const T* gamma,
                         const T* beta, const T* residual, T* y) {
  for (std::int64_t c = 0; c < passes_.channels(); ++c) {
    set_scale(c, static_cast<double>(mean[c]), static_cast<double>(variance[c]), gamma, beta);
  }
  passes_.normalize(x, residual, y, map_.mean.data(), map_.scale.data(), map_.offset.data(), relu_,
                    threads_);
}

template <class T>
void BatchNormOp<T>::run_training(const T* x, const T* gamma, const T* beta, const T* residual,
                                  const T* moments, std::int64_t blocks, T* y, T* mean,
                                  T* variance) {
  if (moments != nullptr && passes_.rows() > 0) {
    const std::int64_t rows = passes_.rows() / blocks;
    kernels_->merge_moments(moments, blocks, rows, rows, passes_.channels(), mean_.data(),
                            m2_.data());
  } else {
    scratch_.resize(size(passes_.scratch_size()));
    passes_.moments(x, mean_.data(), m2_.data(), scratch_.data(), threads_);
  }
  const double count = static_cast<double>(std::max<std::int64_t>(1, passes_.rows()));
  for (std::int64_t c = 0; c < passes_.channels(); ++c) {
    const auto i = size(c);
    const double v = m2_[i] / count;
    set_scale(c, mean_[i], v, gamma, beta);
    mean[c] = map_.mean[i];
    variance[c] = static_cast<T>(v);
  }
  passes_.normalize(x, residual, y, map_.mean.data(), map_.scale.data(), map_.offset.data(), relu_,
                    threads_);
}

template <class T>
BatchNormBackwardOp<T>::BatchNormBackwardOp(std::int64_t rows, std::int64_t channels,
                                            double epsilon)
    : passes_(rows, channels),
      epsilon_(epsilon),
      threads_(threads_of<T>(rows * channels, 3)),
      map_(channels),
      inverse_(size(channels)),
      sums_(size(2 * channels)),
      scratch_(size(passes_.scratch_size())) {}

template <class T>
void BatchNormBackwardOp<T>::run(const T* dy, const T* x, const T* mean, const T* variance,
                                 const T* gamma, T* dx, T* dgamma, T* dbeta) {
  const std::int64_t channels = passes_.channels();
  for (std::int64_t c = 0; c < channels; ++c) {
    inverse_[size(c)] = inverse_deviation(static_cast<double>(variance[c]), epsilon_);
    map_.scale[size(c)] = static_cast<T>(value_or(gamma, c, 1.0) * inverse_[size(c)]);
  }
  passes_.product_sums(dy, x, nullptr, mean, sums_.data(), scratch_.data(), threads_,
                       map_.scale.data(), dx);
  for (std::int64_t c = 0; c < channels; ++c) {
    dbeta[c] = static_cast<T>(sums_[size(c)]);
    dgamma[c] = static_cast<T>(sums_[size(channels + c)] * inverse_[size(c)]);
  }
}

template <class T>
void BatchNormBackwardOp<T>::run_training(const T* dy, const T* x, const T* mean, const T* variance,
                                          const T* gamma, const T* saved, T* dx, T* dgamma,
                                          T* dbeta, T* dresidual) {
  const std::int64_t channels = passes_.channels();
  const double count = static_cast<double>(std::max<std::int64_t>(1, passes_.rows()));
  passes_.product_sums(dy, x, saved, mean, sums_.data(), scratch_.data(), threads_);
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto i = size(c);
    const double inverse = inverse_deviation(static_cast<double>(variance[c]), epsilon_);
    const double scale = value_or(gamma, c, 1.0) * inverse;
    const double sum = sums_[i], along = sums_[size(channels + c)] * inverse;
    map_.scale[i] = static_cast<T>(scale);
    map_.slope[i] = static_cast<T>(-scale * inverse * along / count);
    map_.offset[i] = static_cast<T>(-scale * sum / count);
    dbeta[c] = static_cast<T>(sum);
    dgamma[c] = static_cast<T>(along);
  }
  passes_.backward(dy, x, saved, dx, dresidual, mean, map_.scale.data(), map_.slope.data(),
                   map_.offset.data(), threads_);
}

// --- group normalisation ------------------------------------------------------------------------

template <class T>
GroupNormOp<T>::GroupNormOp(std::int64_t samples, std::int64_t rows, std::int64_t channels,
                            std::int64_t groups, double epsilon)
    : passes_(rows, channels, samples),
      samples_(samples),
      groups_(groups),
      epsilon_(epsilon),
      threads_(threads_of<T>(samples * rows * channels, 3)),
      scratch_(size(samples), Sample(channels, passes_.scratch_size())) {}

// Calls f(sample, its scratch, threads to use for it). Samples that stay in a core's cache from one
// pass to the next are shared out whole; larger ones are cut themselves, one after the other.
template <class T>
template <class F>
void GroupNormOp<T>::for_each_sample(F&& f) {
  const std::int64_t elements = passes_.rows() * passes_.channels();
  const bool whole = elements <= 4 * kChunk;
  const std::int64_t together =
      whole ? std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(1, elements)) : samples_;
  for_each_chunk(samples_, together, threads_, [&](std::int64_t begin, std::int64_t count) {
    for (std::int64_t s = begin; s < begin + count; ++s) {
      f(s, scratch_[size(s)], whole ? 1 : threads_);
    }
  });
}

template <class T>
void GroupNormOp<T>::group_statistics(const T* x, Sample& sample, int threads) const {
  const std::int64_t channels = passes_.channels(), width = channels / groups_;
  double* mean = sample.statistics.data();
  double* m2 = mean + channels;
  passes_.moments(x, mean, m2, sample.scratch.data(), threads);
  const double rows = static_cast<double>(passes_.rows());
  for (std::int64_t first = 0; first < channels; first += width) {
    double sum = 0.0, squares = 0.0;
    for (std::int64_t c = first; c < first + width; ++c) sum += mean[c] - mean[first];
    const double group_mean = mean[first] + sum / static_cast<double>(width);
    for (std::int64_t c = first; c < first + width; ++c) {
      const double d = mean[c] - group_mean;
      squares += m2[c] + rows * d * d;
    }
    const double count = std::max(1.0, rows * static_cast<double>(width));
    const double inverse = inverse_deviation(squares / count, epsilon_);
    for (std::int64_t c = first; c < first + width; ++c) {
      sample.map.mean[size(c)] = static_cast<T>(group_mean);
      mean[2 * channels + c] = group_mean;
      mean[3 * channels + c] = inverse;
    }
  }
}

template <class T>
void GroupNormOp<T>::forward(const T* x, const T* gamma, const T* beta, T* y) {
  const std::int64_t channels = passes_.channels(), elements = passes_.rows() * channels;
  for_each_sample([&](std::int64_t s, Sample& sample, int threads) {
    group_statistics(x + s * elements, sample, threads);
    ChannelScale<T>& map = sample.map;
    for (std::int64_t c = 0; c < channels; ++c) {
      const double scale = value_or(gamma, c, 1.0) * sample.statistics[size(3 * channels + c)];
      const double rest =
          sample.statistics[size(2 * channels + c)] - static_cast<double>(map.mean[size(c)]);
      map.scale[size(c)] = static_cast<T>(scale);
      map.offset[size(c)] = static_cast<T>(value_or(beta, c, 0.0) - rest * scale);
    }
    passes_.normalize(x + s * elements, nullptr, y + s * elements, map.mean.data(),
                      map.scale.data(), map.offset.data(), false, threads);
  });
}

template <class T>
void GroupNormOp<T>::backward(const T* dy, const T* x, const T* gamma, T* dx, T* dgamma, T* dbeta) {
  const std::int64_t channels = passes_.channels(), elements = passes_.rows() * channels;
  const std::int64_t width = channels / groups_;
  const double count = static_cast<double>(std::max<std::int64_t>(1, passes_.rows() * width));
  sums_.resize(size(samples_ * 2 * channels));
  for_each_sample([&](std::int64_t s, Sample& sample, int threads) {
    const std::int64_t at = s * elements;
    group_statistics(x + at, sample, threads);
    ChannelScale<T>& map = sample.map;
    double* sums = sums_.data() + s * 2 * channels;  // of dy, and of dy * xhat
    passes_.product_sums(dy + at, x + at, nullptr, map.mean.data(), sums, sample.scratch.data(),
                         threads);
    const double* mean = sample.statistics.data() + 2 * channels;
    for (std::int64_t first = 0; first < channels; first += width) {
      const double inverse = mean[channels + first];
      const double rest = mean[first] - static_cast<double>(map.mean[size(first)]);
      double sum = 0.0, along = 0.0;
      for (std::int64_t c = first; c < first + width; ++c) {
        sums[channels + c] = (sums[channels + c] - rest * sums[c]) * inverse;
        sum += value_or(gamma, c, 1.0) * sums[c];
        along += value_or(gamma, c, 1.0) * sums[channels + c];
      }
      const double slope = -inverse * inverse * along / count;
      for (std::int64_t c = first; c < first + width; ++c) {
        map.scale[size(c)] = static_cast<T>(value_or(gamma, c, 1.0) * inverse);
        map.slope[size(c)] = static_cast<T>(slope);
        map.offset[size(c)] = static_cast<T>(-inverse * sum / count - rest * slope);
      }
    }
    passes_.backward(dy + at, x + at, nullptr, dx + at, nullptr, map.mean.data(), map.scale.data(),
                     map.slope.data(), map.offset.data(), threads);
  });
  total_.resize(size(2 * channels));
  add_rows(sums_.data(), samples_, 2 * channels, total_.data());
  for (std::int64_t c = 0; c < channels; ++c) {
    dbeta[c] = static_cast<T>(total_[size(c)]);
    dgamma[c] = static_cast<T>(total_[size(channels + c)]);
  }
}

// --- layer normalisation ------------------------------------------------------------------------

template <class T>
LayerNormOp<T>::LayerNormOp(std::int64_t rows, std::int64_t cols, double epsilon)
    : kernels_(&kernels<T>()),
      rows_(rows),
      cols_(cols),
      epsilon_(epsilon),
      threads_(threads_of<T>(rows * cols, 3)),
      blocks_(
          rows, cols,
          std::clamp<std::int64_t>(kChunk / std::max<std::int64_t>(1, cols), 32, RowBlocks::kRows),
          cols <= kWholeRow ? kWholeRow : RowBlocks::kColumns),
      ones_(size(cols), T(1)),
      zeros_(size(cols), T(0)) {}

template <class T>
void LayerNormOp<T>::forward(const T* x, const T* gamma, const T* beta, T* y) const {
  gamma = gamma != nullptr ? gamma : ones_.data();
  beta = beta != nullptr ? beta : zeros_.data();
  const std::int64_t together =
      std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(1, cols_));
  for_each_chunk(rows_, together, threads_, [&](std::int64_t row, std::int64_t rows) {
    const std::int64_t at = row * cols_;
    kernels_->norm->row_norm({x + at, y + at, rows, cols_, gamma, beta, epsilon_});
  });
}

template <class T>
void LayerNormOp<T>::backward(const T* dy, const T* x, const T* gamma, T* dx, T* dgamma, T* dbeta) {
  gamma = gamma != nullptr ? gamma : ones_.data();
  const std::int64_t plane = blocks_.blocks() * cols_;
  partial_.resize(size(2 * plane));
  gradients_.resize(size(rows_));
  const NormKernels<T>& norm = *kernels_->norm;
  const auto args = [&](std::int64_t row, std::int64_t rows, std::int64_t column,
                        std::int64_t columns, std::int64_t block) {
    const std::int64_t at = row * cols_ + column;
    T* sums = partial_.data() + block * cols_ + column;
    return RowNormBackwardArgs<T>{dy + at, x + at,       dx + at,        cols_,
                                  rows,    columns,      gamma + column, gradients_.data() + row,
                                  sums,    sums + plane, epsilon_};
  };
  const bool whole = cols_ <= kWholeRow;
  // Rows whose two passes find them in the L1 cache.
  const std::int64_t few = std::max<std::int64_t>(2, 4096 / std::max<std::int64_t>(1, cols_));
  if (!whole) {
    const std::int64_t together = std::max<std::int64_t>(1, kChunk / cols_);
    for_each_chunk(rows_, together, threads_, [&](std::int64_t row, std::int64_t rows) {
      norm.row_gradients(args(row, rows, 0, cols_, 0));
    });
  }
  blocks_.for_each_block(threads_, [&](std::int64_t block, std::int64_t first, std::int64_t count,
                                       std::int64_t column, std::int64_t columns) {
    T* sums = partial_.data() + block * cols_ + column;
    std::fill_n(sums, columns, T(0));
    std::fill_n(sums + plane, columns, T(0));
    const std::int64_t step = whole ? few : count;
    for (std::int64_t row = first; row < first + count; row += step) {
      const auto part = args(row, std::min(step, first + count - row), column, columns, block);
      if (whole) norm.row_gradients(part);
      norm.row_norm_backward(part);
    }
  });
  const ReduceKernels<T>& reduce = *kernels_->reduce;
  reduce.sum_rows(partial_.data(), cols_, dgamma, blocks_.blocks(), cols_, false);
  reduce.sum_rows(partial_.data() + plane, cols_, dbeta, blocks_.blocks(), cols_, false);
}

template class BatchNormOp<float>;
template class BatchNormOp<double>;
template class BatchNormBackwardOp<float>;
template class BatchNormBackwardOp<double>;
template class GroupNormOp<float>;
template class GroupNormOp<double>;
template class LayerNormOp<float>;
template class LayerNormOp<double>;

}  // namespace dlnative
