// The vector vocabulary: one width-neutral vector on compiler vector extensions.
//
// Vec<T> holds kLanes<T> values and knows + - * / and comparisons lane by lane (they yield
// Mask<T>); `mask ? a : b` selects. a * b + c contracts to a fused multiply-add where the machine
// has one (-ffp-contract=fast is stated for kernel files). Everything here has internal linkage: a
// kernel file is compiled once per instruction set, and one function under two flags must never
// meet in the linker.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define DLNATIVE_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define DLNATIVE_VECTOR_BYTES 32
#else
#define DLNATIVE_VECTOR_BYTES 16
#endif

#ifndef DLNATIVE_INLINE
#define DLNATIVE_INLINE static inline __attribute__((always_inline))
#endif

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

constexpr int kVectorBytes = DLNATIVE_VECTOR_BYTES;

template <class T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class T>
struct VecTypes;
template <>
struct VecTypes<float> {
  typedef float Value __attribute__((vector_size(kVectorBytes)));
  typedef std::int32_t Mask __attribute__((vector_size(kVectorBytes)));
  typedef std::uint32_t Bits __attribute__((vector_size(kVectorBytes)));
};
template <>
struct VecTypes<double> {
  typedef double Value __attribute__((vector_size(kVectorBytes)));
  typedef std::int64_t Mask __attribute__((vector_size(kVectorBytes)));
  typedef std::uint64_t Bits __attribute__((vector_size(kVectorBytes)));
};

template <class T>
using Vec = typename VecTypes<T>::Value;
template <class T>
using Mask = typename VecTypes<T>::Mask;  // signed integers of T's width; a true lane is -1
template <class T>
using Bits = typename VecTypes<T>::Bits;

template <class T>
DLNATIVE_INLINE Vec<T> broadcast(T value) {
  return value - Vec<T>{};  // not value + 0: that would turn -0 into +0
}

template <class T>
DLNATIVE_INLINE Vec<T> load(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

template <class T>
DLNATIVE_INLINE void store(T* p, Vec<T> v) {
  __builtin_memcpy(p, &v, sizeof(v));
}

// p[0], p[1], p[0], p[1], ...
DLNATIVE_INLINE Vec<float> broadcast_pair(const float* p) {
  double both;
  __builtin_memcpy(&both, p, sizeof(both));
  return (Vec<float>)broadcast(both);
}
DLNATIVE_INLINE Vec<double> broadcast_pair(const double* p) {
#if defined(__AVX512F__)
  return (Vec<double>)_mm512_maskz_broadcast_f64x2(0xff, _mm_loadu_pd(p));
#elif defined(__AVX2__)
  return (Vec<double>)_mm256_broadcast_pd(reinterpret_cast<const __m128d*>(p));
#else
  return load(p);
#endif
}

// The first n (0..kLanes<T>) values; the other lanes are zero, and memory past them is not read.
#if defined(__AVX512F__)
DLNATIVE_INLINE Vec<float> load_first(const float* p, std::int64_t n) {
  return (Vec<float>)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1u), p);
}
DLNATIVE_INLINE Vec<double> load_first(const double* p, std::int64_t n) {
  return (Vec<double>)_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1u), p);
}
DLNATIVE_INLINE void store_first(float* p, Vec<float> v, std::int64_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1u), (__m512)v);
}
DLNATIVE_INLINE void store_first(double* p, Vec<double> v, std::int64_t n) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1u), (__m512d)v);
}
#elif defined(__AVX2__)
DLNATIVE_INLINE __m256i first_lanes_32(std::int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
DLNATIVE_INLINE __m256i first_lanes_64(std::int64_t n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
DLNATIVE_INLINE Vec<float> load_first(const float* p, std::int64_t n) {
  return (Vec<float>)_mm256_maskload_ps(p, first_lanes_32(n));
}
DLNATIVE_INLINE Vec<double> load_first(const double* p, std::int64_t n) {
  return (Vec<double>)_mm256_maskload_pd(p, first_lanes_64(n));
}
// In up to four pieces: a masked store takes 4.2 ns on Zen 3, the pieces 0.8 ns (2026-11).
DLNATIVE_INLINE void store_first(float* p, Vec<float> v, std::int64_t n) {
  __m128 rest = _mm256_castps256_ps128((__m256)v);
  if ((n & 8) != 0) return _mm256_storeu_ps(p, (__m256)v);
  if ((n & 4) != 0) {
    _mm_storeu_ps(p, rest);
    rest = _mm256_extractf128_ps((__m256)v, 1);
    p += 4;
  }
  if ((n & 2) != 0) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), rest);
    rest = _mm_movehl_ps(rest, rest);
    p += 2;
  }
  if ((n & 1) != 0) _mm_store_ss(p, rest);
}
DLNATIVE_INLINE void store_first(double* p, Vec<double> v, std::int64_t n) {
  __m128d rest = _mm256_castpd256_pd128((__m256d)v);
  if ((n & 4) != 0) return _mm256_storeu_pd(p, (__m256d)v);
  if ((n & 2) != 0) {
    _mm_storeu_pd(p, rest);
    rest = _mm256_extractf128_pd((__m256d)v, 1);
    p += 2;
  }
  if ((n & 1) != 0) _mm_store_sd(p, rest);
}
#else
template <class T>
DLNATIVE_INLINE Vec<T> load_first(const T* p, std::int64_t n) {
  Vec<T> v{};
  for (int i = 0; i < kLanes<T>; ++i) {
    if (i < n) v[i] = p[i];
  }
  return v;
}
template <class T>
DLNATIVE_INLINE void store_first(T* p, Vec<T> v, std::int64_t n) {
  for (int i = 0; i < kLanes<T>; ++i) {
    if (i < n) p[i] = v[i];
  }
}
#endif

