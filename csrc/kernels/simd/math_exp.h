// Vector exp, exp2 and expm1, and the argument reduction that sigmoid, tanh and the normal
// distribution share.
//
// The reduction: x = n ln2 + r with n an integer and |r| <= ln2 / 2, so that
// exp(x) = 2^n (1 + t) with t = expm1(r) = r + r^2 Q(r). ln2 is subtracted in two parts, the first
// with enough trailing zeros to make n * kLn2High exact (W. J. Cody and W. Waite, Software Manual
// for the Elementary Functions, 1980). n is rounded by adding and subtracting 1.5 * 2^m, m the
// number of mantissa bits; the low bits of the sum are n, and a shift makes them an exponent.
//
// Q is a minimax polynomial, fitted with Remez's algorithm in 60 digits to the smallest error
// relative to expm1(r) on |r| <= 1.005 ln2 / 2, then rounded coefficient by coefficient (float32).
//
// Errors that the comments state, "without / with" fused multiply-adds, are the largest found
// against higher precision: float32 over every value with 2^-30 <= |x| < 128 (log: all) and every
// 997th of the rest, float64 over 4e7 random values. Results below the smallest normal number are 0
// in every floating-point mode.
#pragma once

#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
  static constexpr float kLog2E = 0x1.715476p+0f;
  static constexpr float kLn2High = 0x1.62e4p-1f;  // 15 bits
  static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
  static constexpr float kRound = 0x1.8p+23f;
  // |error| <= 2^-26.0 relative to expm1(r), 2^-27.8 relative to exp(r)
  static constexpr float kQ[] = {0x1.fffffep-2f, 0x1.5554a8p-3f, 0x1.55578cp-5f, 0x1.122d38p-7f,
                                 0x1.6ae9ecp-10f};
  static constexpr float kOverflow = 0x1.62e42ep+6f;    // exp(x) is finite up to here
  static constexpr float kUnderflow = -0x1.5d589ep+6f;  // exp(x) is normal from here on
};

template <>
struct ExpConstants<double> {
  static constexpr double kLog2E = 0x1.71547652b82fep+0;
  static constexpr double kLn2High = 0x1.62e42feep-1;  // 32 bits
  static constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  static constexpr double kRound = 0x1.8p+52;
  // |error| <= 2^-55.0 relative to expm1(r), 2^-56.3 relative to exp(r)
  static constexpr double kQ[] = {0x1p-1,
                                  0x1.555555555553dp-3,
                                  0x1.5555555553a05p-5,
                                  0x1.11111111191fdp-7,
                                  0x1.6c16c17a67858p-10,
                                  0x1.a01a01704cccbp-13,
                                  0x1.a019b21663386p-16,
                                  0x1.71de994737aa9p-19,
                                  0x1.289922afe503ap-22,
                                  0x1.ae48c87d37f74p-26};
  static constexpr double kOverflow = 0x1.62e42fefa39efp+9;
  static constexpr double kUnderflow = -0x1.6232bdd7abcd2p+9;
};

// coefficients[0] + coefficients[1] x + ... by Horner's rule. Splitting even from odd powers
// shortens the chain but costs one multiplication more; it was 0 to 30 % slower on Zen 3 (2026-11),
// where neighbouring vectors hide the latency.
template <class T, int kCount>
DLNATIVE_INLINE Vec<T> polynomial(Vec<T> x, const T (&coefficients)[kCount]) {
  Vec<T> y = broadcast<T>(coefficients[kCount - 1]);
#pragma GCC unroll 16
  for (int i = kCount - 2; i >= 0; --i) y = y * x + coefficients[i];
  return y;
}

// As `polynomial`, with even and odd powers apart: half as many roundings follow one another, and
// as many latencies. For the quotient in math_normal.h that is worth 5 ulp in float64 (x = -30) and
// 0.7 in float32, at no cost in time.
template <class T, int kCount>
DLNATIVE_INLINE Vec<T> split_polynomial(Vec<T> x, const T (&coefficients)[kCount]) {
  constexpr int kEven = (kCount - 1) / 2 * 2, kOdd = kCount / 2 * 2 - 1;
  const Vec<T> z = x * x;
  Vec<T> even = broadcast<T>(coefficients[kEven]), odd = broadcast<T>(coefficients[kOdd]);
#pragma GCC unroll 16
  for (int i = kEven - 2; i >= 0; i -= 2) even = even * z + coefficients[i];
#pragma GCC unroll 16
  for (int i = kOdd - 2; i >= 0; i -= 2) odd = odd * z + coefficients[i];
  return odd * x + even;
}

// exp(x - tail) = 2^n (1 + t); the low bits of `n` are n. NaN stays in t; n is then arbitrary.
template <class T>
struct ExpParts {
  Bits<T> n;
  Vec<T> t;
};

