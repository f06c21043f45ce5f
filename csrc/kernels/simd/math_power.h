// Vector power and cube root of float32.
#pragma once

#include "kernels/simd/lanes.h"
#include "kernels/simd/math_exp.h"
#include "kernels/simd/math_log.h"
#include "kernels/simd/rounding.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// log2(1 + f) = f P(f) on [sqrt(1/2) - 1, sqrt(2) - 1] and 2^r = 1 + r Q(r) on [-1/2, 1/2]: minimax
// fits of the smallest relative error (Remez). Where the result is finite in float32 the exponent
// is below 150, so that its error is below 2^-31.
struct PowerConstants {
  static constexpr double kP[] = {
      0x1.71547652b58e6p+0, -0x1.71547651b6b8cp-1, 0x1.ec709de346b4ap-2, -0x1.71547888d61b5p-2,
      0x1.2776b6c933664p-2, -0x1.ec6f2dad2685ap-3, 0x1.a61b7ea849aa1p-3, -0x1.7188dc7923cb2p-3,
      0x1.481fa6f32ee40p-3, -0x1.23d5d959d70edp-3, 0x1.0acdaec60c994p-3, -0x1.13bab8546ebe6p-3,
      0x1.0f654d2e28040p-3, -0x1.1da679a260d1cp-4};  // |error| <= 2^-38.5
  static constexpr double kQ[] = {
      0x1.62e42ff0e2195p-1,  0x1.ebfbe077acc3ep-3,  0x1.c6b08abf80beep-5, 0x1.3b29f3766694bp-7,
      0x1.5d8a86a34de4dp-10, 0x1.445ca613b71cdp-13, 0x1.fde5a31175c09p-17};  // 2^-34.3
  static constexpr double kLimit = 200;  // 2^kLimit is infinite in float32, 2^-kLimit is 0
};

// 2^p, or a number that float32 has no room for either; NaN for NaN.
DLNATIVE_INLINE Vec<double> exp2_of_product(Vec<double> p) {
  using C = PowerConstants;
  constexpr double kRound = ExpConstants<double>::kRound;
  const Vec<double> x = at_least<double>(at_most<double>(p, C::kLimit), -C::kLimit);
  const Vec<double> shifted = x + kRound;
  const Vec<double> r = x - (shifted - kRound);
  return power_of_two<double>(to_bits<double>(shifted)) *
         (1 + r * split_polynomial<double>(r, C::kQ));
}

// Special values as in IEEE 754: x^0 = 1^y = (-1)^infinity = 1, also for NaN; a negative x wants an
// integer y, an odd one gives the sign of x. `logarithm`: of |x|, where that is positive and
// finite.
inline __attribute__((noinline)) void special_power(const Vec<double>& x, const Vec<double>& y,
                                                    const Vec<double>& logarithm,
                                                    Vec<double>& result) {
  const Vec<double> a = vabs<double>(x);
  const Vec<double> of_zero = a == 0 ? broadcast(-infinity<double>()) : logarithm;
  const Vec<double> magnitude = exp2_of_product(y * (a < infinity<double>() ? of_zero : a));
  const Vec<double> half = 0.5 * y;
  const Mask<double> integer = vround<double>(y) == y;
  const Mask<double> odd = integer & (vround<double>(half) != half);
  const Mask<double> negative = (Mask<double>)to_bits<double>(x) < 0;
  const Vec<double> with_sign = (odd & negative) ? -magnitude : magnitude;
  const Mask<double> no_number = (x < 0) & (a < infinity<double>()) & ~integer;
  const Mask<double> one =
      (y == 0) | (x == 1) | ((a == 1) & (vabs<double>(y) == infinity<double>()));
  const Vec<double> number = no_number ? broadcast(quiet_nan<double>()) : with_sign;
  result = one ? broadcast(1.0) : number;
}

// |x|^y = 2^(y log2 |x|) in float64.
DLNATIVE_INLINE Vec<double> power_for_float(Vec<double> x, Vec<double> y) {
  const LogParts<double> parts = log_parts<double>(vabs<double>(x));
  const Vec<double> f = parts.m - 1;
  const Vec<double> logarithm = parts.k + f * split_polynomial<double>(f, PowerConstants::kP);
  const Mask<double> usual =
      (x > 0) & (x < infinity<double>()) & (vabs<double>(y) < infinity<double>());
  Vec<double> result = exp2_of_product(y * logarithm);
  const Mask<double> special = ~usual;
  if (mask_bits(special) != 0) special_power(x, y, logarithm, result);
  return result;
}

