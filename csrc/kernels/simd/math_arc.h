// Vector arcsine, arccosine and arctangent, also of a point.
#pragma once

#include "kernels/simd/math_exp.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// asin(a) = a + a z P(z), z = a^2, on [0, 0.5625], and atan(a) = a + a z Q(z) on [0, 1]: minimax
// fits of the smallest relative error (Remez).
template <class T>
struct ArcConstants;

template <>
struct ArcConstants<float> {
  static constexpr float kP[] = {
      0x1.55555ap-3f, 0x1.333038p-4f,  0x1.6e53p-5f,  0x1.e2c768p-6f,
      0x1.cf3acp-6f,  -0x1.646364p-9f, 0x1.7716e8p-5f};  // |error| <= 2^-30.0
  static constexpr float kQ[] = {-0x1.55553ep-2f, 0x1.9991fep-3f,  -0x1.2421b4p-3f,
                                 0x1.c099fap-4f,  -0x1.583486p-4f, 0x1.dac9cap-5f,
                                 -0x1.fed13cp-6f, 0x1.65a646p-7f,  -0x1.d62fe4p-10f};  // 2^-25.1
  static constexpr float kHalfPi = 0x1.921fb6p+0f, kHalfPiLow = -0x1.777a5cp-25f;
};

template <>
struct ArcConstants<double> {
  static constexpr double kP[] = {
      0x1.5555555555555p-3, 0x1.33333333332d3p-4,  0x1.6db6db6dbd94cp-5, 0x1.f1c71c6df4fa5p-6,
      0x1.6e8ba38f119adp-6, 0x1.1c4eb260a4feep-6,  0x1.c99c781e92015p-7, 0x1.7a5ea00a12ec5p-7,
      0x1.418c4112ffd6bp-7, 0x1.05bbe0f172b5bp-7,  0x1.3dac638c97b86p-7, -0x1.0e77264d17289p-8,
      0x1.4c612fe883ea7p-5, -0x1.3f32cd9eccdcdp-4, 0x1.21fde1b7c96a4p-3, -0x1.1a6c825e8b298p-3,
      0x1.3dc97108d3d96p-4};  // 2^-57.9
  static constexpr double kQ[] = {
      -0x1.555555555554cp-2, 0x1.9999999998bc9p-3, -0x1.24924924557edp-3,  0x1.c71c71b5e8f04p-4,
      -0x1.745d15cbeedc4p-4, 0x1.3b139b9d89dcfp-4, -0x1.111030d48ec38p-4,  0x1.e1d473d40bbdcp-5,
      -0x1.aed9f8929a461p-5, 0x1.84b30ed2222b2p-5, -0x1.5f209b2e9d324p-5,  0x1.38fc7e007ccbep-5,
      -0x1.0c864e6efd494p-5, 0x1.ac51ff8aac35dp-6, -0x1.30d036aa6b97dp-6,  0x1.729580356e6f5p-7,
      -0x1.6f76d321a3469p-8, 0x1.19af638757668p-9, -0x1.366be6b998b48p-11, 0x1.b2fd32ca7fb22p-14,
      -0x1.21e12d15bf6bep-17};  // 2^-54.5
  static constexpr double kHalfPi = 0x1.921fb54442d18p+0, kHalfPiLow = 0x1.1a62633145c07p-54;
};

// Below 0.5625 `inner` is asin(a), beyond acos(a) = 2 asin(sqrt((1 - a) / 2)), which is there at
// most 0.98; NaN beyond 1.
template <class T>
struct ArcParts {
  Mask<T> small;
  Vec<T> inner;
};

template <class T>
DLNATIVE_INLINE ArcParts<T> arc_parts(Vec<T> a) {
  const Mask<T> small = a < T(0.5625);
  const Vec<T> half = T(0.5) * (1 - a);
  const Vec<T> z = small ? a * a : half;
  const Vec<T> s = small ? a : square_root(half);
  const Vec<T> inner = s + s * (z * polynomial<T>(z, ArcConstants<T>::kP));
  return {small, small ? inner : inner + inner};
}

// Error: float32 1.29 / 1.29, float64 1.51 / 1.51 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> varcsin(Vec<T> x) {
  using C = ArcConstants<T>;
  const ArcParts<T> arc = arc_parts<T>(vabs<T>(x));
  return with_sign_of<T>(arc.small ? arc.inner : C::kHalfPi - (arc.inner - C::kHalfPiLow), x);
}

// Error: float32 1.05 / 1.05, float64 1.05 / 1.06 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> varccos(Vec<T> x) {
  using C = ArcConstants<T>;
  const ArcParts<T> arc = arc_parts<T>(vabs<T>(x));
  const Vec<T> of_small = C::kHalfPi - ((x < 0 ? -arc.inner : arc.inner) - C::kHalfPiLow);
  const Vec<T> of_negative = 2 * C::kHalfPi - (arc.inner - 2 * C::kHalfPiLow);
  return arc.small ? of_small : (x < 0 ? of_negative : arc.inner);
}

// The angle of a point from its two distances to the axes, a quotient of which is in [0, 1]:
// `turned` where that is the tangent of the angle to the other axis, `behind` where the point lies
// at the negative side.
template <class T>
DLNATIVE_INLINE Vec<T> angle_of(Vec<T> quotient, Mask<T> turned, Mask<T> behind) {
  using C = ArcConstants<T>;
  const Vec<T> z = quotient * quotient;
  const Vec<T> r = quotient + quotient * (z * polynomial<T>(z, ArcConstants<T>::kQ));
  const Vec<T> quarters = turned ? broadcast<T>(1) : (behind ? broadcast<T>(2) : Vec<T>{});
  const Mask<T> back = turned ^ behind;
  const Vec<T> angle = back ? -r : r;
  return quarters * C::kHalfPi + (angle + quarters * C::kHalfPiLow);
}

// Error: float32 1.62 / 1.56, float64 1.15 / 1.03 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> varctan(Vec<T> x) {
  const Vec<T> a = vabs<T>(x);
  const Mask<T> steep = a > 1;
  const Vec<T> quotient = steep ? 1 / a : a;
  return with_sign_of<T>(angle_of<T>(quotient, steep, Mask<T>{}), x);
}

// The angle of (x, y), with the signs of zeros and infinities as in IEEE 754. Error: float32 1.65 /
// 1.67 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> varctan2(Vec<T> y, Vec<T> x) {
  const Vec<T> a = vabs<T>(y), b = vabs<T>(x);
  const Mask<T> steep = a > b;
  const Vec<T> low = steep ? b : a, high = steep ? a : b;
  const Vec<T> of_equal = high == 0 ? Vec<T>{} : broadcast<T>(1);  // infinities, too
  const Vec<T> quotient = low == high ? of_equal : low / high;
  const Mask<T> behind = (Mask<T>)to_bits<T>(x) < 0;
  return with_sign_of<T>(angle_of<T>(quotient, steep, behind), y);
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
