// Accuracies per row of [rows, cols].
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace dlnative {

enum class Accuracy { kCategorical, kSparseCategorical, kBinary };

// out[r] = 1 where row r is right, else 0; for kBinary the share of columns that are right.
// Labels are T[rows, cols], or int32[rows] for kSparseCategorical.
template <class T>
class AccuracyOp {
 public:
  // std::invalid_argument: no columns.
  AccuracyOp(Accuracy accuracy, std::int64_t rows, std::int64_t cols, double threshold);
  void run(const T* pred, const void* labels, T* out) const;

 private:
  void run_rows(const T* pred, const void* labels, T* out, std::int64_t begin,
                std::int64_t size) const;

  const LossKernels<T>* kernels_ = nullptr;
  Accuracy accuracy_{};
  std::int64_t rows_ = 0, cols_ = 0;
  T threshold_{};
  std::int64_t chunk_rows_ = 0;
  int threads_ = 0;
};

extern template class AccuracyOp<float>;
extern template class AccuracyOp<double>;

}  // namespace dlnative