DLNATIVE_INLINE Vec<float> power_wide(Vec<float> x, Vec<float> y) {
  return narrow(power_for_float(widen_low(x), widen_low(y)),
                power_for_float(widen_high(x), widen_high(y)));
}

// In float32 with multiply-add: x = 2^k m with m in [0.699, 1.398), in one of 16 intervals of which
// kInverse is about 1 / m in the middle and kHigh + kLow = -log2(kInverse), 0 in the interval of 1
// (P. T. P. Tang, "Table-driven implementation of the logarithm function", 1990).
// f = m kInverse - 1 is at most 0.0297. log2(x) = (k + kHigh) + f (kC - kC f / 2 + f P(f)) + kLow
// is the sum of two numbers, and so is its product with y.
struct FloatPowerConstants {
  static constexpr std::uint32_t kOffset = 0x3f330000u;  // bits of 0.699
  static constexpr float kInverse[] = {
      0x1.661ec6p+0f, 0x1.571ed4p+0f, 0x1.49539ep+0f, 0x1.3c995ap+0f,
      0x1.30d19p+0f,  0x1.25e228p+0f, 0x1.1bb4a4p+0f, 0x1.12358ep+0f,
      0x1.0953f4p+0f, 0x1p+0f,        0x1.e573acp-1f, 0x1.ca4b3p-1f,
      0x1.b20364p-1f, 0x1.9c2d14p-1f, 0x1.886e6p-1f,  0x1.767dcep-1f};
  static constexpr float kHigh[] = {// 16 bits
                                    -0x1.effp-2f,  -0x1.b0b8p-2f, -0x1.7418p-2f, -0x1.39ep-2f,
                                    -0x1.01d8p-2f, -0x1.97cp-3f,  -0x1.2fap-3f,  -0x1.96p-4f,
                                    -0x1.a7p-5f,   0x0p+0f,       0x1.3aap-4f,   0x1.477p-3f,
                                    0x1.e84p-3f,   0x1.4068p-2f,  0x1.88e8p-2f,  0x1.ce08p-2f};
  static constexpr float kLow[] = {
      0x1.d07c7p-17f,  0x1.7fb2dp-18f,   -0x1.57c494p-19f, 0x1.73395ap-18f,
      -0x1.bb735p-18f, -0x1.d4d0c2p-19f, 0x1.cd586ap-19f,  -0x1.94b5f2p-17f,
      0x1.8a438cp-19f, 0x0p+0f,          0x1.825668p-19f,  -0x1.578f7p-17f,
      0x1.7d4622p-20f, -0x1.cc7c1ep-17f, 0x1.c392b8p-18f,  0x1.25168ep-17f};
  static constexpr float kC = 0x1.715476p+0f, kCLow = 0x1.4ae0cp-26f;  // 1 / ln2
  static constexpr float kP[] = {-0.5f * kCLow, 0x1.ec7098p-2f, -0x1.71546ap-2f, 0x1.27bcp-2f,
                                 -0x1.ed3c54p-3f};  // |error| of log2 <= 2^-36.3
  static constexpr float kQ[] = {0x1.62e432p-1f, 0x1.ebfbe6p-3f,  0x1.c6ada6p-5f,
                                 0x1.3b21c8p-7f, 0x1.5fc0a6p-10f, 0x1.4bb6c6p-13f};  // 2^r: 2^-27.5
  static constexpr float kLimit = 125.0f;  // 2^kLimit and 2^-kLimit are normal numbers
};

// A negative x wants an integer y, an odd one gives its sign.
DLNATIVE_INLINE Vec<float> with_sign_of_power(Vec<float> x, Vec<float> y, Vec<float> magnitude) {
  const Vec<float> half = 0.5f * y;
  const Mask<float> integer = vround<float>(y) == y;
  const Mask<float> odd = vround<float>(half) != half;
  const Vec<float> of_negative = odd ? -magnitude : magnitude;
  const Vec<float> of_number = integer ? of_negative : broadcast(quiet_nan<float>());
  return (Mask<float>)to_bits<float>(x) < 0 ? of_number : magnitude;
}

inline __attribute__((noinline)) void replace_powers(const Vec<float>& x, const Vec<float>& y,
                                                     const Mask<float>& which, Vec<float>& result) {
  result = which ? power_wide(x, y) : result;
}

