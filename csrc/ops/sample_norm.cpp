#include "ops/sample_norm.h"

#include "dispatch/dispatch.h"
#include "ops/norm_parts.h"

namespace dlnative {

using namespace norm_parts;

// --- group normalisation ------------------------------------------------------------------------

template <class T>
GroupNormOp<T>::GroupNormOp(std::int64_t samples, std::int64_t rows, std::int64_t channels,
                            std::int64_t groups, double epsilon, int threads)
    : passes_(rows, channels, samples),
      samples_(samples),
      groups_(groups),
      epsilon_(epsilon),
      threads_(std::min(threads, threads_of<T>(samples * rows * channels, 3))) {}

// Samples that stay in a core's cache from one pass to the next are shared out whole; larger ones
// are cut themselves, one after the other.
template <class T>
bool GroupNormOp<T>::shares_whole_samples() const {
  return passes_.rows() * passes_.channels() <= 4 * kChunk;
}

template <class T>
std::size_t GroupNormOp<T>::take_sample(void* memory, Sample& sample) const {
  WorkspacePieces pieces(memory);
  sample.map.take(pieces, passes_.channels());
  sample.statistics = pieces.take<double>(4 * passes_.channels());
  sample.scratch = pieces.take<double>(passes_.scratch_size());
  return pieces.bytes();
}

template <class T>
std::size_t GroupNormOp<T>::set_workspace(void* workspace, NormPass pass) {
  WorkspacePieces pieces(workspace);
  Sample sample;
  scratch_.take(pieces, shares_whole_samples() ? threads_ : 1, samples_,
                static_cast<std::int64_t>(take_sample(nullptr, sample)));
  if (pass == NormPass::kForward) return pieces.bytes();
  sums_ = pieces.take<double>(samples_ * 2 * passes_.channels());
  total_ = pieces.take<double>(2 * passes_.channels());
  return pieces.bytes();
}

// Calls f(sample, what it may write to, threads to use for it).
template <class T>
template <class F>
void GroupNormOp<T>::for_each_sample(F&& f) const {
  const std::int64_t elements = passes_.rows() * passes_.channels();
  const bool whole = shares_whole_samples();
  const std::int64_t samples_per_chunk =
      whole ? std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(1, elements)) : samples_;
  for_each_chunk(samples_, samples_per_chunk, threads_,
                 [&](std::int64_t begin, std::int64_t count, int thread) {
                   Sample sample;
                   take_sample(scratch_.of(thread), sample);
                   for (std::int64_t s = begin; s < begin + count; ++s)
                     f(s, sample, whole ? 1 : threads_);
                 });
}

template <class T>
void GroupNormOp<T>::group_statistics(const T* x, const Sample& sample, int threads) const {
  const std::int64_t channels = passes_.channels(), width = channels / groups_;
  double* mean = sample.statistics;
  double* m2 = mean + channels;
  passes_.moments(x, mean, m2, sample.scratch, threads);
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
      sample.map.mean[c] = static_cast<T>(group_mean);
      mean[2 * channels + c] = group_mean;
      mean[3 * channels + c] = inverse;
    }
  }
}

template <class T>
void GroupNormOp<T>::forward(const T* x, const T* gamma, const T* beta, T* y) const {
  const std::int64_t channels = passes_.channels(), elements = passes_.rows() * channels;
  for_each_sample([&](std::int64_t s, const Sample& sample, int threads) {
    group_statistics(x + s * elements, sample, threads);
    const ChannelScale<T>& map = sample.map;
    for (std::int64_t c = 0; c < channels; ++c) {
      const double scale = value_or(gamma, c, 1.0) * sample.statistics[3 * channels + c];
      const double rest = sample.statistics[2 * channels + c] - static_cast<double>(map.mean[c]);
      map.scale[c] = static_cast<T>(scale);
      map.offset[c] = static_cast<T>(value_or(beta, c, 0.0) - rest * scale);
    }
    passes_.normalize(x + s * elements, nullptr, y + s * elements, map.mean, map.scale, map.offset,
                      false, threads);
  });
}