// NaN in the first operand wins nothing: like the machine's instruction, the second is returned.
template <class T>
DLNATIVE_INLINE Vec<T> vmax(Vec<T> a, Vec<T> b) {
  return a > b ? a : b;
}
template <class T>
DLNATIVE_INLINE Vec<T> vmin(Vec<T> a, Vec<T> b) {
  return a < b ? a : b;
}

// IEEE 754 format of T.
template <class T>
struct FloatFormat;
template <>
struct FloatFormat<float> {
  using Word = std::uint32_t;
  static constexpr int kMantissaBits = 23;
  static constexpr Word kSign = 0x80000000u;
};
template <>
struct FloatFormat<double> {
  using Word = std::uint64_t;
  static constexpr int kMantissaBits = 52;
  static constexpr Word kSign = 0x8000000000000000u;
};

template <class T>
constexpr T infinity() {
  return static_cast<T>(__builtin_inf());
}
template <class T>
constexpr T quiet_nan() {
  return static_cast<T>(__builtin_nan(""));
}

// The same bits, read as another type.
template <class T>
DLNATIVE_INLINE Bits<T> to_bits(Vec<T> x) {
  return (Bits<T>)x;
}
template <class T>
DLNATIVE_INLINE Vec<T> from_bits(Bits<T> bits) {
  return (Vec<T>)bits;
}

template <class T>
DLNATIVE_INLINE Vec<T> vabs(Vec<T> x) {
  return from_bits<T>(to_bits<T>(x) & ~FloatFormat<T>::kSign);
}

// magnitude >= 0 with the sign of x.
template <class T>
DLNATIVE_INLINE Vec<T> with_sign_of(Vec<T> magnitude, Vec<T> x) {
  return from_bits<T>(to_bits<T>(magnitude) | (to_bits<T>(x) & FloatFormat<T>::kSign));
}

// Values of a line of the caches.
template <class T>
constexpr std::int64_t kCacheLine = 64 / static_cast<std::int64_t>(sizeof(T));

// Prefetches n values; they need not exist.
template <class T>
DLNATIVE_INLINE void prefetch(const T* p, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += kCacheLine<T>) __builtin_prefetch(p + i);
}

// Prefetches what lies 2 KB behind p, where a vector is a whole line: in loops over arrays that may
// come from memory. Other distances: docs/performance.md, "Streams from memory".
template <class T>
DLNATIVE_INLINE void prefetch_ahead(const T* p) {
  if constexpr (kVectorBytes == 64) __builtin_prefetch(p + 2048 / sizeof(T));
}

