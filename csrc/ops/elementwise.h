// Arithmetic on two arrays with NumPy's broadcasting, and on an array and two numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"
#include "ops/broadcast.h"

namespace dlnative {

// y = a op b. y may be a (b) where that has the shape of the result.
template <class T>
class BinaryOp {
 public:
  // std::invalid_argument: `a` and `b` do not broadcast to `shape`.
  BinaryOp(Binary op, const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b,
           const std::vector<std::int64_t>& shape);
  void run(const T* a, const T* b, T* y) const;

 private:
  void run_row(const T* a, const T* b, T* y, std::int64_t n) const;

  BroadcastLoops loops_;
  void (*vectors_)(const T*, const T*, T*, std::int64_t);
  void (*scalar_right_)(const T*, T, T*, std::int64_t);
  void (*scalar_left_)(T, const T*, T*, std::int64_t);
  int threads_ = 0;
};

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

extern template class BinaryOp<float>;
extern template class BinaryOp<double>;
extern template class RescaleOp<float>;
extern template class RescaleOp<double>;

}  // namespace dlnative
