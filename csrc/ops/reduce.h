// Sums, means and extrema of floating-point numbers over any axes, and sums of squares over several
// arrays.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/table.h"
#include "kernels/kernel_table.h"
#include "ops/chunks.h"
#include "ops/reduce_passes.h"

namespace dlnative {

enum class Reduction { kSum, kMean, kMax, kMin };

// Reduces blocks, in the way of ReducePasses.
template <class T>
class BlockReduction {
 public:
  // For the results of `passes` over an array of this shape.
  // std::invalid_argument: an extremum of nothing.
  BlockReduction(Reduction reduction, const std::string& name, const ReducePasses& passes,
                 const std::vector<std::int64_t>& shape);

  // y[i] = sum or extremum over j of x[j, i]; where ldx is 1, of one contiguous row.
  void operator()(const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t columns,
                  T* y) const;
  // Turns the sums of a mean into it.
  void finish(T* y) const;

 private:
  const Kernels<T>* kernels_ = nullptr;
  Reduction reduction_{};
  std::int64_t results_ = 0;
  std::int64_t count_ = 0;  // elements of x per result
};

// y = reduction of x over `axes`; y has the remaining axes in their order.
template <class T>
class ReduceOp {
 public:
  // std::invalid_argument: an axis is out of range or named twice; an extremum of nothing.
  ReduceOp(Reduction reduction, const std::string& name, const std::vector<std::int64_t>& shape,
           const std::vector<std::int64_t>& axes);

  std::int64_t output_size() const { return passes_.output_size; }
  std::size_t set_workspace(void* workspace);

  // y does not overlap x.
  void run(const T* x, T* y) const;

 private:
  ReducePasses passes_;
  BlockReduction<T> block_;
  T* between_[2] = {};    // results of a pass that is not the last
  T* partial_ = nullptr;  // of blocks of rows
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
  std::size_t set_workspace(void* workspace);
  double run() const;

 private:
  const ReduceKernels<T>* kernels_ = nullptr;
  Table<Array> chunks_;
  double* partial_ = nullptr;
  int threads_ = 0;
};

extern template class BlockReduction<float>;
extern template class BlockReduction<double>;
extern template class ReduceOp<float>;
extern template class ReduceOp<double>;
extern template class NormOp<float>;
extern template class NormOp<double>;

}  // namespace dlnative
