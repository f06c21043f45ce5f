// Running means of metrics and losses.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"
#include "ops/chunks.h"

namespace dlnative {

// state += [sum(values * weight), sum(weight)] in float64; without a weight the second sum is n.
template <class T>
class AccumulateMeanOp {
 public:
  explicit AccumulateMeanOp(std::int64_t n);
  std::size_t set_workspace(void* workspace);
  void run(double* state, const T* values, const T* weight) const;

 private:
  const ReduceKernels<T>* kernels_ = nullptr;
  std::int64_t n_ = 0;
  ChunkedSum sum_;
};

extern template class AccumulateMeanOp<float>;
extern template class AccumulateMeanOp<double>;

}  // namespace dlnative
