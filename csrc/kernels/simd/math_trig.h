// Vector sine, cosine and tangent, of any finite angle.
//
// x = n pi/2 + r with |r| <= pi/4; n mod 4 says which of sin(r) and cos(r) with which sign. Below
// kLarge, n pi/2 is subtracted in parts, the first ones so short that their products with n are
// exact (W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980); beyond,
// x 2/pi is computed modulo 4 in integers from as many bits of 2/pi as matter (M. H. Payne and
// R. N. Hanek, "Radian reduction for trigonometric functions", 1983). float32 is computed in
// float64, with shorter polynomials; below kLarge with multiply-add in float32, where the product
// with the first part need not be exact by itself. The polynomials are minimax fits of the smallest
// error relative to the result, by Remez's algorithm in 60 digits.
#pragma once

#include "kernels/simd/lanes.h"
#include "kernels/simd/math_exp.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// sin(r) = r + r z S(z) and cos(r) = 1 - z / 2 + z^2 C(z) with z = r^2.
struct TrigConstants {
  static constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
  static constexpr double kHalfPi1 = 0x1.921fb544p+0;   // 33 bits
  static constexpr double kHalfPi2 = 0x1.0b4611a6p-34;  // 33 bits
  static constexpr double kHalfPi3 = 0x1.3198a2e037073p-69;
  static constexpr double kHalfPiRest = 0x1.0b4611a626331p-34;  // of kHalfPi1
  static constexpr double kLarge = 1e6;                         // n has 20 bits
  static constexpr double kSin[] = {-0x1.5555555555549p-3,  0x1.111111110f87ap-7,
                                    -0x1.a01a019c119cap-13, 0x1.71de3577b8c74p-19,
                                    -0x1.ae5e663bf0fc1p-26, 0x1.5d9301523a502p-33};  // 2^-58.0
  static constexpr double kCos[] = {0x1.555555555554cp-5,  -0x1.6c16c16c1517ep-10,
                                    0x1.a01a019cb1be0p-16, -0x1.27e4f809f01c7p-22,
                                    0x1.1ee9ebe86c9cfp-29, -0x1.8fae9be97b68cp-37};  // 2^-64.2
  static constexpr double kShortSin[] = {-0x1.5555554cb91b6p-3, 0x1.11110895acddep-7,
                                         -0x1.a00f9d232597fp-13, 0x1.6cd8387fe2fcap-19};  // 2^-37.6
  static constexpr double kShortCos[] = {0x1.55554ab2663bdp-5, -0x1.6c0c8aafd9131p-10,
                                         0x1.9a020a7e24ad4p-16};  // 2^-33.3
};

// x = n pi/2 + r + tail; the low bits of `n` are n.
struct Angle {
  Bits<double> n;
  Vec<double> r;
  Vec<double> tail;
};

// One lane: x finite, |x| >= 1.
struct ScalarAngle {
  std::uint64_t n;
  double r;
  double tail;
};

// x = m 2^e with m an integer of 53 bits. Of m 2/pi those bits of 2/pi matter that are worth less
// than 4 in the product: the window holds 192 of them, so that what is left out is below 2^-137.
inline __attribute__((noinline)) ScalarAngle reduce_large(double x) {
  // Bits of 2/pi after a word of zeros.
  static constexpr std::uint64_t kBits[] = {0,
                                            0xa2f9836e4e441529,
                                            0xfc2757d1f534ddc0,
                                            0xdb6295993c439041,
                                            0xfe5163abdebbc561,
                                            0xb7246e3a424dd2e0,
                                            0x06492eea09d1921c,
                                            0xfe1deb1cb129a73e,
                                            0xe88235f52ebb4484,
                                            0xe99c7026b45f7e41,
                                            0x3991d639835339f4,
                                            0x9c845f8bbdf9283b,
                                            0x1ff897ffde05980f,
                                            0xef2f118b5a0a6d1f,
                                            0x6d367ecf27cb09b7,
                                            0x4f463f669e5fea2d,
                                            0x7527bac7ebe5f17b,
                                            0x3d0739f78a5292ea,
                                            0x6bfb5fb11f8d5d08,
                                            0x56033046fc7b6bab,
                                            0xf0cfbc209af4361d};
  using Wide = unsigned __int128;
  std::uint64_t bits;
  __builtin_memcpy(&bits, &x, sizeof(x));
  const int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1075;
  const std::uint64_t m = (bits & 0xfffffffffffffu) | 0x10000000000000u;
  const int first = exponent - 2 + 64, word = first / 64, shift = first % 64;
  std::uint64_t window[3];
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t next = shift == 0 ? 0 : kBits[word + i + 1] >> (64 - shift);
    window[i] = kBits[word + i] << shift | next;
  }
  // The product modulo 2^192, of which 2^190 is one quarter turn.
  const Wide low = Wide{m} * window[2];
  const Wide middle = Wide{m} * window[1] + (low >> 64);
  const std::uint64_t high = m * window[0] + static_cast<std::uint64_t>(middle >> 64);
  const auto next = static_cast<std::uint64_t>(middle);
  // The nearest quarter turn, and the signed rest as fraction + rest.
  std::uint64_t n = high >> 62;
  const std::uint64_t top = high << 2 | next >> 62;
  const auto below = static_cast<std::int64_t>(
      (next << 2 | static_cast<std::uint64_t>(low) >> 62) >> 1);  // 63 bits
  const auto turn = static_cast<std::int64_t>(top);
  if (turn < 0) ++n;
  const double fraction = static_cast<double>(turn);
  const double rest = static_cast<double>(turn - static_cast<std::int64_t>(fraction)) * 0x1p-64 +
                      static_cast<double>(below) * 0x1p-127;
  // Times pi/2: the product of the leading parts exactly.
  constexpr double kHigh = 0x1.921fb58p+0, kLow = -0x1.dde974p-27, kRest = 0x1.1a62633145c07p-54;
  const double a = fraction * 0x1p-64;
  std::uint64_t leading;
  __builtin_memcpy(&leading, &a, sizeof(a));
  leading &= 0xfffffffff8000000u;
  double a_high;
  __builtin_memcpy(&a_high, &leading, sizeof(leading));
  const double a_low = a - a_high;
  const double r = a * (kHigh + kLow);
  const double tail = (((a_high * kHigh - r) + a_high * kLow) + a_low * kHigh) +
                      (a_low * kLow + (a * kRest + rest * (kHigh + kLow)));
  return bits >> 63 != 0 ? ScalarAngle{0 - n, -r, -tail} : ScalarAngle{n, r, tail};
}

