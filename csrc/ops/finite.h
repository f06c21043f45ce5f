// Whether all values of some arrays are finite.
#pragma once

#include <cstdint>

#include "core/table.h"
#include "kernels/kernel_table.h"
#include "ops/chunks.h"

namespace dlnative {

class AllFiniteOp {
 public:
  void add(const float* x, std::int64_t n);
  void add(const double* x, std::int64_t n);
  std::size_t set_workspace(void* workspace);
  bool run() const;

 private:
  static constexpr std::int64_t kFew = 32;

  template <class T>
  struct Array {
    Array(const T* x, std::int64_t n);
    bool is_finite() const;
    const ConvertKernels<T>* kernels = nullptr;
    const T* data = nullptr;
    std::int64_t size = 0;
    ChunkedSum wrong;  // chunks that are not
  };

  Table<Array<float>> floats_;
  Table<Array<double>> doubles_;
};

}  // namespace dlnative