template <class T>
DLNATIVE_INLINE ExpParts<T> exp_parts(Vec<T> x, Vec<T> tail = Vec<T>{}) {
  using C = ExpConstants<T>;
  const Vec<T> shifted = x * C::kLog2E + C::kRound;
  const Vec<T> n = shifted - C::kRound;
  const Vec<T> r = ((x - n * C::kLn2High) - n * C::kLn2Low) - tail;
  return {to_bits<T>(shifted), r + (r * r) * polynomial<T>(r, C::kQ)};
}

// 2^(n + offset), which must be a normal number.
template <class T>
DLNATIVE_INLINE Vec<T> power_of_two(Bits<T> n, int offset = 0) {
  using Word = typename FloatFormat<T>::Word;
  constexpr int kShift = FloatFormat<T>::kMantissaBits;
  constexpr Word kBias = sizeof(T) == 4 ? 127 : 1023;
  return from_bits<T>((n << kShift) + ((kBias + static_cast<Word>(offset)) << kShift));
}

// 2^n (1 + t), where that is a normal number (else, and for NaN, anything): n is added to the
// exponent of 1 + t. No product with 2^n can then overflow (at n = 128 or 1024, where 1 + t < 1) or
// lose t to flushing.
template <class T>
DLNATIVE_INLINE Vec<T> exp_of_parts(const ExpParts<T>& parts) {
  return from_bits<T>(to_bits<T>(1 + parts.t) + (parts.n << FloatFormat<T>::kMantissaBits));
}

// exp(x).
// Error: float32 1.00 / 1.04, float64 1.01 / 1.04 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> vexp(Vec<T> x) {
  using C = ExpConstants<T>;
  Vec<T> y = exp_of_parts<T>(exp_parts<T>(x));
  y = x <= C::kOverflow ? y : x + infinity<T>();  // infinity, or the NaN of x
  return x < C::kUnderflow ? Vec<T>{} : y;
}

// exp(x - tail) for x <= 0 and 0 <= tail <= 0.06: cheaper by the check for overflow, and the
// rounding error of an argument that is a sum can be carried along. Error as for vexp.
template <class T>
DLNATIVE_INLINE Vec<T> vexp_nonpositive(Vec<T> x, Vec<T> tail = Vec<T>{}) {
  const Vec<T> y = exp_of_parts<T>(exp_parts<T>(x, tail));
  return x >= ExpConstants<T>::kUnderflow ? y : at_least<T>(x, 0);  // 0, or the NaN of x
}

// expm1(x) = 2^n t + (2^n - 1) for x <= 0. 2^n t is exact, so there is one rounding after that of
// t. Below -20 (-40) the result is -1. Error: float32 0.98 / 0.96, float64 1.15 / 1.18 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> vexpm1_nonpositive(Vec<T> x) {
  const ExpParts<T> parts = exp_parts<T>(at_least<T>(x, sizeof(T) == 4 ? T(-20) : T(-40)));
  const Vec<T> scale = power_of_two<T>(parts.n);
  return with_sign_of<T>(scale * parts.t + (scale - 1), x);  // or -0 would become +0
}

// expm1(x) for any x: as above, but halved, so that 2^n stays in range at n = 128 (1024).
// Error: float32 1.65 / 1.51, float64 2.20 / 2.05 ulp, near x = ln2 / 2; results below twice the
// smallest normal number may be 0.
template <class T>
DLNATIVE_INLINE Vec<T> vexpm1(Vec<T> x) {
  const ExpParts<T> parts = exp_parts<T>(at_least<T>(x, sizeof(T) == 4 ? T(-20) : T(-40)));
  const Vec<T> half_scale = power_of_two<T>(parts.n, -1);
  const Vec<T> half = half_scale * parts.t + (half_scale - T(0.5));
  const Vec<T> y = with_sign_of<T>(half + half, x);
  return x <= ExpConstants<T>::kOverflow ? y : x + infinity<T>();
}

// 2^x = 2^n exp(r ln2) with n the nearest integer, so that it is exact for integers.
// Error: float32 0.98 / 1.02, float64 1.06 / 1.08 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> vexp2(Vec<T> x) {
  using C = ExpConstants<T>;
  constexpr T kLn2 = T(0.693147180559945309417);
  constexpr T kInfinite = sizeof(T) == 4 ? T(128) : T(1024);
  constexpr T kLeast = sizeof(T) == 4 ? T(-126) : T(-1022);
  const Vec<T> shifted = x + C::kRound;
  const Vec<T> r = (x - (shifted - C::kRound)) * kLn2;
  const ExpParts<T> parts{to_bits<T>(shifted), r + (r * r) * polynomial<T>(r, C::kQ)};
  const Vec<T> y = x < kInfinite ? exp_of_parts<T>(parts) : x + infinity<T>();  // or the NaN of x
  return x < kLeast ? Vec<T>{} : y;
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
