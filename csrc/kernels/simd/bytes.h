// One byte per lane: small unsigned integers in memory, lanes of T's width in registers.
//
// By hand where GCC 12 turns __builtin_convertvector into one instruction per lane.
#pragma once

#include "kernels/simd/lanes.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// load: kLanes<T> bytes as integers; store: the low bytes of integers in [0, 255].
template <class T>
struct Bytes {
  DLNATIVE_INLINE Mask<T> load(const std::uint8_t* p) {
    Mask<T> v{};
    for (int i = 0; i < kLanes<T>; ++i) v[i] = p[i];
    return v;
  }
  DLNATIVE_INLINE void store(std::uint8_t* p, Mask<T> v) {
    for (int i = 0; i < kLanes<T>; ++i) p[i] = static_cast<std::uint8_t>(v[i]);
  }
};

#if defined(__AVX512F__)
template <>
struct Bytes<float> {
  DLNATIVE_INLINE Mask<float> load(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return (Mask<float>)_mm512_maskz_cvtepu8_epi32(0xffff, bytes);
  }
  DLNATIVE_INLINE void store(std::uint8_t* p, Mask<float> v) {
    const __m128i bytes = _mm512_maskz_cvtepi32_epi8(0xffff, (__m512i)v);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  }
};
template <>
struct Bytes<double> {
  DLNATIVE_INLINE Mask<double> load(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return (Mask<double>)_mm512_maskz_cvtepu8_epi64(0xff, bytes);
  }
  DLNATIVE_INLINE void store(std::uint8_t* p, Mask<double> v) {
    const __m128i bytes = _mm512_maskz_cvtepi64_epi8(0xff, (__m512i)v);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), bytes);
  }
};
#elif defined(__AVX2__)
template <>
struct Bytes<float> {
  DLNATIVE_INLINE Mask<float> load(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return (Mask<float>)_mm256_cvtepu8_epi32(bytes);
  }
  DLNATIVE_INLINE void store(std::uint8_t* p, Mask<float> v) {
    const __m256i whole = (__m256i)v;
    const __m128i pairs =
        _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(pairs, pairs));
  }
};
template <>
struct Bytes<double> {
  DLNATIVE_INLINE Mask<double> load(const std::uint8_t* p) {
    std::int32_t bytes;
    __builtin_memcpy(&bytes, p, sizeof(bytes));
    return (Mask<double>)_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(bytes));
  }
  DLNATIVE_INLINE void store(std::uint8_t* p, Mask<double> v) {
    const __m256 whole = (__m256)v;
    const __m128i words = (__m128i)_mm_shuffle_ps(  // the low halves of the four lanes
        _mm256_castps256_ps128(whole), _mm256_extractf128_ps(whole, 1), _MM_SHUFFLE(2, 0, 2, 0));
    const __m128i pairs = _mm_packus_epi32(words, words);
    const std::int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(pairs, pairs));
    __builtin_memcpy(p, &bytes, sizeof(bytes));
  }
};
#elif defined(__x86_64__)
template <>
struct Bytes<float> {
  DLNATIVE_INLINE Mask<float> load(const std::uint8_t* p) {
    std::int32_t bytes;
    __builtin_memcpy(&bytes, p, sizeof(bytes));
    return (Mask<float>)_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes));
  }
  DLNATIVE_INLINE void store(std::uint8_t* p, Mask<float> v) {
    const __m128i pairs = _mm_packus_epi32((__m128i)v, (__m128i)v);
    const std::int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(pairs, pairs));
    __builtin_memcpy(p, &bytes, sizeof(bytes));
  }
};
#endif

// The first n < kLanes<T> of them; memory past them is not touched, and other lanes are zero.
template <class T>
DLNATIVE_INLINE Mask<T> load_first_bytes(const std::uint8_t* p, std::int64_t n) {
  std::uint8_t bytes[kLanes<T>] = {};
  for (std::int64_t i = 0; i < n; ++i) bytes[i] = p[i];
  return Bytes<T>::load(bytes);
}
template <class T>
DLNATIVE_INLINE void store_first_bytes(std::uint8_t* p, Mask<T> v, std::int64_t n) {
  std::uint8_t bytes[kLanes<T>];
  Bytes<T>::store(bytes, v);
  for (std::int64_t i = 0; i < n; ++i) p[i] = bytes[i];
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
