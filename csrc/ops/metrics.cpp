#include "ops/metrics.h"

#include <algorithm>

#include "core/checks.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

template <class T>
AccuracyOp<T>::AccuracyOp(Accuracy accuracy, std::int64_t rows, std::int64_t cols, double threshold)
    : kernels_(kernels<T>().loss),
      accuracy_(accuracy),
      rows_(rows),
      cols_(cols),
      threshold_(static_cast<T>(threshold)),
      chunk_rows_(std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(cols, 1))),
      threads_(threads_for(static_cast<double>(rows * cols))) {
  check(cols > 0, "accuracy: expected at least one class");
}

template <class T>
void AccuracyOp<T>::run(const T* pred, const void* labels, T* out) const {
  for_each_chunk(rows_, chunk_rows_, threads_, [&](std::int64_t begin, std::int64_t size) {
    run_rows(pred, labels, out, begin, size);
  });
}

template <class T>
void AccuracyOp<T>::run_rows(const T* pred, const void* labels, T* out, std::int64_t begin,
                             std::int64_t size) const {
  pred += begin * cols_;
  out += begin;
  if (accuracy_ == Accuracy::kSparseCategorical) {
    const std::int32_t* classes = static_cast<const std::int32_t*>(labels) + begin;
    kernels_->sparse_categorical_accuracy(pred, classes, out, size, cols_);
    return;
  }
  const T* dense = static_cast<const T*>(labels) + begin * cols_;
  if (accuracy_ == Accuracy::kCategorical) {
    kernels_->categorical_accuracy(pred, dense, out, size, cols_);
  } else {
    kernels_->binary_accuracy(pred, dense, out, size, cols_, threshold_);
  }
}

template class AccuracyOp<float>;
template class AccuracyOp<double>;

}  // namespace dlnative
