// Softmax and log-softmax along one axis of a contiguous array (outer, axis, inner), and their
// gradients.
#pragma once

#include <cstdint>

#include "kernels/map_kernels.h"

namespace dlnative {

template <class T>
class SoftmaxOp {
 public:
  enum class Kind { kSoftmax, kLogSoftmax };

  SoftmaxOp(Kind kind, std::int64_t outer, std::int64_t axis, std::int64_t inner);
  // y may be x.
  void forward(const T* x, T* y) const;
  // dx from dy and the output y; dx may be dy or y.
  void backward(const T* dy, const T* y, T* dx) const;

 private:
  // A piece of at most kStrip neighbouring columns of one (axis, inner) matrix.
  static constexpr std::int64_t kStrip = 256;

  template <class F>
  void for_each_strip(F&& f) const;
  void forward_strip(const T* x, T* y, std::int64_t n) const;
  void softmax_backward_strip(const T* dy, const T* y, T* dx, std::int64_t n) const;
  void log_softmax_backward_strip(const T* dy, const T* y, T* dx, std::int64_t n) const;
  void binary(Map op, const T* a, const T* b, T* y, std::int64_t n) const;
  void exponential(const T* x, T* y, std::int64_t n) const;

  const Kernels<T>* kernels_ = nullptr;
  Kind kind_{};
  void (*rows_forward_)(const T*, T*, std::int64_t, std::int64_t);
  void (*rows_backward_)(const T*, const T*, T*, std::int64_t, std::int64_t);
  std::int64_t outer_ = 0, axis_ = 0, inner_ = 0;
  std::int64_t chunk_rows_ = 0;
  int threads_ = 0;
};

extern template class SoftmaxOp<float>;
extern template class SoftmaxOp<double>;

}  // namespace dlnative
