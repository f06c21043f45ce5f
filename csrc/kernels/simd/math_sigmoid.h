// Vector logistic function and tanh.
#pragma once

#include "kernels/simd/math_exp.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// sigmoid(x) = 1 / (1 + exp(-x)) with exp(-x) = 2^n + 2^n t: the denominator is (1 + 2^n) + 2^n t.
// Both terms are exact, except that 1 is lost in 1 + 2^n from n = 24 (53) on; there it is added to
// the smaller term. So there is one rounding at the size of the denominator; rounding exp(-x) first
// would push the result beyond 2 ulp. Large x are cut where the result is 1.
// Error: float32 1.75 / 1.73, float64 1.76 / 1.75 ulp; below the smallest normal number 0.
template <class T>
DLNATIVE_INLINE Vec<T> vsigmoid(Vec<T> x) {
  constexpr T kLosesOne = sizeof(T) == 4 ? T(0x1p23) : T(0x1p52);
  const ExpParts<T> parts = exp_parts<T>(-at_most<T>(x, T(80)));
  const Vec<T> scale = power_of_two<T>(parts.n);
  const Vec<T> lost = scale > kLosesOne ? broadcast<T>(1) : Vec<T>{};
  const Vec<T> y = 1 / ((1 + scale) + (scale * parts.t + lost));
  return x < ExpConstants<T>::kUnderflow ? Vec<T>{} : y;
}

// sigmoid(x) and its derivative e / (1 + e)^2, e = exp(-|x|), which keeps its digits where
// sigmoid(x) is close to 1.
template <class T>
struct Logistic {
  Vec<T> value;
  Vec<T> derivative;
};

template <class T>
DLNATIVE_INLINE Logistic<T> logistic(Vec<T> x) {
  const Vec<T> e = vexp_nonpositive<T>(-vabs<T>(x));
  const Vec<T> inverse = 1 / (1 + e);
  const Vec<T> complement = e * inverse;
  return {x < 0 ? complement : inverse, complement * inverse};
}

// tanh(x) - x = x z P(z) / Q(z) with z = x^2: the form is W. J. Cody and W. Waite's (Software
// Manual for the Elementary Functions, 1980); the coefficients are a minimax fit on |x| <= 0.56,
// weighted for the smallest relative error of tanh, with Q's leading coefficient 1.
template <class T>
struct TanhConstants;

template <>
struct TanhConstants<float> {
  static constexpr float kP[] = {-0x1.a5c554p-1f, -0x1.f630bap-9f};  // |error| <= 2^-28.8
  static constexpr float kQ[] = {0x1.3c5406p+1f, 1.0f};
  static constexpr float kOne = 10.0f;  // tanh(x) rounds to 1 from here on
};

template <>
struct TanhConstants<double> {
  static constexpr double kP[] = {-0x1.93615930c03f1p+10, -0x1.8cecc47b572e3p+6,
                                  -0x1.edc2d2badfbdap-1};  // |error| <= 2^-62.7
  static constexpr double kQ[] = {0x1.2e8902e4902f5p+12, 0x1.173d67ef36b53p+11,
                                  0x1.c3007be083aa3p+6, 1.0};
  static constexpr double kOne = 20.0;
};

// tanh(x), for |x| < 0.549 by the rational function above, beyond as 1 - 2 / (exp(2 |x|) + 1).
// Above ln(3) / 2 = 0.5493 the subtrahend is below 1/2, so its error counts at most once. Both
// branches share one division. Error: float32 1.75 / 1.75, float64 1.81 / 1.81 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> vtanh(Vec<T> x) {
  using C = TanhConstants<T>;
  const Vec<T> a = at_most<T>(vabs<T>(x), C::kOne);
  const ExpParts<T> parts = exp_parts<T>(a + a);
  const Vec<T> scale = power_of_two<T>(parts.n);
  const Vec<T> exp_plus_1 = (1 + scale) + scale * parts.t;
  const Vec<T> z = a * a;
  const Mask<T> small = a < T(0.549);
  const Vec<T> numerator = small ? z * polynomial<T>(z, C::kP) : broadcast<T>(-2);
  const Vec<T> denominator = small ? polynomial<T>(z, C::kQ) : exp_plus_1;
  const Vec<T> base = small ? a : broadcast<T>(1);
  return with_sign_of<T>(base + base * (numerator / denominator), x);
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
