// Updates of optimizers: one streaming pass over the parameters, their slots and the gradient.
//
// Formulas are those of Keras 3. They leave the compiler no choice which product it contracts to a
// fused multiply-add, so an element gets the same bits in a whole vector and in the tail: no sum of
// two products, no product in two sums. (1 - beta) comes from the caller: 1 - 0.999f is off by
// 1e-5.
//
// From memory they are bound by bandwidth; in cache Adam is bound by square root and division, and
// prefetching costs more than it brings. Measured: docs/performance.md, "Optimizers".
#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Where a step reads and writes: a whole vector, or the first lanes of one.
template <class T>
struct WholeVector {
  std::int64_t first;
  Vec<T> read(const T* p) const { return load(p + first); }
  void write(T* p, Vec<T> v) const { store(p + first, v); }
};

template <class T>
struct FirstLanes {
  std::int64_t first, count;
  Vec<T> read(const T* p) const { return load_first(p + first, count); }
  void write(T* p, Vec<T> v) const { store_first(p + first, v, count); }
};

template <class T, class Step>
DLNATIVE_INLINE void for_each_vector(std::int64_t n, Step step) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) step(WholeVector<T>{i});
  if (i < n) step(FirstLanes<T>{i, n - i});
}

template <class T>
void sgd_plain(T* param, const T* grad, std::int64_t n, T learning_rate, T decay_rate) {
  const Vec<T> rate = broadcast(learning_rate);
  const Vec<T> decay = broadcast(decay_rate);
  for_each_vector<T>(n, [=](auto at) {
    const Vec<T> p = at.read(param);
    const Vec<T> decayed = p - decay * p;
    at.write(param, decayed - rate * at.read(grad));
  });
}

template <class T, bool kNesterov>
void sgd_momentum(T* param, T* velocity, const T* grad, std::int64_t n, T learning_rate, T momentum,
                  T decay_rate) {
  const Vec<T> rate = broadcast(learning_rate);
  const Vec<T> mu = broadcast(momentum);
  const Vec<T> decay = broadcast(decay_rate);
  for_each_vector<T>(n, [=](auto at) {
    const Vec<T> p = at.read(param);
    const Vec<T> step = computed(rate * at.read(grad));
    const Vec<T> v = mu * at.read(velocity) - step;
    const Vec<T> decayed = p - decay * p;
    at.write(velocity, v);
    at.write(param, kNesterov ? decayed + (mu * v - step) : decayed + v);
  });
}

// velocity = momentum velocity - learning_rate grad
// param += velocity, or with Nesterov momentum velocity - learning_rate grad
template <class T>
void sgd(T* param, T* velocity, const T* grad, std::int64_t n, T learning_rate, T momentum,
         bool nesterov, T decay_rate) {
  if (velocity == nullptr) {
    sgd_plain(param, grad, n, learning_rate, decay_rate);
  } else if (nesterov) {
    sgd_momentum<T, true>(param, velocity, grad, n, learning_rate, momentum, decay_rate);
  } else {
    sgd_momentum<T, false>(param, velocity, grad, n, learning_rate, momentum, decay_rate);
  }
}

// accumulator += grad^2
// param -= learning_rate grad / sqrt(accumulator + epsilon)
template <class T>
void adagrad(T* param, T* accumulator, const T* grad, std::int64_t n, T learning_rate, T epsilon,
             T decay_rate) {
  const Vec<T> rate = broadcast(learning_rate);
  const Vec<T> eps = broadcast(epsilon);
  const Vec<T> decay = broadcast(decay_rate);
  for_each_vector<T>(n, [=](auto at) {
    const Vec<T> p = at.read(param);
    const Vec<T> g = at.read(grad);
    const Vec<T> sum = at.read(accumulator) + g * g;
    at.write(accumulator, sum);
    at.write(param, (p - decay * p) - (rate * g) / square_root(sum + eps));
  });
}

