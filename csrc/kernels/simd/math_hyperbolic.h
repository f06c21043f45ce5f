// Vector sinh and cosh, and the inverse hyperbolic functions. tanh is in math_sigmoid.h.
#pragma once

#include "kernels/simd/math_exp.h"
#include "kernels/simd/math_log.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// sinh(x) = x + x z P(z), z = x^2, on |x| <= 1: minimax fits of the smallest relative error
// (Remez).
template <class T>
struct SinhConstants;

template <>
struct SinhConstants<float> {
  static constexpr float kP[] = {0x1.555556p-3f, 0x1.111134p-7f, 0x1.9ffe9p-13f,
                                 0x1.7a15ecp-19f};    // |error| <= 2^-27.5
  static constexpr float kOverflow = 0x1.65a9f8p+6f;  // sinh(x) is finite up to here
};

template <>
struct SinhConstants<double> {
  static constexpr double kP[] = {0x1.5555555555555p-3,  0x1.1111111111111p-7,
                                  0x1.a01a01a019fc1p-13, 0x1.71de3a5573f88p-19,
                                  0x1.ae6456741a7d9p-26, 0x1.61246afadfd6dp-33,
                                  0x1.ae756e21ad0f5p-41, 0x1.9a7961382c764p-49};  // 2^-56.8
  static constexpr double kOverflow = 0x1.633ce8fb9f87dp+9;
};

// exp(a) / 2 for a >= 0: 2^(n - 1) stays in range where exp(a) would not.
template <class T>
DLNATIVE_INLINE Vec<T> half_exp(Vec<T> a) {
  ExpParts<T> parts = exp_parts<T>(a);
  parts.n -= 1;
  return a <= SinhConstants<T>::kOverflow ? exp_of_parts<T>(parts) : a + infinity<T>();
}

// Error: float32 1.57 / 1.57, float64 1.49 / 1.54 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> vsinh(Vec<T> x) {
  const Vec<T> a = vabs<T>(x), z = a * a;
  const Vec<T> e = half_exp<T>(a);
  const Vec<T> near = a + a * (z * polynomial<T>(z, SinhConstants<T>::kP));
  return with_sign_of<T>(a < 1 ? near : e - T(0.25) / e, x);
}

// Error: float32 1.64 / 1.64, float64 1.32 / 1.45 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> vcosh(Vec<T> x) {
  const Vec<T> e = half_exp<T>(vabs<T>(x));
  return e + T(0.25) / e;
}

// From here on sqrt(x^2 + 1) = x, and its square is finite.
template <class T>
constexpr T kInverseHyperbolicLarge = sizeof(T) == 4 ? T(0x1p26) : T(0x1p60);

// log1p(u) below kInverseHyperbolicLarge, log(2 a) beyond.
template <class T>
DLNATIVE_INLINE Vec<T> log1p_or_log2a(Vec<T> u, Vec<T> a) {
  const Mask<T> large = a >= kInverseHyperbolicLarge<T>;
  const Vec<T> y = vlog1p<T>(large ? a : u);
  return large ? y + T(0.693147180559945309417) : y;
}

// log1p(a + a^2 / (1 + sqrt(a^2 + 1))). Error: float32 1.73 / 1.63, float64 1.62 / 1.57 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> varcsinh(Vec<T> x) {
  const Vec<T> a = vabs<T>(x), square = a * a;
  const Vec<T> u = a + square / (1 + square_root(square + 1));
  return with_sign_of<T>(log1p_or_log2a<T>(u, a), x);
}

// log1p(t + sqrt(t (t + 2))), t = x - 1; NaN below 1. Error: float32 1.95 / 1.99 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> varccosh(Vec<T> x) {
  const Vec<T> t = x - 1;
  const Vec<T> y = log1p_or_log2a<T>(t + square_root(t * (t + 2)), x);
  return x < 1 ? broadcast(quiet_nan<T>()) : y;
}

// log1p(2 a / (1 - a)) / 2; infinity at 1, NaN beyond. Error: float32 2.01 / 1.93, float64 1.82 /
// 1.97 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> varctanh(Vec<T> x) {
  const Vec<T> a = vabs<T>(x);
  return with_sign_of<T>(T(0.5) * vlog1p<T>((a + a) / (1 - a)), x);
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
