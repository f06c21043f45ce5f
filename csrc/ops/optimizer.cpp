#include "ops/optimizer.h"

#include <cmath>

#include "dispatch/dispatch.h"
#include "kernels/map_kernels.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

// Elements of one task: every update reads and writes several arrays.
constexpr std::int64_t kUpdateChunk = kChunk / 2;

}  // namespace

PowerSeries::PowerSeries(double base) : base_(base), low_() {
  for (std::int64_t l = 0; l < kLow; ++l) {
    low_[static_cast<std::size_t>(l)] = std::pow(base, static_cast<double>(l));
  }
}

double PowerSeries::at(std::int64_t t) {
  const std::int64_t l = t & (kLow - 1);
  if (t - l != high_t_) {
    high_t_ = t - l;
    high_ = std::pow(base_, static_cast<double>(high_t_));
  }
  return high_ * low_[static_cast<std::size_t>(l)];
}

UpdateOp::UpdateOp(std::int64_t n, double nanoseconds, double weight_decay)
    : n_(n),
      threads_(threads_for(static_cast<double>(n) * nanoseconds)),
      weight_decay_(weight_decay) {}

template <class F>
void UpdateOp::for_each_task(F&& f) const {
  for_each_chunk(n_, kUpdateChunk, threads_, f);
}

template <class T>
SgdOp<T>::SgdOp(std::int64_t n, double momentum, bool nesterov, double weight_decay)
    : UpdateOp(n, 0.25, weight_decay),
      kernels_(kernels<T>().optimizer),
      momentum_(static_cast<T>(momentum)),
      nesterov_(nesterov) {}

template <class T>
void SgdOp<T>::run(T* param, T* velocity, const T* grad, double learning_rate) const {
  const T rate = static_cast<T>(learning_rate);
  const T decay = static_cast<T>(decay_rate(learning_rate));
  for_each_task([&](std::int64_t begin, std::int64_t size) {
    T* v = velocity != nullptr ? velocity + begin : nullptr;
    kernels_->sgd(param + begin, v, grad + begin, size, rate, momentum_, nesterov_, decay);
  });
}

template <class T>
AdagradOp<T>::AdagradOp(std::int64_t n, double epsilon, double weight_decay)
    : UpdateOp(n, 0.4, weight_decay),
      kernels_(kernels<T>().optimizer),
      epsilon_(static_cast<T>(epsilon)) {}

template <class T>
void AdagradOp<T>::run(T* param, T* accumulator, const T* grad, double learning_rate) const {
  const T rate = static_cast<T>(learning_rate);
  const T decay = static_cast<T>(decay_rate(learning_rate));
  for_each_task([&](std::int64_t begin, std::int64_t size) {
    kernels_->adagrad(param + begin, accumulator + begin, grad + begin, size, rate, epsilon_,
                      decay);
  });
}

template <class T>
RmspropOp<T>::RmspropOp(std::int64_t n, double rho, double momentum, double epsilon,
                        double weight_decay)
    : UpdateOp(n, 0.5, weight_decay),
      kernels_(kernels<T>().optimizer),
      one_minus_rho_(static_cast<T>(1.0 - rho)),
      momentum_(static_cast<T>(momentum)),
      epsilon_(static_cast<T>(epsilon)) {}

template <class T>
void RmspropOp<T>::run(T* param, T* velocity, T* momentum_buffer, T* average_grad, const T* grad,
                       double learning_rate) const {
  const T rate = static_cast<T>(learning_rate);
  const T decay = static_cast<T>(decay_rate(learning_rate));
  for_each_task([&](std::int64_t begin, std::int64_t size) {
    T* momentum = momentum_buffer != nullptr ? momentum_buffer + begin : nullptr;
    T* average = average_grad != nullptr ? average_grad + begin : nullptr;
    kernels_->rmsprop(param + begin, velocity + begin, momentum, average, grad + begin, size, rate,
                      one_minus_rho_, momentum_, epsilon_, decay);
  });
}

template <class T>
AdamOp<T>::AdamOp(std::int64_t n, double beta_1, double beta_2, double epsilon, double weight_decay)
    : UpdateOp(n, 0.5, weight_decay),
      kernels_(kernels<T>().optimizer),
      beta_1_(beta_1),
      beta_2_(beta_2),
      one_minus_beta_1_(static_cast<T>(1.0 - beta_1)),
      one_minus_beta_2_(static_cast<T>(1.0 - beta_2)),
      epsilon_(static_cast<T>(epsilon)) {}

template <class T>
void AdamOp<T>::run(T* param, T* m, T* v, T* vhat, const T* grad, double learning_rate,
                    std::int64_t t) {
  const double correction = std::sqrt(1.0 - beta_2_.at(t)) / (1.0 - beta_1_.at(t));
  const T alpha = static_cast<T>(learning_rate * correction);
  const T decay = static_cast<T>(decay_rate(learning_rate));
  for_each_task([&](std::int64_t begin, std::int64_t size) {
    T* largest = vhat != nullptr ? vhat + begin : nullptr;
    kernels_->adam(param + begin, m + begin, v + begin, largest, grad + begin, size, alpha,
                   one_minus_beta_1_, one_minus_beta_2_, epsilon_, decay);
  });
}

template <class T>
ClipOp<T>::ClipOp(std::int64_t n)
    : kernels_(&kernels<T>()), n_(n), threads_(threads_for(static_cast<double>(n) * 0.3)) {}

template <class T>
void ClipOp<T>::scale(const T* x, T* y, double factor) const {
  const T rounded = static_cast<T>(factor);
  for_each_chunk(n_, kUpdateChunk, threads_, [&](std::int64_t begin, std::int64_t size) {
    kernels_->elementwise->rescale(x + begin, y + begin, size, rounded, T(0));
  });
}

template <class T>
void ClipOp<T>::clip(const T* x, T* y, double limit) const {
  const T bound = static_cast<T>(limit);
  const T low = -bound;
  const MapKernels<T>& map = *kernels_->map;
  const std::int64_t steps[] = {1, 0};
  for_each_chunk(n_, kUpdateChunk, threads_, [&](std::int64_t begin, std::int64_t size) {
    const void* const values[] = {x + begin, &low};
    map[Map::kMaximum](values, steps, y + begin, size);
    const void* const raised[] = {y + begin, &bound};
    map[Map::kMinimum](raised, steps, y + begin, size);
  });
}

template class SgdOp<float>;
template class SgdOp<double>;
template class AdagradOp<float>;
template class AdagradOp<double>;
template class RmspropOp<float>;
template class RmspropOp<double>;
template class AdamOp<float>;
template class AdamOp<double>;
template class ClipOp<float>;
template class ClipOp<double>;

}  // namespace dlnative
