// Vectors rounded to integers.
#pragma once

#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

#if defined(__x86_64__)
// kMode: the machine's number of a direction, without raising "inexact".
template <int kMode>
DLNATIVE_INLINE Vec<float> rounded(Vec<float> x) {
#if defined(__AVX512F__)
  return (Vec<float>)_mm512_maskz_roundscale_ps(0xffff, (__m512)x, kMode);
#elif defined(__AVX2__)
  return (Vec<float>)_mm256_round_ps((__m256)x, kMode);
#else
  return (Vec<float>)_mm_round_ps((__m128)x, kMode);
#endif
}
template <int kMode>
DLNATIVE_INLINE Vec<double> rounded(Vec<double> x) {
#if defined(__AVX512F__)
  return (Vec<double>)_mm512_maskz_roundscale_pd(0xff, (__m512d)x, kMode);
#elif defined(__AVX2__)
  return (Vec<double>)_mm256_round_pd((__m256d)x, kMode);
#else
  return (Vec<double>)_mm_round_pd((__m128d)x, kMode);
#endif
}

template <class T>
DLNATIVE_INLINE Vec<T> vfloor(Vec<T> x) {
  return rounded<_MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC>(x);
}
template <class T>
DLNATIVE_INLINE Vec<T> vceil(Vec<T> x) {
  return rounded<_MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC>(x);
}
template <class T>
DLNATIVE_INLINE Vec<T> vround(Vec<T> x) {  // half to even
  return rounded<_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC>(x);
}
template <class T>
DLNATIVE_INLINE Vec<T> vtrunc(Vec<T> x) {
  return rounded<_MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC>(x);
}
#else
// Numbers of 2^mantissa_bits and more are integers; below, adding that much rounds half to even.
template <class T>
DLNATIVE_INLINE Vec<T> vround(Vec<T> x) {
  constexpr T kInteger = sizeof(T) == 4 ? T(0x1p23) : T(0x1p52);
  const Vec<T> magnitude = vabs<T>(x);
  const Vec<T> sum = computed<Vec<T>>(magnitude + kInteger);
  return magnitude < kInteger ? with_sign_of<T>(sum - kInteger, x) : x;
}
template <class T>
DLNATIVE_INLINE Vec<T> vtrunc(Vec<T> x) {
  const Vec<T> magnitude = vabs<T>(x);
  const Vec<T> near = vround<T>(magnitude);
  return with_sign_of<T>(near > magnitude ? near - 1 : near, x);
}
template <class T>
DLNATIVE_INLINE Vec<T> vfloor(Vec<T> x) {
  const Vec<T> near = vround<T>(x);
  return near > x ? near - 1 : near;
}
template <class T>
DLNATIVE_INLINE Vec<T> vceil(Vec<T> x) {
  return -vfloor<T>(-x);
}
#endif

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
