// Updates of optimizers and clipping of gradients, over one contiguous array.
//
// Each op owns its options; run() gets the arrays, the learning rate and, where the formula needs
// it, the number of this update, t = 1, 2, ... Scalars are computed in float64 and rounded once.
// weight_decay is decoupled: param -= param * weight_decay * learning_rate comes first.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace dlnative {

// base^t for t >= 0 within 2.5 units in the last place: base^(32 h) * base^l with t = 32 h + l and
// 0 <= l < 32. A pure function of t, so a run that is resumed gets the bits of one that was not;
// what is kept from call to call saves std::pow in 31 of 32 steps (20 ns each).
class PowerSeries {
 public:
  explicit PowerSeries(double base);
  double at(std::int64_t t);

 private:
  static constexpr std::int64_t kLow = 32;
  double base_ = 0.0;
  std::array<double, kLow> low_;
  std::int64_t high_t_ = 0;
  double high_ = 1.0;
};

// What all updates have: the array's length, its cut into tasks, and weight decay.
class UpdateOp {
 public:
  UpdateOp(std::int64_t n, double nanoseconds, double weight_decay);

 protected:
  template <class F>
  void for_each_task(F&& f) const;
  double decay_rate(double learning_rate) const { return weight_decay_ * learning_rate; }

 private:
  std::int64_t n_ = 0;
  int threads_ = 0;
  double weight_decay_ = 0.0;
};

template <class T>
class SgdOp : private UpdateOp {
 public:
  SgdOp(std::int64_t n, double momentum, bool nesterov, double weight_decay);
  // velocity is null where momentum is 0.
  void run(T* param, T* velocity, const T* grad, double learning_rate) const;

 private:
  const OptimizerKernels<T>* kernels_ = nullptr;
  T momentum_{};
  bool nesterov_ = false;
};

template <class T>
class AdagradOp : private UpdateOp {
 public:
  AdagradOp(std::int64_t n, double epsilon, double weight_decay);
  void run(T* param, T* accumulator, const T* grad, double learning_rate) const;

 private:
  const OptimizerKernels<T>* kernels_ = nullptr;
  T epsilon_{};
};

template <class T>
class RmspropOp : private UpdateOp {
 public:
  RmspropOp(std::int64_t n, double rho, double momentum, double epsilon, double weight_decay);
  // momentum_buffer and average_grad may be null.
  void run(T* param, T* velocity, T* momentum_buffer, T* average_grad, const T* grad,
           double learning_rate) const;

 private:
  const OptimizerKernels<T>* kernels_ = nullptr;
  T one_minus_rho_{}, momentum_{}, epsilon_{};
};

template <class T>
class AdamOp : private UpdateOp {
 public:
  AdamOp(std::int64_t n, double beta_1, double beta_2, double epsilon, double weight_decay);
  // vhat is null without amsgrad.
  void run(T* param, T* m, T* v, T* vhat, const T* grad, double learning_rate, std::int64_t t);

 private:
  const OptimizerKernels<T>* kernels_ = nullptr;
  PowerSeries beta_1_, beta_2_;
  T one_minus_beta_1_{}, one_minus_beta_2_{}, epsilon_{};
};

// y = x * factor, and y = min(max(x, -limit), limit); y may be x.
template <class T>
class ClipOp {
 public:
  explicit ClipOp(std::int64_t n);
  void scale(const T* x, T* y, double factor) const;
  void clip(const T* x, T* y, double limit) const;

 private:
  const Kernels<T>* kernels_ = nullptr;
  std::int64_t n_ = 0;
  int threads_ = 0;
};

extern template class SgdOp<float>;
extern template class SgdOp<double>;
extern template class AdagradOp<float>;
extern template class AdagradOp<double>;
extern template class RmspropOp<float>;
extern template class RmspropOp<double>;
extern template class AdamOp<float>;
extern template class AdamOp<double>;
extern template class ClipOp<float>;
extern template class ClipOp<double>;

}  // namespace dlnative
