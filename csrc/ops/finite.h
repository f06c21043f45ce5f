// Whether all values of some arrays are finite.
#pragma once

#include <cstdint>

#include "core/table.h"
#include "kernels/kernel_table.h"
#include "ops/chunks.h"

namespace dlnative {

// Each array is summed, which costs a read: a sum of finite values is finite, but for the rare one
// that overflows, and one of others is not. What is in doubt is looked at value by value.
class AllFiniteOp {
 public:
  void add(const float* x, std::int64_t n);
  void add(const double* x, std::int64_t n);
  std::size_t set_workspace(void* workspace);
  bool run() const;

 private:
  template <class T>
  struct Array {
    Array(const T* x, std::int64_t n);
    bool is_finite() const;
    const ReduceKernels<T>* kernels = nullptr;
    const T* data = nullptr;
    std::int64_t size = 0;
    ChunkedSum sum;
  };

  Table<Array<float>> floats_;
  Table<Array<double>> doubles_;
};

}  // namespace dlnative