template <class T, bool kMomentum, bool kCentered>
void rmsprop_variant(T* param, T* velocity, T* momentum_buffer, T* average_grad, const T* grad,
                     std::int64_t n, T learning_rate, T one_minus_rho, T momentum, T epsilon,
                     T decay_rate) {
  const Vec<T> rate = broadcast(learning_rate);
  const Vec<T> share = broadcast(one_minus_rho);
  const Vec<T> keep = broadcast(T(1) - one_minus_rho);  // no difference: inf - inf would be NaN
  const Vec<T> mu = broadcast(momentum);
  const Vec<T> eps = broadcast(epsilon);
  const Vec<T> decay = broadcast(decay_rate);
  for_each_vector<T>(n, [=](auto at) {
    const Vec<T> p = at.read(param);
    const Vec<T> g = at.read(grad);
    const Vec<T> v_old = at.read(velocity);
    const Vec<T> v = keep * v_old + share * (g * g);
    at.write(velocity, v);
    Vec<T> variance = v;
    if constexpr (kCentered) {
      const Vec<T> average_old = at.read(average_grad);
      const Vec<T> average = keep * average_old + share * g;
      at.write(average_grad, average);
      variance = vmax<T>(Vec<T>{}, v - average * average);  // NaN stays: it is the second
    }
    Vec<T> increment = (rate * g) / square_root(variance + eps);
    if constexpr (kMomentum) {
      increment = mu * at.read(momentum_buffer) + increment;
      at.write(momentum_buffer, increment);
    }
    at.write(param, (p - decay * p) - increment);
  });
}

// velocity = rho velocity + (1 - rho) grad^2; average_grad = rho average_grad + (1 - rho) grad
// increment = learning_rate grad / sqrt(velocity - average_grad^2 + epsilon)
// momentum_buffer = momentum momentum_buffer + increment; param -= momentum_buffer, or increment
// The variance velocity - average_grad^2 is kept from becoming negative by rounding.
template <class T>
void rmsprop(T* param, T* velocity, T* momentum_buffer, T* average_grad, const T* grad,
             std::int64_t n, T learning_rate, T one_minus_rho, T momentum, T epsilon,
             T decay_rate) {
  const bool with_momentum = momentum_buffer != nullptr;
  auto variant = with_momentum ? rmsprop_variant<T, true, false> : rmsprop_variant<T, false, false>;
  if (average_grad != nullptr) {
    variant = with_momentum ? rmsprop_variant<T, true, true> : rmsprop_variant<T, false, true>;
  }
  variant(param, velocity, momentum_buffer, average_grad, grad, n, learning_rate, one_minus_rho,
          momentum, epsilon, decay_rate);
}

template <class T, bool kAmsgrad>
void adam_variant(T* param, T* m, T* v, T* vhat, const T* grad, std::int64_t n, T alpha,
                  T one_minus_beta_1, T one_minus_beta_2, T epsilon, T decay_rate) {
  const Vec<T> rate = broadcast(alpha);
  const Vec<T> share_1 = broadcast(one_minus_beta_1);
  const Vec<T> share_2 = broadcast(one_minus_beta_2);
  const Vec<T> eps = broadcast(epsilon);
  const Vec<T> decay = broadcast(decay_rate);
  for_each_vector<T>(n, [=](auto at) {
    const Vec<T> p = at.read(param);
    const Vec<T> g = at.read(grad);
    const Vec<T> m_old = at.read(m);
    const Vec<T> v_old = at.read(v);
    const Vec<T> m_new = m_old + share_1 * (g - m_old);
    const Vec<T> v_new = v_old + share_2 * (g * g - v_old);
    at.write(m, m_new);
    at.write(v, v_new);
    Vec<T> second_moment = v_new;
    if constexpr (kAmsgrad) {
      const Vec<T> before = at.read(vhat);
      second_moment = before != before ? before : vmax<T>(before, v_new);  // NaN stays, of either
      at.write(vhat, second_moment);
    }
    at.write(param, (p - decay * p) - (rate * m_new) / (square_root(second_moment) + eps));
  });
}

// m += (1 - beta_1) (grad - m); v += (1 - beta_2) (grad^2 - v); vhat = max(vhat, v)
// param -= alpha m / (sqrt(v or vhat) + epsilon)
template <class T>
void adam(T* param, T* m, T* v, T* vhat, const T* grad, std::int64_t n, T alpha, T one_minus_beta_1,
          T one_minus_beta_2, T epsilon, T decay_rate) {
  const auto variant = vhat != nullptr ? adam_variant<T, true> : adam_variant<T, false>;
  variant(param, m, v, vhat, grad, n, alpha, one_minus_beta_1, one_minus_beta_2, epsilon,
          decay_rate);
}

}  // namespace

extern const OptimizerKernels<float> optimizer_f32;
extern const OptimizerKernels<double> optimizer_f64;
const OptimizerKernels<float> optimizer_f32 = {sgd<float>, adagrad<float>, rmsprop<float>,
                                               adam<float>};
const OptimizerKernels<double> optimizer_f64 = {sgd<double>, adagrad<double>, rmsprop<double>,
                                                adam<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
