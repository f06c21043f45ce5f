// Stores that go past the caches.
//
// A store to a line that is not in the cache reads that line first. For an array that is larger
// than the last cache this is a third of a map's traffic, and the array is not in the cache
// afterwards anyway (docs/performance.md, "Streams from memory"). The values are the same.
#pragma once

#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// p is aligned to kVectorBytes.
#if defined(__AVX512F__)
DLNATIVE_INLINE void stream(float* p, Vec<float> v) {
  _mm512_stream_ps(p, (__m512)v);
}
DLNATIVE_INLINE void stream(double* p, Vec<double> v) {
  _mm512_stream_pd(p, (__m512d)v);
}
#elif defined(__AVX2__)
DLNATIVE_INLINE void stream(float* p, Vec<float> v) {
  _mm256_stream_ps(p, (__m256)v);
}
DLNATIVE_INLINE void stream(double* p, Vec<double> v) {
  _mm256_stream_pd(p, (__m256d)v);
}
#elif defined(__x86_64__)
DLNATIVE_INLINE void stream(float* p, Vec<float> v) {
  _mm_stream_ps(p, (__m128)v);
}
DLNATIVE_INLINE void stream(double* p, Vec<double> v) {
  _mm_stream_pd(p, (__m128d)v);
}
#else
template <class T>
DLNATIVE_INLINE void stream(T* p, Vec<T> v) {
  store(p, v);
}
#endif

// Whether every row of a matrix may be streamed.
template <class T>
DLNATIVE_INLINE bool can_stream(const T* p, std::int64_t ld) {
  return reinterpret_cast<std::uintptr_t>(p) % kVectorBytes == 0 && ld % kLanes<T> == 0;
}

// After the last streamed store, before another thread reads.
DLNATIVE_INLINE void finish_streaming() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
