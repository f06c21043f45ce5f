// Updates of optimizers over one contiguous array, in place, and the norm of gradients.
//
// run() gets the arrays and the numbers of this step. Those are float64, so that 1 - beta and
// beta^t lose nothing, and rounded once. Weight decay is decoupled: param -= param * weight_decay *
// learning_rate comes first.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace dlnative {

// base^t for t >= 0 within 2.5 units in the last place: base^(32 h) * base^l with t = 32 h + l and
// 0 <= l < 32. A pure function of base and t, so a run that is resumed gets the bits of one that
// was not; what is kept from call to call saves std::pow in 31 of 32 steps (20 ns each).
class PowerSeries {
 public:
  double at(double base, std::int64_t t);

 private:
  static constexpr std::int64_t kLow = 32;
  double base_ = 0.0;
  bool known_ = false;
  std::array<double, kLow> low_{};
  std::int64_t high_t_ = 0;
  double high_ = 1.0;
};

template <class T>
class SgdOp {
 public:
  SgdOp(std::int64_t n, bool nesterov);
  // momentum may be null; share is how much of it a step keeps.
  void run(T* param, T* momentum, const T* grad, double learning_rate, double share,
           double weight_decay) const;

 private:
  const OptimizerKernels<T>* kernels_ = nullptr;
  std::int64_t n_ = 0;
  int threads_ = 0;
  bool nesterov_ = false;
};

template <class T>
class AdamOp {
 public:
  struct Numbers {
    double learning_rate, beta_1, beta_2, epsilon, weight_decay;
  };

  explicit AdamOp(std::int64_t n);
  // Update t = 1, 2, ...; velocity_hat is null without amsgrad.
  void run(T* param, T* momentum, T* velocity, T* velocity_hat, const T* grad,
           const Numbers& numbers, std::int64_t t);

 private:
  const OptimizerKernels<T>* kernels_ = nullptr;
  std::int64_t n_ = 0;
  int threads_ = 0;
  PowerSeries beta_1_, beta_2_;
};

extern template class SgdOp<float>;
extern template class SgdOp<double>;
extern template class AdamOp<float>;
extern template class AdamOp<double>;

}  // namespace dlnative
