// Parts of a vector: its first lanes, lane numbers, masks as bits, float32 lanes as float64 and
// back, sums and extrema across lanes.
//
// Lanes are combined as a tree, halves first, so a sum has one fixed order.
#pragma once

#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// The first n values, or all lanes where n >= kLanes<T>; other lanes are zero.
template <class T>
DLNATIVE_INLINE Vec<T> load_upto(const T* p, std::int64_t n) {
  return n >= kLanes<T> ? load(p) : load_first(p, n);
}

template <class T>
DLNATIVE_INLINE void store_upto(T* p, Vec<T> v, std::int64_t n) {
  n >= kLanes<T> ? store(p, v) : store_first(p, v, n);
}

template <class T>
using Lane = decltype(+Mask<T>{}[0]);  // the signed integer as wide as T

template <class T>
DLNATIVE_INLINE Mask<T> lane_numbers() {
  Mask<T> lanes{};
  for (int i = 0; i < kLanes<T>; ++i) lanes[i] = i;
  return lanes;
}

// The first n lanes of v (all where n >= kLanes<T>), the others `fill`.
template <class T>
DLNATIVE_INLINE Vec<T> keep_first(Vec<T> v, std::int64_t n, T fill = T(0)) {
  if (n >= kLanes<T>) return v;
  return lane_numbers<T>() < static_cast<Lane<T>>(n) ? v : broadcast(fill);
}

// table[index modulo 16] in each lane.
DLNATIVE_INLINE Vec<float> of_sixteen(const float (&table)[16], Mask<float> index) {
#if defined(__clang__) || !defined(__AVX2__)
  Vec<float> v;
  for (int l = 0; l < kLanes<float>; ++l) v[l] = table[index[l] & 15];
  return v;
#elif defined(__AVX512F__)
  return __builtin_shuffle(load(table), index);
#else
  return __builtin_shuffle(load(table), load(table + 8), index);
#endif
}

// Bit i of the result is lane i of the mask.
#if defined(__AVX512F__)
DLNATIVE_INLINE unsigned mask_bits(Mask<float> m) {
  return _mm512_movepi32_mask((__m512i)m);
}
DLNATIVE_INLINE unsigned mask_bits(Mask<double> m) {
  return _mm512_movepi64_mask((__m512i)m);
}
#elif defined(__AVX2__)
DLNATIVE_INLINE unsigned mask_bits(Mask<float> m) {
  return static_cast<unsigned>(_mm256_movemask_ps((__m256)m));
}
DLNATIVE_INLINE unsigned mask_bits(Mask<double> m) {
  return static_cast<unsigned>(_mm256_movemask_pd((__m256d)m));
}
#elif defined(__x86_64__)
DLNATIVE_INLINE unsigned mask_bits(Mask<float> m) {
  return static_cast<unsigned>(_mm_movemask_ps((__m128)m));
}
DLNATIVE_INLINE unsigned mask_bits(Mask<double> m) {
  return static_cast<unsigned>(_mm_movemask_pd((__m128d)m));
}
#else
template <class M>
DLNATIVE_INLINE unsigned mask_bits(M m) {
  unsigned bits = 0;
  for (unsigned i = 0; i < sizeof(m) / sizeof(m[0]); ++i) bits |= (m[i] != 0 ? 1u : 0u) << i;
  return bits;
}
#endif

// Whether a lane is not zero; -0 is zero, NaN is not.
template <class T>
DLNATIVE_INLINE bool any_nonzero(Vec<T> v) {
#if defined(__AVX512F__) && !defined(DLNATIVE_EMULATED_AVX512)
  if constexpr (sizeof(T) == 4) {
    return _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_NEQ_UQ) != 0;
  } else {
    return _mm512_cmp_pd_mask((__m512d)v, _mm512_setzero_pd(), _CMP_NEQ_UQ) != 0;
  }
#else
  const Mask<T> nonzero = v != Vec<T>{};
  return mask_bits(nonzero) != 0;
#endif
}

// Halves of a vector. The maskz forms, because GCC 12 warns of the undefined source in the plain
// ones (PR 105593).
#if defined(__AVX512F__)
DLNATIVE_INLINE __m256 low_half(Vec<float> v) {
  return _mm512_maskz_extractf32x8_ps(0xff, (__m512)v, 0);
}
DLNATIVE_INLINE __m256 high_half(Vec<float> v) {
  return _mm512_maskz_extractf32x8_ps(0xff, (__m512)v, 1);
}
DLNATIVE_INLINE __m256d low_half(Vec<double> v) {
  return _mm512_maskz_extractf64x4_pd(0xf, (__m512d)v, 0);
}
DLNATIVE_INLINE __m256d high_half(Vec<double> v) {
  return _mm512_maskz_extractf64x4_pd(0xf, (__m512d)v, 1);
}
#endif
#if defined(__AVX__)
DLNATIVE_INLINE __m128 low_half(__m256 v) {
  return _mm256_castps256_ps128(v);
}
DLNATIVE_INLINE __m128 high_half(__m256 v) {
  return _mm256_extractf128_ps(v, 1);
}
DLNATIVE_INLINE __m128d low_half(__m256d v) {
  return _mm256_castpd256_pd128(v);
}
DLNATIVE_INLINE __m128d high_half(__m256d v) {
  return _mm256_extractf128_pd(v, 1);
}
#endif

