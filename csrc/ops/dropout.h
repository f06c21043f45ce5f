// Inverted dropout with a mask that is recomputed, never stored.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace dlnative {

// y[i] = x[i] / (1 - rate) where element i is kept, else 0, for n values. y may be x. The gradient
// is the same op on dy. The mask is a function of seed, op_id, step and i: see core/philox.h.
template <class T>
class DropoutOp {
 public:
  // std::invalid_argument: rate is not in [0, 1].
  DropoutOp(double rate, std::uint64_t seed, std::uint32_t op_id, std::int64_t n);
  void run(const T* x, T* y, std::uint64_t step) const;

 private:
  void (*kernel_)(const T*, T*, std::int64_t, std::uint64_t, std::uint64_t, std::uint32_t,
                  std::uint32_t, std::uint32_t, T);
  std::uint32_t key0_ = 0, key1_ = 0;
  std::uint64_t threshold_ = 0;  // 2^32: nothing is kept
  T scale_{};
  std::int64_t n_ = 0;
  int threads_ = 0;
};

extern template class DropoutOp<float>;
extern template class DropoutOp<double>;

}  // namespace dlnative
