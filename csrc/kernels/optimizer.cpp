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
void sgd_momentum(T* param, T* momentum, const T* grad, std::int64_t n, T learning_rate, T share,
                  T decay_rate) {
  const Vec<T> rate = broadcast(learning_rate);
  const Vec<T> mu = broadcast(share);
  const Vec<T> decay = broadcast(decay_rate);
  for_each_vector<T>(n, [=](auto at) {
    const Vec<T> p = at.read(param);
    const Vec<T> step = computed(rate * at.read(grad));
    const Vec<T> m = mu * at.read(momentum) - step;
    const Vec<T> decayed = p - decay * p;
    at.write(momentum, m);
    at.write(param, kNesterov ? decayed + (mu * m - step) : decayed + m);
  });
}

// momentum = share momentum - learning_rate grad
// param += momentum, or with Nesterov share momentum - learning_rate grad
template <class T>
void sgd(T* param, T* momentum, const T* grad, std::int64_t n, T learning_rate, T share,
         bool nesterov, T decay_rate) {
  if (momentum == nullptr) {
    sgd_plain(param, grad, n, learning_rate, decay_rate);
  } else if (nesterov) {
    sgd_momentum<T, true>(param, momentum, grad, n, learning_rate, share, decay_rate);
  } else {
    sgd_momentum<T, false>(param, momentum, grad, n, learning_rate, share, decay_rate);
  }
}

template <class T, bool kAmsgrad>
void adam_variant(T* param, T* momentum, T* velocity, T* velocity_hat, const T* grad,
                  std::int64_t n, T alpha, T one_minus_beta_1, T one_minus_beta_2, T epsilon,
                  T decay_rate) {
  const Vec<T> rate = broadcast(alpha);
  const Vec<T> share_1 = broadcast(one_minus_beta_1);
  const Vec<T> share_2 = broadcast(one_minus_beta_2);
  const Vec<T> eps = broadcast(epsilon);
  const Vec<T> decay = broadcast(decay_rate);
  for_each_vector<T>(n, [=](auto at) {
    const Vec<T> p = at.read(param);
    const Vec<T> g = at.read(grad);
    const Vec<T> m_old = at.read(momentum);
    const Vec<T> v_old = at.read(velocity);
    const Vec<T> m_new = m_old + share_1 * (g - m_old);
    const Vec<T> v_new = v_old + share_2 * (g * g - v_old);
    at.write(momentum, m_new);
    at.write(velocity, v_new);
    Vec<T> second_moment = v_new;
    if constexpr (kAmsgrad) {
      const Vec<T> before = at.read(velocity_hat);
      second_moment = before != before ? before : vmax<T>(before, v_new);  // NaN stays, of either
      at.write(velocity_hat, second_moment);
    }
    at.write(param, (p - decay * p) - (rate * m_new) / (square_root(second_moment) + eps));
  });
}

// momentum += (1 - beta_1) (grad - momentum); velocity += (1 - beta_2) (grad^2 - velocity)
// velocity_hat = max(velocity_hat, velocity)
// param -= alpha momentum / (sqrt(velocity or velocity_hat) + epsilon)
template <class T>
void adam(T* param, T* momentum, T* velocity, T* velocity_hat, const T* grad, std::int64_t n,
          T alpha, T one_minus_beta_1, T one_minus_beta_2, T epsilon, T decay_rate) {
  const auto variant = velocity_hat != nullptr ? adam_variant<T, true> : adam_variant<T, false>;
  variant(param, momentum, velocity, velocity_hat, grad, n, alpha, one_minus_beta_1,
          one_minus_beta_2, epsilon, decay_rate);
}

}  // namespace

extern const OptimizerKernels<float> optimizer_f32;
extern const OptimizerKernels<double> optimizer_f64;
const OptimizerKernels<float> optimizer_f32 = {sgd<float>, adam<float>};
const OptimizerKernels<double> optimizer_f64 = {sgd<double>, adam<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
