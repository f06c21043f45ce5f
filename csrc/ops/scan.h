// Running sums and products.
#pragma once

#include <cstdint>

namespace dlnative {

// y[o, j, i] = sum or product of x[o, k, i] over k <= j, or with `reverse` over k >= j. float32 is
// summed in float64, integers wrap.
template <class T>
class ScanOp {
 public:
  ScanOp(bool product, bool reverse, std::int64_t outer, std::int64_t n, std::int64_t inner)
      : product_(product), reverse_(reverse), outer_(outer), n_(n), inner_(inner) {}

  // y may be x.
  void run(const T* x, T* y) const;

 private:
  template <bool kProduct>
  void run_rows(const T* x, T* y) const;
  template <bool kProduct>
  void run_columns(const T* x, T* y) const;

  bool product_ = false, reverse_ = false;
  std::int64_t outer_ = 0, n_ = 0, inner_ = 0;
};

}  // namespace dlnative