// Replaces the lanes of finite angles from kLarge on.
inline __attribute__((noinline)) void reduce_large_lanes(const Vec<double>& x, Angle& angle) {
  for (int i = 0; i < kLanes<double>; ++i) {
    if (!(__builtin_fabs(x[i]) >= TrigConstants::kLarge)) continue;
    if (__builtin_fabs(x[i]) == infinity<double>()) {
      angle.r[i] = quiet_nan<double>();
      continue;
    }
    const ScalarAngle lane = reduce_large(x[i]);
    angle.n[i] = lane.n;
    angle.r[i] = lane.r;
    angle.tail[i] = lane.tail;
  }
}

template <bool kWithTail>
DLNATIVE_INLINE Angle reduced(Vec<double> x) {
  using C = TrigConstants;
  constexpr double kRound = ExpConstants<double>::kRound;
  const Vec<double> shifted = x * C::kTwoOverPi + kRound;
  const Vec<double> n = shifted - kRound;
  Angle angle{to_bits<double>(shifted), {}, {}};
  const Vec<double> first = x - n * C::kHalfPi1;
  if constexpr (kWithTail) {
    const Vec<double> second = n * C::kHalfPi2;
    const Vec<double> r = first - second;
    const Vec<double> rest = ((first - r) - second) - n * C::kHalfPi3;
    angle.r = r + rest;
    angle.tail = (r - angle.r) + rest;
  } else {
    angle.r = first - n * C::kHalfPiRest;
  }
  const Mask<double> large = vabs<double>(x) >= C::kLarge;
  if (mask_bits(large) != 0) reduce_large_lanes(x, angle);
  return angle;
}

// Of the reduced angle r: the sine and cosine of x are these, or one for the other, up to a sign,
// as n says.
template <class T>
struct SineAndCosine {
  Bits<T> n;
  Vec<T> sine, cosine;
};

enum class Trig { kSin, kCos, kTan };

// kCos: the sine a quarter turn on. kTan: the quotient, turned by a quarter its negative inverse.
template <Trig kWhich, class T>
DLNATIVE_INLINE Vec<T> trig_of(const SineAndCosine<T>& of) {
  constexpr int kSignShift = static_cast<int>(8 * sizeof(T)) - 2;
  using Word = typename FloatFormat<T>::Word;
  const Bits<T> quarter = of.n + static_cast<Word>(kWhich == Trig::kCos ? 1 : 0);
  const Mask<T> odd = (Mask<T>)(quarter << (kSignShift + 1)) < 0;
  if constexpr (kWhich == Trig::kTan) {
    return (odd ? -of.cosine : of.sine) / (odd ? of.sine : of.cosine);
  } else {
    const Bits<T> sign = (quarter << kSignShift) & FloatFormat<T>::kSign;
    return from_bits<T>(to_bits<T>(odd ? of.cosine : of.sine) ^ sign);
  }
}

template <Trig kWhich>
DLNATIVE_INLINE Vec<double> vtrig(Vec<double> x) {
  using C = TrigConstants;
  const Angle a = reduced<true>(x);
  const Vec<double> z = a.r * a.r;
  const Vec<double> cube = z * a.r;
  const Vec<double> sine = a.r + (a.tail * (1 - 0.5 * z) + cube * polynomial<double>(z, C::kSin));
  const Vec<double> half = 0.5 * z;
  const Vec<double> top = 1 - half;
  const Vec<double> cosine =
      top + (((1 - top) - half) + (z * z * polynomial<double>(z, C::kCos) - a.r * a.tail));
  const Vec<double> y = trig_of<kWhich, double>({a.n, sine, cosine});
  return kWhich == Trig::kCos ? y : (vabs<double>(x) < 0x1p-27 ? x : y);  // -0 and denormals, too
}

