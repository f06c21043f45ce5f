// Inverted dropout with a mask that is recomputed, never stored.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace dlnative {

// y[i] = x[i] / (1 - rate) where element i is kept, else 0, for n values. y may be x. The gradient
// is the same op on dy. The mask is a function of seed, op_id, step and i: see core/philox.h. Each
// run has a rate of its own; one below 0 counts as 0, one above 1 as 1, and NaN gives NaN.
template <class T>
class DropoutOp {
 public:
  DropoutOp(std::uint64_t seed, std::uint32_t op_id, std::int64_t n);
  void run(const T* x, T* y, double rate, std::uint64_t step) const;

 private:
  void (*kernel_)(const T*, T*, std::int64_t, std::uint64_t, std::uint64_t, std::uint32_t,
                  std::uint32_t, std::uint32_t, T);
  std::uint32_t key0_ = 0, key1_ = 0;
  std::int64_t n_ = 0;
  int threads_ = 0;
};

extern template class DropoutOp<float>;
extern template class DropoutOp<double>;

}  // namespace dlnative
