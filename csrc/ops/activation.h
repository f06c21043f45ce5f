// Activations and their gradients over one contiguous array, in chunks and on threads.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace dlnative {

// y[i] = f(x[i]) for n values. y may be x.
template <class T>
class ActivationOp {
 public:
  ActivationOp(Activation activation, const ActivationParams& params, std::int64_t n);
  void run(const T* x, T* y) const;

 private:
  ActivationForward<T> kernel_;
  ActivationParams params_;
  std::int64_t n_ = 0;
  int threads_ = 0;
};

// dx[i] = dy[i] f'(.), where `saved` is the output or the input of the activation: see
// kernels/simd/activations.h. `saved` is not read (and may be null) for kLinear and kStep. dx may
// be dy or saved.
template <class T>
class ActivationBackwardOp {
 public:
  ActivationBackwardOp(Activation activation, const ActivationParams& params, std::int64_t n);
  void run(const T* dy, const T* saved, T* dx) const;

 private:
  ActivationBackward<T> kernel_;
  ActivationParams params_;
  std::int64_t n_ = 0;
  int threads_ = 0;
};

extern template class ActivationOp<float>;
extern template class ActivationOp<double>;
extern template class ActivationBackwardOp<float>;
extern template class ActivationBackwardOp<double>;

}  // namespace dlnative