template <Trig kWhich>
DLNATIVE_INLINE Vec<double> vtrig_short(Vec<double> x) {
  using C = TrigConstants;
  const Angle a = reduced<false>(x);
  const Vec<double> z = a.r * a.r;
  const Vec<double> sine = a.r + a.r * (z * polynomial<double>(z, C::kShortSin));
  const Vec<double> cosine = 1 - z * (0.5 - z * polynomial<double>(z, C::kShortCos));
  const Vec<double> y = trig_of<kWhich, double>({a.n, sine, cosine});
  return kWhich == Trig::kCos ? y : (vabs<double>(x) < 0x1p-27 ? x : y);
}

// By way of float64.
template <Trig kWhich>
DLNATIVE_INLINE Vec<float> vtrig_wide(Vec<float> x) {
  return narrow(vtrig_short<kWhich>(widen_low(x)), vtrig_short<kWhich>(widen_high(x)));
}

// Three parts of pi/2: x - n kHalfPi1 is a float32, n kHalfPi2, too, for n of 13 bits.
struct FloatTrigConstants {
  static constexpr float kTwoOverPi = 0x1.45f306p-1f;
  static constexpr float kHalfPi1 = 0x1.921fb6p+0f;
  static constexpr float kHalfPi2 = -0x1.778p-25f;
  static constexpr float kHalfPi3 = 0x1.68c234p-39f;
  static constexpr float kLarge = 12000;
  static constexpr float kSin[] = {-0x1.555544p-3f, 0x1.1106c6p-7f, -0x1.991c28p-13f};  // 2^-27.8
  static constexpr float kCos[] = {0x1.55554ap-5f, -0x1.6c0c26p-10f, 0x1.99e714p-16f};  // 2^-33.0
};

template <Trig kWhich>
inline __attribute__((noinline)) void replace_large_angles(const Vec<float>& x, Vec<float>& y) {
  y = vabs<float>(x) >= FloatTrigConstants::kLarge ? vtrig_wide<kWhich>(x) : y;
}

// |x| is reduced, so that the sign of a zero is that of x.
template <Trig kWhich>
DLNATIVE_INLINE Vec<float> vtrig_fused(Vec<float> x) {
  using C = FloatTrigConstants;
  constexpr float kRound = ExpConstants<float>::kRound;
  const auto fma = [](Vec<float> a, Vec<float> b, Vec<float> c) { return multiply_add(a, b, c); };
  const Vec<float> angle = vabs<float>(x);
  const Vec<float> shifted = fma(angle, broadcast(C::kTwoOverPi), broadcast(kRound));
  const Vec<float> n = kRound - shifted;  // negated
  const Vec<float> first = fma(n, broadcast(C::kHalfPi1), angle);
  const Vec<float> r = fma(n, broadcast(C::kHalfPi2), first);
  const Vec<float> rest = fma(n, broadcast(C::kHalfPi2), first - r);
  const Vec<float> tail = fma(n, broadcast(C::kHalfPi3), rest);
  const Vec<float> z = r * r;
  const Vec<float> sine = r + fma(z * r, polynomial<float>(z, C::kSin), tail);
  const Vec<float> top = fma(z, broadcast(-0.5f), broadcast(1.0f));
  const Vec<float> below = fma(z, broadcast(-0.5f), 1 - top);
  const Vec<float> cosine = top + fma(z * z, polynomial<float>(z, C::kCos), fma(-r, tail, below));
  Vec<float> y = trig_of<kWhich, float>({to_bits<float>(shifted), sine, cosine});
  if constexpr (kWhich != Trig::kCos)
    y = from_bits<float>(to_bits<float>(y) ^ (to_bits<float>(x) & FloatFormat<float>::kSign));
  const Mask<float> large = angle >= C::kLarge;
  if (mask_bits(large) != 0) replace_large_angles<kWhich>(x, y);
  return y;
}

template <Trig kWhich>
DLNATIVE_INLINE Vec<float> vtrig(Vec<float> x) {
  if constexpr (kHasMultiplyAdd) return vtrig_fused<kWhich>(x);
  return vtrig_wide<kWhich>(x);
}

// Error of both: float32 0.50 / 0.90, float64 0.78 / 0.77 ulp. NaN for infinities.
template <class T>
DLNATIVE_INLINE Vec<T> vsin(Vec<T> x) {
  return vtrig<Trig::kSin>(x);
}
template <class T>
DLNATIVE_INLINE Vec<T> vcos(Vec<T> x) {
  return vtrig<Trig::kCos>(x);
}

// Error: float32 0.51 / 2.31, float64 2.01 / 2.06 ulp. NaN for infinities.
template <class T>
DLNATIVE_INLINE Vec<T> vtan(Vec<T> x) {
  return vtrig<Trig::kTan>(x);
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
