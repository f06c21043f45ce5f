// Arithmetic on an array and two numbers.
#pragma once

#include <cstdint>

namespace dlnative {

// y[i] = x[i] * scale + offset for n values. y may be x.
template <class T>
class RescaleOp {
 public:
  RescaleOp(double scale, double offset, std::int64_t n);
  void run(const T* x, T* y) const;

 private:
  void (*kernel_)(const T*, T*, std::int64_t, T, T);
  T scale_{}, offset_{};
  std::int64_t n_ = 0;
  int threads_ = 0;
};

extern template class RescaleOp<float>;
extern template class RescaleOp<double>;

}  // namespace dlnative