DLNATIVE_INLINE Vec<float> power_fused(Vec<float> x, Vec<float> y) {
  using C = FloatPowerConstants;
  constexpr float kRound = ExpConstants<float>::kRound;
  const auto fma = [](Vec<float> a, Vec<float> b, Vec<float> c) { return multiply_add(a, b, c); };
  const Vec<float> a = vabs<float>(x);
  const Bits<float> shifted = to_bits<float>(a) - C::kOffset;
  const Vec<float> m = from_bits<float>(to_bits<float>(a) - (shifted & 0xff800000u));
  const Vec<float> k = __builtin_convertvector((Mask<float>)shifted >> 23, Vec<float>);
  const Mask<float> interval = (Mask<float>)(shifted >> 19);
  const Vec<float> inverse = of_sixteen(C::kInverse, interval);
  const Vec<float> product = m * inverse;
  const Vec<float> f_low = fma(m, inverse, -product);
  const Vec<float> f = product - 1;
  // v + v_low = log2(1 + f) / f, slope the derivative of log2(1 + f).
  const Vec<float> v = fma(f, broadcast(-0.5f * C::kC), broadcast(C::kC));
  const Vec<float> rest = fma(f, broadcast(-0.5f * C::kC), C::kC - v) + C::kCLow;
  const Vec<float> v_low = fma(f, polynomial<float>(f, C::kP), rest);
  const Vec<float> slope = fma(f, fma(f, broadcast(C::kC), broadcast(-0.5f * C::kC)), v);
  const Vec<float> leading = f * v;
  const Vec<float> below = fma(f_low, slope, fma(f, v_low, fma(f, v, -leading)));
  const Vec<float> whole = k + of_sixteen(C::kHigh, interval);
  const Vec<float> log = whole + leading;
  const Vec<float> log_low = ((whole - log) + leading) + (below + of_sixteen(C::kLow, interval));
  const Vec<float> p = y * log;
  const Vec<float> p_low = fma(y, log_low, fma(y, log, -p));
  const Vec<float> rounded = p + kRound;
  const Vec<float> r = (p - (rounded - kRound)) + p_low;
  const Vec<float> scaled = fma(r, polynomial<float>(r, C::kQ), broadcast(1.0f));
  Vec<float> result = from_bits<float>(to_bits<float>(scaled) + (to_bits<float>(rounded) << 23));
  const Mask<float> negative = (Mask<float>)to_bits<float>(x) < 0;
  if (mask_bits(negative) != 0) result = with_sign_of_power(x, y, result);
  const Mask<float> usual =
      (to_bits<float>(a) - 0x00800000u < 0x7f000000u) & (vabs<float>(p) < C::kLimit);
  const Mask<float> special = ~usual;
  if (mask_bits(special) != 0) replace_powers(x, y, special, result);
  return result;
}

// Error: 0.51 / 0.97 ulp.
DLNATIVE_INLINE Vec<float> vpower(Vec<float> x, Vec<float> y) {
  if constexpr (kHasMultiplyAdd) return power_fused(x, y);
  return power_wide(x, y);
}

// a^(-1/3) from a third of the exponent by Newton's method, then a correction of the root by its
// cube. Small and large x are scaled, so that no product is flushed or infinite. Error: 0.95 / 0.76
// ulp.
DLNATIVE_INLINE Vec<float> vcbrt(Vec<float> x) {
  constexpr float kThird = 1.0f / 3.0f;
  const Vec<float> one = broadcast(1.0f), magnitude = vabs<float>(x);
  const Mask<float> small = magnitude < 0x1p-60f, large = magnitude > 0x1p60f;
  const Vec<float> a =
      magnitude * (small ? broadcast(0x1p60f) : (large ? broadcast(0x1p-60f) : one));
  const Vec<float> third = __builtin_convertvector((Mask<float>)to_bits<float>(a), Vec<float>);
  const Mask<float> guess = 0x54a21d2a - __builtin_convertvector(third * kThird, Mask<float>);
  Vec<float> r = (Vec<float>)guess;
  for (int i = 0; i < 3; ++i) r = r + r * (kThird - (a * r) * (r * r) * kThird);
  const Vec<float> square = r * r, y = a * square;
  const Vec<float> y_square = y * y;
  const Vec<float> low = multiply_add(y, y, -y_square);
  const Vec<float> rest = multiply_add(low, y, multiply_add(y_square, y, -a));
  const Vec<float> scale = small ? broadcast(0x1p-20f) : (large ? broadcast(0x1p20f) : one);
  const Vec<float> root = (y - rest * (square * kThird)) * scale;
  return (magnitude > 0) & (magnitude < infinity<float>()) ? with_sign_of<float>(root, x) : x;
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
