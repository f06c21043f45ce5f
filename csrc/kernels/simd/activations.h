// Activations and their gradients on one vector.
//
// Each struct has forward(x) and backward(dy, saved). `saved` is the output y where the gradient
// can be written in terms of it, so that the input need not be kept; otherwise it is the input x.
// NaN passes through every forward function but step's.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/math.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// ActivationParams in the kernel's type.
template <class T>
struct Params {
  explicit Params(const ActivationParams& params)
      : alpha(static_cast<T>(params.alpha)),
        max_value(static_cast<T>(params.max_value)),
        threshold(static_cast<T>(params.threshold)) {}
  T alpha, max_value, threshold;
};

// y = max(x, 0); saves y.
struct Relu {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return at_least<T>(x, 0);
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> y, const Params<T>&) {
    return y > 0 ? dy : Vec<T>{};
  }
};

// y = x where x > 0, alpha x elsewhere; saves y, whose sign is that of x for alpha >= 0.
struct LeakyRelu {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>& p) {
    return x > 0 ? x : p.alpha * x;
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> y, const Params<T>& p) {
    return y > 0 ? dy : p.alpha * dy;
  }
};

// y = min(max(x, 0), max_value) where x > threshold, alpha (x - threshold) elsewhere; saves x.
// max_value = infinity stands for none: then negative x above a negative threshold pass, too.
struct ReluGeneral {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>& p) {
    const T min_value = p.max_value < infinity<T>() ? T(0) : -infinity<T>();
    const Vec<T> above = at_least<T>(at_most<T>(x, p.max_value), min_value);
    const Vec<T> below = p.alpha == 0 ? Vec<T>{} : p.alpha * (x - p.threshold);  // 0 at -infinity
    return x <= p.threshold ? below : above;
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> x, const Params<T>& p) {
    const Vec<T> inside = ((x > 0) & (x < p.max_value)) ? dy : Vec<T>{};
    const Vec<T> above = p.max_value < infinity<T>() ? inside : dy;
    const Vec<T> below = p.alpha == 0 ? Vec<T>{} : p.alpha * dy;
    return x > p.threshold ? above : below;
  }
};

// y = x where x > 0, alpha (exp(x) - 1) elsewhere; saves y: the gradient below 0 is y + alpha.
struct Elu {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>& p) {
    return x > 0 ? x : p.alpha * vexpm1_nonpositive<T>(at_most<T>(x, 0));
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> y, const Params<T>& p) {
    return y > 0 ? dy : dy * (y + p.alpha);
  }
};

// y = scale elu(x, alpha) with the constants of Klambauer et al. 2017, "Self-Normalizing Neural
// Networks"; saves y.
struct Selu {
  static constexpr double kScale = 1.0507009873554804934193349852946;
  static constexpr double kScaleAlpha = kScale * 1.6732632423543772848170429916717;
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return x > 0 ? T(kScale) * x : T(kScaleAlpha) * vexpm1_nonpositive<T>(at_most<T>(x, 0));
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> y, const Params<T>&) {
    return y > 0 ? T(kScale) * dy : dy * (y + T(kScaleAlpha));
  }
};

// y = x Phi(x), Phi the distribution function of the standard normal distribution; saves x.
struct Gelu {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return x * normal_distribution<T>(x).cdf;
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> x, const Params<T>&) {
    const NormalDistribution<T> normal = normal_distribution<T>(x);
    return dy * (normal.cdf + x * normal.density);
  }
};

// y = x (1 + tanh(u)) / 2 = x sigmoid(2u) with u = sqrt(2 / pi) (x + 0.044715 x^3); saves x.
struct GeluTanh {
  static constexpr double kLinear = 1.5957691216057307117597842397375;  // 2 sqrt(2 / pi)
  static constexpr double kCubic = kLinear * 0.044715;
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return x * vsigmoid<T>(x * (T(kLinear) + T(kCubic) * (x * x)));
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> x, const Params<T>&) {
    // Beyond 30 the derivative of sigmoid is 0, and must not meet an infinite square.
    const Vec<T> z = at_least<T>(at_most<T>(x, 30), -30);
    const Vec<T> square = z * z;
    const Logistic<T> s = logistic<T>(z * (T(kLinear) + T(kCubic) * square));
    const Vec<T> inner = T(kLinear) + T(3 * kCubic) * square;
    return dy * (s.value + (x * s.derivative) * inner);
  }
};

// y = x sigmoid(x); saves x.
struct Silu {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return x * vsigmoid<T>(x);
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> x, const Params<T>&) {
    const Logistic<T> s = logistic<T>(x);
    return dy * (s.value + x * s.derivative);
  }
};

// Saves y.
struct Sigmoid {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return vsigmoid<T>(x);
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> y, const Params<T>&) {
    return dy * (y * (1 - y));
  }
};

// y = min(max(x + 3, 0), 6) / 6, as in Keras 3; saves y.
struct HardSigmoid {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return at_least<T>(at_most<T>(x + 3, 6), 0) * T(1.0 / 6.0);
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> y, const Params<T>&) {
    return ((y > 0) & (y < 1)) ? dy * T(1.0 / 6.0) : Vec<T>{};
  }
};

// Saves y. In 1 - y^2 the rounding error of the square would count for much near |y| = 1.
struct Tanh {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return vtanh<T>(x);
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> y, const Params<T>&) {
    return dy * ((1 - y) * (1 + y));
  }
};

// y = log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)); saves y: the gradient is 1 - exp(-y).
struct Softplus {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return at_least<T>(x, 0) + vlog1p_unit<T>(vexp_nonpositive<T>(-vabs<T>(x)));
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> y, const Params<T>&) {
    return dy * -vexpm1_nonpositive<T>(-y);
  }
};

// y = x / (1 + |x|); saves y: the gradient is (1 - |y|)^2.
struct Softsign {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return x / (1 + vabs<T>(x));
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> y, const Params<T>&) {
    const Vec<T> rest = 1 - vabs<T>(y);
    return dy * (rest * rest);
  }
};

// Saves y.
struct Exponential {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return vexp<T>(x);
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> backward(Vec<T> dy, Vec<T> y, const Params<T>&) {
    return dy * y;
  }
};

// y = 1 where x > 0, else 0, also for NaN. Its gradient is 0.
struct Step {
  template <class T>
  DLNATIVE_INLINE Vec<T> forward(Vec<T> x, const Params<T>&) {
    return x > 0 ? broadcast<T>(1) : Vec<T>{};
  }
};

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