// v as it is, computed and rounded here: the compiler can neither contract it with what follows nor
// put its computation off.
template <class V>
DLNATIVE_INLINE V computed(V v) {
#if defined(DLNATIVE_EMULATED_AVX512)  // 64 bytes fit no register
  asm("" : "+m"(v));
#elif defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__x86_64__)
  asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#else
  asm("" : "+m"(v));
#endif
  return v;
}

// Whether products are added before they are rounded.
#if defined(__FMA__) || defined(__aarch64__)
constexpr bool kHasMultiplyAdd = true;
#else
constexpr bool kHasMultiplyAdd = false;
#endif

// a * b + c in one instruction, whatever the compiler could do with a product and a sum that it may
// move apart: rounded once where the set has multiply-add, else twice.
#if defined(__AVX512F__)
DLNATIVE_INLINE Vec<float> multiply_add(Vec<float> a, Vec<float> b, Vec<float> c) {
  return (Vec<float>)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
DLNATIVE_INLINE Vec<double> multiply_add(Vec<double> a, Vec<double> b, Vec<double> c) {
  return (Vec<double>)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
#elif defined(__FMA__)
DLNATIVE_INLINE Vec<float> multiply_add(Vec<float> a, Vec<float> b, Vec<float> c) {
  return (Vec<float>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
DLNATIVE_INLINE Vec<double> multiply_add(Vec<double> a, Vec<double> b, Vec<double> c) {
  return (Vec<double>)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
#elif defined(__aarch64__)
DLNATIVE_INLINE Vec<float> multiply_add(Vec<float> a, Vec<float> b, Vec<float> c) {
  return (Vec<float>)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
DLNATIVE_INLINE Vec<double> multiply_add(Vec<double> a, Vec<double> b, Vec<double> c) {
  return (Vec<double>)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
#else
template <class V>
DLNATIVE_INLINE V multiply_add(V a, V b, V c) {
  return computed(a * b) + c;
}
#endif

// min(x, bound) and max(x, bound) that keep a NaN of x.
template <class T>
DLNATIVE_INLINE Vec<T> at_most(Vec<T> x, T bound) {
  return vmin<T>(broadcast<T>(bound), x);
}
template <class T>
DLNATIVE_INLINE Vec<T> at_least(Vec<T> x, T bound) {
  return vmax<T>(broadcast<T>(bound), x);
}

#if defined(__AVX512F__)
// The maskz forms, because GCC 12 warns of the undefined source in the plain ones (PR 105593).
DLNATIVE_INLINE Vec<float> square_root(Vec<float> x) {
  return (Vec<float>)_mm512_maskz_sqrt_ps(0xffff, (__m512)x);
}
DLNATIVE_INLINE Vec<double> square_root(Vec<double> x) {
  return (Vec<double>)_mm512_maskz_sqrt_pd(0xff, (__m512d)x);
}
#elif defined(__AVX2__)
DLNATIVE_INLINE Vec<float> square_root(Vec<float> x) {
  return (Vec<float>)_mm256_sqrt_ps((__m256)x);
}
DLNATIVE_INLINE Vec<double> square_root(Vec<double> x) {
  return (Vec<double>)_mm256_sqrt_pd((__m256d)x);
}
#elif defined(__x86_64__)
DLNATIVE_INLINE Vec<float> square_root(Vec<float> x) {
  return (Vec<float>)_mm_sqrt_ps((__m128)x);
}
DLNATIVE_INLINE Vec<double> square_root(Vec<double> x) {
  return (Vec<double>)_mm_sqrt_pd((__m128d)x);
}
#elif defined(__aarch64__)
DLNATIVE_INLINE Vec<float> square_root(Vec<float> x) {
  return (Vec<float>)vsqrtq_f32((float32x4_t)x);
}
DLNATIVE_INLINE Vec<double> square_root(Vec<double> x) {
  return (Vec<double>)vsqrtq_f64((float64x2_t)x);
}
#else
DLNATIVE_INLINE Vec<float> square_root(Vec<float> x) {
  for (int i = 0; i < kLanes<float>; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
}
DLNATIVE_INLINE Vec<double> square_root(Vec<double> x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = __builtin_sqrt(x[i]);
  return x;
}
#endif

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
