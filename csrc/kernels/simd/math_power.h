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

// |x|^y = exp(y log |x|) in float64, which is good for 2^-44 where the result is finite in float32.
// Special values as in IEEE 754: x^0 = 1^y = (-1)^infinity = 1, also for NaN; a negative x wants an
// integer y, an odd one gives the sign of x.
DLNATIVE_INLINE Vec<double> power_for_float(Vec<double> x, Vec<double> y) {
  const Vec<double> a = vabs<double>(x);
  const Vec<double> magnitude = vexp<double>(y * vlog<double>(a));
  const Vec<double> half = 0.5 * y;
  const Mask<double> integer = vround<double>(y) == y;
  const Mask<double> odd = integer & (vround<double>(half) != half);
  const Mask<double> negative = (Mask<double>)to_bits<double>(x) < 0;
  const Vec<double> with_sign = (odd & negative) ? -magnitude : magnitude;
  const Mask<double> no_number = (x < 0) & (a < infinity<double>()) & ~integer;
  const Mask<double> one =
      (y == 0) | (x == 1) | ((a == 1) & (vabs<double>(y) == infinity<double>()));
  const Vec<double> result = no_number ? broadcast(quiet_nan<double>()) : with_sign;
  return one ? broadcast(1.0) : result;
}

DLNATIVE_INLINE Vec<float> vpower(Vec<float> x, Vec<float> y) {
  return narrow(power_for_float(widen_low(x), widen_low(y)),
                power_for_float(widen_high(x), widen_high(y)));
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
