// The standard normal distribution, for the exact GELU, and the error function.
#pragma once

#include "kernels/simd/lanes.h"
#include "kernels/simd/math_exp.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Mills' ratio M(t) = Phi(-t) exp(t^2 / 2) = P(t) / Q(t) for t >= 0: minimax fits of the smallest
// relative error on [0, kMax], by iteratively reweighted linear least squares in 100 digits. All
// coefficients are positive, so no digit cancels.
template <class T>
struct MillsConstants;

template <>
struct MillsConstants<float> {
  static constexpr float kMax = 15.0f;  // |error| <= 2^-27.2
  static constexpr float kP[] = {0x1p-1f, 0x1.c1d324p-2f, 0x1.78c43ep-3f, 0x1.4ee52ap-5f,
                                 0x1.102eaep-8f};
  static constexpr float kQ[] = {0x1p+0f,        0x1.ad2bc4p+0f, 0x1.349e86p+0f,
                                 0x1.e2b836p-2f, 0x1.a3c100p-4f, 0x1.552058p-7f};
  static constexpr std::uint32_t kHighHalf = 0xfffff000u;  // 12 bits of mantissa
};

template <>
struct MillsConstants<double> {
  static constexpr double kMax = 39.0;  // |error| <= 2^-54.1
  static constexpr double kP[] = {0x1p-1,
                                  0x1.8cbdb93107b00p-1,
                                  0x1.3028fc340285dp-1,
                                  0x1.2849f60d489d6p-2,
                                  0x1.9032f8e5d6d5cp-4,
                                  0x1.830edae1f6676p-6,
                                  0x1.0c0592c1843e8p-8,
                                  0x1.012623aaf92e6p-11,
                                  0x1.388dc7fd7501fp-15,
                                  0x1.7408f38643d57p-20};
  static constexpr double kQ[] = {0x1p+0,
                                  0x1.2c7ff167d4afep+1,
                                  0x1.47d81c4fae200p+1,
                                  0x1.b6e4faa573007p+0,
                                  0x1.906bcf756bc5cp-1,
                                  0x1.0517fb0ca0349p-2,
                                  0x1.ef1eb18eda2f0p-5,
                                  0x1.52f9d14c03c0ap-7,
                                  0x1.4332fb8dfbf21p-10,
                                  0x1.87ba6736225b1p-14,
                                  0x1.d246d4a722212p-19};
  static constexpr std::uint64_t kHighHalf = 0xfffffffff8000000u;  // 26 bits
};

// cdf = Phi(x) and density = exp(-x^2 / 2) / sqrt(2 pi).
template <class T>
struct NormalDistribution {
  Vec<T> cdf;
  Vec<T> density;
};

// Phi(x) = Phi(-t) for x < 0 and 1 - Phi(-t) otherwise, t = |x|, so no digit is lost in the lower
// tail, where (1 + erf(x / sqrt2)) / 2 cancels. In exp(-t^2 / 2) the square is split: that of t's
// high half is exact, the rest is carried into the reduced argument.
// Error of cdf: float32 2.94 / 2.94 ulp for x >= 0, 5.87 / 5.15 below, float64 6.12 / 5.48; of
// density: float32 2.24 / 2.13, float64 2.31 / 2.31.
template <class T>
DLNATIVE_INLINE NormalDistribution<T> normal_distribution(Vec<T> x) {
  using C = MillsConstants<T>;
  const Vec<T> t = at_most<T>(vabs<T>(x), C::kMax);
  const Vec<T> high = from_bits<T>(to_bits<T>(t) & C::kHighHalf);
  const Vec<T> rest = T(0.5) * (t - high) * (t + high);
  const Vec<T> e = vexp_nonpositive<T>(T(-0.5) * high * high, rest);
  const Vec<T> upper_tail = e * (split_polynomial<T>(t, C::kP) / split_polynomial<T>(t, C::kQ));
  return {x < 0 ? upper_tail : 1 - upper_tail, e * T(0.398942280401432677939946)};
}

// erf(x) = x + x P(x^2) for |x| < 1: minimax fits of the smallest relative error of erf (Remez).
template <class T>
struct ErfConstants;

template <>
struct ErfConstants<float> {
  static constexpr float kP[] = {0x1.06eba8p-3f, -0x1.81273ep-2f,  0x1.ce2cf8p-4f, -0x1.b7f90cp-6f,
                                 0x1.5405b0p-8f, -0x1.a3f6f6p-11f, 0x1.496a16p-14f};  // 2^-29.6
  static constexpr float kOne = 4.0f;  // erf(x) rounds to 1 from here on
};

template <>
struct ErfConstants<double> {
  static constexpr double kP[] = {
      0x1.06eba8214db69p-3,  -0x1.812746b0379e6p-2,  0x1.ce2f21a042b20p-4,  -0x1.b82ce3128499cp-6,
      0x1.565bcd0db02dfp-8,  -0x1.c02db3d8ed0c1p-11, 0x1.f9a321a11a600p-14, -0x1.f4d1df390133ap-17,
      0x1.b9def199fd13ep-20, -0x1.5f1d369f69977p-23, 0x1.f7a410af277f7p-27, -0x1.386abc1647205p-30,
      0x1.05799df6f771bp-34};  // 2^-62.7
  static constexpr double kOne = 6.0;
};

// erf(x) for larger |x| as 1 - 2 Phi(-t), t = sqrt2 |x|.
// Error: float32 1.29 / 1.29, float64 1.19 / 1.05 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> verf(Vec<T> x) {
  using C = MillsConstants<T>;
  const Vec<T> a = at_most<T>(vabs<T>(x), ErfConstants<T>::kOne);
  const Vec<T> z = a * a;
  // Below the least normal number a product with 0.128 would be lost.
  const Vec<T> linear = a * T(1.12837916709551257390);
  const Vec<T> series = a + a * polynomial<T>(z, ErfConstants<T>::kP);
  const Vec<T> near = a < T(0x1p-30) ? linear : series;
  const Vec<T> t = a * T(1.41421356237309504880);
  const Vec<T> ratio = polynomial<T>(t, C::kP) / polynomial<T>(t, C::kQ);
  const Vec<T> far = 1 - (vexp_nonpositive<T>(-z) * ratio) * 2;
  return with_sign_of<T>(a < 1 ? near : far, x);
}

// erfc(x) = 2 Phi(-sqrt2 x) in float64, where the rounded product matters little. Error: 0.51 ulp.
DLNATIVE_INLINE Vec<double> erfc_wide(Vec<double> x) {
  const Vec<double> y = 2 * normal_distribution<double>(x * -1.41421356237309504880).cdf;
  return x == x ? y : x;
}
DLNATIVE_INLINE Vec<float> verfc(Vec<float> x) {
  return narrow(erfc_wide(widen_low(x)), erfc_wide(widen_high(x)));
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
