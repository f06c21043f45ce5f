// Vector power of float32.
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

// Error: 0.51 ulp.
DLNATIVE_INLINE Vec<float> vpower(Vec<float> x, Vec<float> y) {
  return narrow(power_for_float(widen_low(x), widen_low(y)),
                power_for_float(widen_high(x), widen_high(y)));
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