// The lower and the upper half of float32 lanes in float64.
#if defined(__AVX512F__)
DLNATIVE_INLINE Vec<double> widen_low(Vec<float> v) {
  return (Vec<double>)_mm512_maskz_cvtps_pd(0xff, low_half(v));
}
DLNATIVE_INLINE Vec<double> widen_high(Vec<float> v) {
  return (Vec<double>)_mm512_maskz_cvtps_pd(0xff, high_half(v));
}
#elif defined(__AVX2__)
DLNATIVE_INLINE Vec<double> widen_low(Vec<float> v) {
  return (Vec<double>)_mm256_cvtps_pd(low_half((__m256)v));
}
DLNATIVE_INLINE Vec<double> widen_high(Vec<float> v) {
  return (Vec<double>)_mm256_cvtps_pd(high_half((__m256)v));
}
#elif defined(__x86_64__)
DLNATIVE_INLINE Vec<double> widen_low(Vec<float> v) {
  return (Vec<double>)_mm_cvtps_pd((__m128)v);
}
DLNATIVE_INLINE Vec<double> widen_high(Vec<float> v) {
  return (Vec<double>)_mm_cvtps_pd(_mm_movehl_ps((__m128)v, (__m128)v));
}
#else
DLNATIVE_INLINE Vec<double> widen_low(Vec<float> v) {
  return Vec<double>{v[0], v[1]};
}
DLNATIVE_INLINE Vec<double> widen_high(Vec<float> v) {
  return Vec<double>{v[2], v[3]};
}
#endif

// float64 lanes, the lower half and the upper half, rounded to float32.
#if defined(__AVX512F__)
DLNATIVE_INLINE Vec<float> narrow(Vec<double> low, Vec<double> high) {
  const __m256 first = _mm512_maskz_cvtpd_ps(0xff, (__m512d)low);
  const __m256 second = _mm512_maskz_cvtpd_ps(0xff, (__m512d)high);
  return (Vec<float>)_mm512_maskz_insertf32x8(0xffff, _mm512_castps256_ps512(first), second, 1);
}
#elif defined(__AVX2__)
DLNATIVE_INLINE Vec<float> narrow(Vec<double> low, Vec<double> high) {
  return (Vec<float>)_mm256_set_m128(_mm256_cvtpd_ps((__m256d)high), _mm256_cvtpd_ps((__m256d)low));
}
#elif defined(__x86_64__)
DLNATIVE_INLINE Vec<float> narrow(Vec<double> low, Vec<double> high) {
  return (Vec<float>)_mm_movelh_ps(_mm_cvtpd_ps((__m128d)low), _mm_cvtpd_ps((__m128d)high));
}
#else
DLNATIVE_INLINE Vec<float> narrow(Vec<double> low, Vec<double> high) {
  return Vec<float>{static_cast<float>(low[0]), static_cast<float>(low[1]),
                    static_cast<float>(high[0]), static_cast<float>(high[1])};
}
#endif

// All lanes combined by an associative and commutative op on vectors.
#if defined(__x86_64__)
template <class Op>
DLNATIVE_INLINE float combine_quarter(__m128 v, Op op) {
  v = op(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(op(v, _mm_shuffle_ps(v, v, 1)));
}
template <class Op>
DLNATIVE_INLINE double combine_quarter(__m128d v, Op op) {
  return _mm_cvtsd_f64(op(v, _mm_unpackhi_pd(v, v)));
}
template <class V, class Op>
DLNATIVE_INLINE auto combine_lanes(V v, Op op) {
#if defined(__AVX512F__)
  const auto half = op(low_half(v), high_half(v));
  return combine_quarter(op(low_half(half), high_half(half)), op);
#elif defined(__AVX2__)
  return combine_quarter(op(low_half(v), high_half(v)), op);
#else
  return combine_quarter(v, op);
#endif
}
#else
template <class V, class Op>
DLNATIVE_INLINE auto combine_lanes(V v, Op op) {
  auto result = v[0];
  for (unsigned i = 1; i < sizeof(v) / sizeof(v[0]); ++i) result = op(result, v[i]);
  return result;
}
#endif

template <class T>
DLNATIVE_INLINE T reduce_add(Vec<T> v) {
  return combine_lanes(v, [](auto a, auto b) { return a + b; });
}
// A NaN lane may or may not win.
template <class T>
DLNATIVE_INLINE T reduce_max(Vec<T> v) {
  return combine_lanes(v, [](auto a, auto b) { return a > b ? a : b; });
}
template <class T>
DLNATIVE_INLINE T reduce_min(Vec<T> v) {
  return combine_lanes(v, [](auto a, auto b) { return a < b ? a : b; });
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
