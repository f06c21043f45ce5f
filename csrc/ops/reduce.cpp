#include "ops/reduce.h"

#include <cmath>
#include <cstring>

#include "core/checks.h"
#include "dispatch/dispatch.h"
#include "ops/map.h"

namespace dlnative {

namespace {

// Time of one element in nanoseconds, from memory.
constexpr double kElementTime = 0.25;

}  // namespace

template <class T>
BlockReduction<T>::BlockReduction(Reduction reduction, const std::string& name,
                                  const ReducePasses& passes,
                                  const std::vector<std::int64_t>& shape)
    : kernels_(&kernels<T>()),
      reduction_(reduction),
      results_(passes.output_size),
      count_(passes.count) {
  const bool extremum = reduction == Reduction::kMax || reduction == Reduction::kMin;
  check(!extremum || count_ > 0, name, ": an empty axis has no extremum, received shape ", shape);
}

template <class T>
void BlockReduction<T>::operator()(const T* x, std::int64_t ldx, std::int64_t rows,
                                   std::int64_t columns, T* y) const {
  const bool max = reduction_ == Reduction::kMax;
  if (max || reduction_ == Reduction::kMin) {
    if (ldx == 1) {
      *y = max ? kernels_->reduce->max(x, rows) : kernels_->reduce->min(x, rows);
      return;
    }
    const MapFunction combine = (*kernels_->map)[max ? Map::kMaximum : Map::kMinimum];
    std::memcpy(y, x, static_cast<std::size_t>(columns) * sizeof(T));
    for (std::int64_t j = 1; j < rows; ++j) apply_map(combine, y, x + j * ldx, y, columns);
  } else if (ldx == 1) {
    *y = static_cast<T>(kernels_->reduce->sum(x, rows));
  } else {
    kernels_->reduce->sum_rows(x, ldx, y, rows, columns, false);
  }
}

template <class T>
void BlockReduction<T>::finish(T* y) const {
  if (reduction_ != Reduction::kMean) return;
  const double n = static_cast<double>(count_);
  for (std::int64_t i = 0; i < results_; ++i) y[i] = static_cast<T>(static_cast<double>(y[i]) / n);
}

template <class T>
ReduceOp<T>::ReduceOp(Reduction reduction, const std::string& name,
                      const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& axes)
    : passes_(name, shape, axes), block_(reduction, name, passes_, shape) {}

template <class T>
std::size_t ReduceOp<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  for (std::size_t i = 0; i < 2 && i + 1 < passes_.passes.size(); ++i)
    between_[i] = pieces.take<T>(passes_.between);
  partial_ = pieces.take<T>(passes_.partials);
  return pieces.bytes();
}

template <class T>
void ReduceOp<T>::run(const T* x, T* y) const {
  const std::int64_t size = passes_.output_size;
  if (size == 0) return;
  if (passes_.passes.empty()) {
    std::memcpy(y, x, static_cast<std::size_t>(size) * sizeof(T));
    return;
  }
  const std::size_t count = passes_.passes.size();
  for (std::size_t i = 0; i < count; ++i) {
    T* to = i + 1 < count ? between_[i % 2] : y;
    run_pass(passes_.passes[i], x, partial_, to, block_);
    x = to;
  }
  block_.finish(y);
}

template <class T>
NormOp<T>::NormOp(const std::vector<Array>& arrays) : kernels_(kernels<T>().reduce) {
  std::int64_t total = 0;
  for (const Array& array : arrays) {
    for (std::int64_t begin = 0; begin < array.size; begin += kChunk) {
      chunks_.push_back({array.data + begin, std::min(kChunk, array.size - begin)});
    }
    total += array.size;
  }
  threads_ = threads_for(static_cast<double>(total) * kElementTime);
}

template <class T>
std::size_t NormOp<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  partial_ = pieces.take<double>(static_cast<std::int64_t>(chunks_.size()));
  return pieces.bytes();
}

template <class T>
double NormOp<T>::run() const {
  const auto count = static_cast<std::int64_t>(chunks_.size());
  parallel_for(count, threads_, [&](std::int64_t task, int) {
    const Array& chunk = chunks_[static_cast<std::size_t>(task)];
    partial_[task] = kernels_->sum_of_squares(chunk.data, chunk.size);
  });
  double total = 0.0;
  for (std::int64_t i = 0; i < count; ++i) total += partial_[i];
  return std::sqrt(total);
}

template class BlockReduction<float>;
template class BlockReduction<double>;
template class ReduceOp<float>;
template class ReduceOp<double>;
template class NormOp<float>;
template class NormOp<double>;

}  // namespace dlnative
