#include "ops/optimizer.h"

#include <cmath>

#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

// Elements of one task: every update reads and writes several arrays.
constexpr std::int64_t kUpdateChunk = kChunk / 2;

}  // namespace

double PowerSeries::at(double base, std::int64_t t) {
  if (!known_ || base != base_) {
    known_ = true;
    base_ = base;
    for (std::int64_t l = 0; l < kLow; ++l)
      low_[static_cast<std::size_t>(l)] = std::pow(base, static_cast<double>(l));
    high_t_ = 0;
    high_ = 1.0;
  }
  const std::int64_t l = t & (kLow - 1);
  if (t - l != high_t_) {
    high_t_ = t - l;
    high_ = std::pow(base_, static_cast<double>(high_t_));
  }
  return high_ * low_[static_cast<std::size_t>(l)];
}

template <class T>
SgdOp<T>::SgdOp(std::int64_t n, bool nesterov)
    : kernels_(kernels<T>().optimizer),
      n_(n),
      threads_(threads_for(static_cast<double>(n) * 0.25)),
      nesterov_(nesterov) {}

template <class T>
void SgdOp<T>::run(T* param, T* momentum, const T* grad, double learning_rate, double share,
                   double weight_decay) const {
  const T rate = static_cast<T>(learning_rate);
  const T keep = static_cast<T>(share);
  const T decay = static_cast<T>(weight_decay * learning_rate);
  for_each_chunk(n_, kUpdateChunk, threads_, [&](std::int64_t begin, std::int64_t size) {
    T* m = momentum != nullptr ? momentum + begin : nullptr;
    kernels_->sgd(param + begin, m, grad + begin, size, rate, keep, nesterov_, decay);
  });
}

template <class T>
AdamOp<T>::AdamOp(std::int64_t n)
    : kernels_(kernels<T>().optimizer),
      n_(n),
      threads_(threads_for(static_cast<double>(n) * 0.5)) {}

template <class T>
void AdamOp<T>::run(T* param, T* momentum, T* velocity, T* velocity_hat, const T* grad,
                    const Numbers& numbers, std::int64_t t) {
  const double beta_1 = numbers.beta_1, beta_2 = numbers.beta_2;
  const double correction = std::sqrt(1.0 - beta_2_.at(beta_2, t)) / (1.0 - beta_1_.at(beta_1, t));
  const T alpha = static_cast<T>(numbers.learning_rate * correction);
  const T share_1 = static_cast<T>(1.0 - beta_1);
  const T share_2 = static_cast<T>(1.0 - beta_2);
  const T epsilon = static_cast<T>(numbers.epsilon);
  const T decay = static_cast<T>(numbers.weight_decay * numbers.learning_rate);
  for_each_chunk(n_, kUpdateChunk, threads_, [&](std::int64_t begin, std::int64_t size) {
    T* largest = velocity_hat != nullptr ? velocity_hat + begin : nullptr;
    kernels_->adam(param + begin, momentum + begin, velocity + begin, largest, grad + begin, size,
                   alpha, share_1, share_2, epsilon, decay);
  });
}

template class SgdOp<float>;
template class SgdOp<double>;
template class AdamOp<float>;
template class AdamOp<double>;

}  // namespace dlnative
