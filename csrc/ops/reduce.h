// Sums, means and extrema over any axes, argmax, and sums of squares over several arrays.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/kernel_table.h"
#include "ops/chunks.h"

namespace dlnative {

enum class Reduction { kSum, kMean, kMax, kMin };

// y = reduction of x over `axes`; y has the remaining axes in their order.
//
// Neighbouring axes that are all reduced or all kept count as one. Each group of reduced axes is
// then one pass over x[outer, n, inner], from the last group to the first. A pass is cut into
// blocks of rows (of n) and of columns (of inner); the results of blocks of rows are reduced in
// their order.
template <class T>
class ReduceOp {
 public:
  // std::invalid_argument: an axis is out of range or named twice; an extremum of nothing.
  ReduceOp(Reduction reduction, const std::string& name, const std::vector<std::int64_t>& shape,
           const std::vector<std::int64_t>& axes);

  std::int64_t input_size() const { return input_size_; }
  std::int64_t output_size() const { return output_size_; }

  // y does not overlap x.
  void run(const T* x, T* y);

 private:
  struct Pass {
    std::int64_t outer = 0, n = 0, inner = 0;
    std::int64_t rows = 0, columns = 0;              // of a block
    std::int64_t row_blocks = 0, column_blocks = 0;  // of one outer index
    int threads = 0;
  };
  Pass plan(std::int64_t outer, std::int64_t n, std::int64_t inner);
  void run_pass(const Pass& pass, const T* x, T* y);
  void reduce_block(const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t columns,
                    T* y) const;

  const Kernels<T>* kernels_ = nullptr;
  Reduction reduction_{};
  std::int64_t input_size_ = 1;
  std::int64_t output_size_ = 1;
  std::int64_t count_ = 1;  // elements of x per element of y
  std::vector<Pass> passes_;
  std::vector<T> between_[2];  // results of a pass that is not the last
  std::vector<T> partial_;     // of blocks of rows: [outer, row_blocks, inner]
};

// y[o, i] = the index j of the first maximum (or first NaN) of x[o, j, i].
template <class T>
class ArgmaxOp {
 public:
  ArgmaxOp(std::int64_t outer, std::int64_t n, std::int64_t inner);
  void run(const T* x, std::int32_t* y) const;

 private:
  const ReduceKernels<T>* kernels_ = nullptr;
  std::int64_t outer_ = 0, n_ = 0, inner_ = 0;
};

// sqrt(sum of x^2) over all elements of several arrays, formed in float64.
template <class T>
class NormOp {
 public:
  struct Array {
    const T* data = nullptr;
    std::int64_t size = 0;
  };
  explicit NormOp(const std::vector<Array>& arrays);
  double run();

 private:
  const ReduceKernels<T>* kernels_ = nullptr;
  std::vector<Array> chunks_;
  std::vector<double> partial_;
  int threads_ = 0;
};

extern template class ReduceOp<float>;
extern template class ReduceOp<double>;
extern template class ArgmaxOp<float>;
extern template class ArgmaxOp<double>;
extern template class NormOp<float>;
extern template class NormOp<double>;

}  // namespace dlnative