template <class T>
void GroupNormOp<T>::backward(const T* dy, const T* x, const T* gamma, T* dx, T* dgamma,
                              T* dbeta) const {
  const std::int64_t channels = passes_.channels(), elements = passes_.rows() * channels;
  const std::int64_t width = channels / groups_;
  const double count = static_cast<double>(std::max<std::int64_t>(1, passes_.rows() * width));
  for_each_sample([&](std::int64_t s, const Sample& sample, int threads) {
    const std::int64_t at = s * elements;
    group_statistics(x + at, sample, threads);
    const ChannelScale<T>& map = sample.map;
    double* sums = sums_ + s * 2 * channels;  // of dy, and of dy * xhat
    passes_.product_sums(dy + at, x + at, nullptr, map.mean, sums, sample.scratch, threads);
    const double* mean = sample.statistics + 2 * channels;
    for (std::int64_t first = 0; first < channels; first += width) {
      const double inverse = mean[channels + first];
      const double rest = mean[first] - static_cast<double>(map.mean[first]);
      double sum = 0.0, along = 0.0;
      for (std::int64_t c = first; c < first + width; ++c) {
        sums[channels + c] = (sums[channels + c] - rest * sums[c]) * inverse;
        sum += value_or(gamma, c, 1.0) * sums[c];
        along += value_or(gamma, c, 1.0) * sums[channels + c];
      }
      const double slope = -inverse * inverse * along / count;
      for (std::int64_t c = first; c < first + width; ++c) {
        map.scale[c] = static_cast<T>(value_or(gamma, c, 1.0) * inverse);
        map.slope[c] = static_cast<T>(slope);
        map.offset[c] = static_cast<T>(-inverse * sum / count - rest * slope);
      }
    }
    passes_.backward(dy + at, x + at, nullptr, dx + at, nullptr, map.mean, map.scale, map.slope,
                     map.offset, threads);
  });
  add_rows(sums_, samples_, 2 * channels, total_);
  for (std::int64_t c = 0; c < channels; ++c) {
    dbeta[c] = static_cast<T>(total_[c]);
    dgamma[c] = static_cast<T>(total_[channels + c]);
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
      stream_(too_large_to_cache<T>(rows * cols)),
      blocks_(
          rows, cols,
          std::clamp<std::int64_t>(kChunk / std::max<std::int64_t>(1, cols), 32, RowBlocks::kRows),
          cols <= kWholeRow ? kWholeRow : RowBlocks::kColumns),
      ones_(static_cast<std::size_t>(cols), T(1)),
      zeros_(static_cast<std::size_t>(cols), T(0)) {}

template <class T>
std::size_t LayerNormOp<T>::set_workspace(void* workspace, NormPass pass) {
  WorkspacePieces pieces(workspace);
  if (pass == NormPass::kForward) return 0;
  partial_ = pieces.take<T>(2 * blocks_.blocks() * cols_);
  gradients_ = pieces.take<RowGradient<T>>(rows_);
  return pieces.bytes();
}

template <class T>
void LayerNormOp<T>::forward(const T* x, const T* gamma, const T* beta, T* y) const {
  if (cols_ == 0) return;  // the kernels read the first value of a row
  gamma = gamma != nullptr ? gamma : ones_.data();
  beta = beta != nullptr ? beta : zeros_.data();
  const std::int64_t rows_per_chunk =
      std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(1, cols_));
  for_each_chunk(rows_, rows_per_chunk, threads_, [&](std::int64_t row, std::int64_t rows) {
    const std::int64_t at = row * cols_;
    kernels_->norm->row_norm({x + at, y + at, rows, cols_, gamma, beta, epsilon_, stream_});
  });
}

template <class T>
void LayerNormOp<T>::backward(const T* dy, const T* x, const T* gamma, T* dx, T* dgamma,
                              T* dbeta) const {
  if (cols_ == 0) return;
  gamma = gamma != nullptr ? gamma : ones_.data();
  const std::int64_t plane = blocks_.blocks() * cols_;
  const NormKernels<T>& norm = *kernels_->norm;
  const auto args = [&](std::int64_t row, std::int64_t rows, std::int64_t column,
                        std::int64_t columns, std::int64_t block) {
    const std::int64_t at = row * cols_ + column;
    T* sums = partial_ + block * cols_ + column;
    return RowNormBackwardArgs<T>{dy + at, x + at,       dx + at,        cols_,
                                  rows,    columns,      gamma + column, gradients_ + row,
                                  sums,    sums + plane, epsilon_,       stream_};
  };
  const bool whole = cols_ <= kWholeRow;
  // Rows whose two passes find them in the L1 cache.
  const std::int64_t few = std::max<std::int64_t>(2, 4096 / std::max<std::int64_t>(1, cols_));
  if (!whole) {
    const std::int64_t rows_per_chunk = std::max<std::int64_t>(1, kChunk / cols_);
    for_each_chunk(rows_, rows_per_chunk, threads_, [&](std::int64_t row, std::int64_t rows) {
      norm.row_gradients(args(row, rows, 0, cols_, 0));
    });
  }
  blocks_.for_each_block(threads_, [&](std::int64_t block, std::int64_t first, std::int64_t count,
                                       std::int64_t column, std::int64_t columns) {
    T* sums = partial_ + block * cols_ + column;
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
  reduce.sum_rows(partial_, cols_, dgamma, blocks_.blocks(), cols_, false);
  reduce.sum_rows(partial_ + plane, cols_, dbeta, blocks_.blocks(), cols_, false);
}

template class GroupNormOp<float>;
template class GroupNormOp<double>;
template class LayerNormOp<float>;
template class LayerNormOp<double>;

}  // namespace dlnative
