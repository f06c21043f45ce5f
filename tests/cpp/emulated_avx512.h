// AVX-512 for machines that lack it: for the C++ test compare_isas, and for whole test builds with
// DLNATIVE_EMULATE_AVX512.
//
// With this header included first (-include), a kernel file compiled for x86-64-v3 takes its
// AVX-512 paths: 64-byte vectors, the tiles and blocks of matrix products, masks, tails. The
// compiler lowers arithmetic on 64-byte vectors to halves; what the kernels say in intrinsics is
// below, written after Intel's description of the instruction, one lane at a time. The tests then
// show the logic of the code, not what the compiler makes of it for the real instructions; that is
// shown where AVX-512 is at hand, by the same tests.
//
// An intrinsic that is missing here ends in "target specific option mismatch": add it.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#error "for builds without AVX-512"
#endif
#define __AVX512F__ 1
#define DLNATIVE_EMULATED_AVX512 1

// A comparison of 64-byte vectors becomes sixteen scalar ones: inlined into every place where
// kernels want it, it makes the compilation of gemm.cpp take minutes.
#define DLNATIVE_INLINE static inline __attribute__((noinline))

namespace emulated_avx512 {
namespace {

template <class Lane, int kCount>
struct Lanes {
  Lane at[kCount];

  template <class V>
  static Lanes of(V vector) {
    static_assert(sizeof(V) == sizeof(Lanes), "all lanes and nothing else");
    Lanes lanes;
    std::memcpy(&lanes, &vector, sizeof(lanes));
    return lanes;
  }
  template <class V>
  V as() const {
    V vector;
    std::memcpy(&vector, this, sizeof(vector));
    return vector;
  }
  // Lane i is f(i) where bit i of the mask is set, else zero.
  template <class F>
  static Lanes where(unsigned mask, F f) {
    Lanes lanes{};
    for (int i = 0; i < kCount; ++i) {
      if ((mask >> i & 1u) != 0) lanes.at[i] = f(i);
    }
    return lanes;
  }
};

using F32 = Lanes<float, 16>;
using F64 = Lanes<double, 8>;
using I32 = Lanes<std::int32_t, 16>;
using I64 = Lanes<std::int64_t, 8>;
using U64 = Lanes<std::uint64_t, 8>;

// --- memory: what a mask leaves out is not touched -----------------------------------------------

template <class L, class V, class T>
V maskz_loadu(unsigned mask, const T* p) {
  return L::where(mask, [p](int i) { return p[i]; }).template as<V>();
}
inline __m512 maskz_loadu_ps(__mmask16 mask, const float* p) {
  return maskz_loadu<F32, __m512>(mask, p);
}
inline __m512d maskz_loadu_pd(__mmask8 mask, const double* p) {
  return maskz_loadu<F64, __m512d>(mask, p);
}

template <class L, class V, class T>
void mask_storeu(T* p, unsigned mask, V v) {
  const L lanes = L::of(v);
  for (int i = 0; i < static_cast<int>(sizeof(L) / sizeof(T)); ++i) {
    if ((mask >> i & 1u) != 0) p[i] = lanes.at[i];
  }
}
inline void mask_storeu_ps(float* p, __mmask16 mask, __m512 v) {
  mask_storeu<F32>(p, mask, v);
}
inline void mask_storeu_pd(double* p, __mmask8 mask, __m512d v) {
  mask_storeu<F64>(p, mask, v);
}

// Past the caches; like the instruction it stops at an address that is no multiple of 64.
template <class T, class V>
void stream(T* p, V v) {
  if (reinterpret_cast<std::uintptr_t>(p) % sizeof(v) != 0) __builtin_trap();
  std::memcpy(p, &v, sizeof(v));
}
inline void stream_ps(float* p, __m512 v) {
  stream(p, v);
}
inline void stream_pd(double* p, __m512d v) {
  stream(p, v);
}

// --- arithmetic ----------------------------------------------------------------------------------

inline __m512 maskz_sqrt_ps(__mmask16 mask, __m512 v) {
  const F32 x = F32::of(v);
  return F32::where(mask, [&x](int i) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x.at[i]))); })
      .as<__m512>();
}
inline __m512d maskz_sqrt_pd(__mmask8 mask, __m512d v) {
  const F64 x = F64::of(v);
  return F64::where(mask,
                    [&x](int i) {
                      const __m128d one = _mm_set_sd(x.at[i]);
                      return _mm_cvtsd_f64(_mm_sqrt_sd(one, one));
                    })
      .as<__m512d>();
}
inline __m512 fmadd_ps(__m512 a, __m512 b, __m512 c) {
  const F32 x = F32::of(a), y = F32::of(b), z = F32::of(c);
  return F32::where(0xffff,
                    [&](int i) {
                      return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(x.at[i]), _mm_set_ss(y.at[i]),
                                                        _mm_set_ss(z.at[i])));
                    })
      .as<__m512>();
}
inline __m512d fmadd_pd(__m512d a, __m512d b, __m512d c) {
  const F64 x = F64::of(a), y = F64::of(b), z = F64::of(c);
  return F64::where(0xff,
                    [&](int i) {
                      return _mm_cvtsd_f64(_mm_fmadd_sd(_mm_set_sd(x.at[i]), _mm_set_sd(y.at[i]),
                                                        _mm_set_sd(z.at[i])));
                    })
      .as<__m512d>();
}
inline __m512d maskz_broadcast_f64x2(__mmask8 mask, __m128d v) {
  double pair[2];
  _mm_storeu_pd(pair, v);
  return F64::where(mask, [&pair](int i) { return pair[i % 2]; }).as<__m512d>();
}
inline __m512d maskz_cvtps_pd(__mmask8 mask, __m256 v) {
  const auto x = Lanes<float, 8>::of(v);
  return F64::where(mask, [&x](int i) { return static_cast<double>(x.at[i]); }).as<__m512d>();
}
inline __m256 maskz_cvtpd_ps(__mmask8 mask, __m512d v) {
  const F64 x = F64::of(v);
  return Lanes<float, 8>::where(mask, [&x](int i) { return static_cast<float>(x.at[i]); })
      .as<__m256>();
}
// The direction of a rounding in its lowest bits.
inline double rounded(double value, int mode) {
  const __m128d one = _mm_set_sd(value);
  switch (mode & 3) {
    case _MM_FROUND_TO_NEAREST_INT:
      return _mm_cvtsd_f64(_mm_round_sd(one, one, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    case _MM_FROUND_TO_NEG_INF:
      return _mm_cvtsd_f64(_mm_round_sd(one, one, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
    case _MM_FROUND_TO_POS_INF:
      return _mm_cvtsd_f64(_mm_round_sd(one, one, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC));
    default:
      return _mm_cvtsd_f64(_mm_round_sd(one, one, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
  }
}
inline __m512 maskz_roundscale_ps(__mmask16 mask, __m512 v, int mode) {
  const F32 x = F32::of(v);
  return F32::where(mask, [&](int i) { return static_cast<float>(rounded(x.at[i], mode)); })
      .as<__m512>();
}
inline __m512d maskz_roundscale_pd(__mmask8 mask, __m512d v, int mode) {
  const F64 x = F64::of(v);
  return F64::where(mask, [&](int i) { return rounded(x.at[i], mode); }).as<__m512d>();
}
inline __m512i maskz_mul_epu32(__mmask8 mask, __m512i a, __m512i b) {
  const U64 x = U64::of(a), y = U64::of(b);
  return U64::where(mask, [&](int i) { return (x.at[i] & 0xffffffffu) * (y.at[i] & 0xffffffffu); })
      .as<__m512i>();
}
inline __m512i set1_epi64(long long value) {
  return I64::where(0xff, [value](int) { return std::int64_t{value}; }).as<__m512i>();
}

// Bytes to integers and back; what does not fit in a byte loses its upper bits.
inline __m512i maskz_cvtepu8_epi32(__mmask16 mask, __m128i v) {
  const auto x = Lanes<std::uint8_t, 16>::of(v);
  return I32::where(mask, [&x](int i) { return std::int32_t{x.at[i]}; }).as<__m512i>();
}
inline __m512i maskz_cvtepu8_epi64(__mmask8 mask, __m128i v) {
  const auto x = Lanes<std::uint8_t, 16>::of(v);
  return I64::where(mask, [&x](int i) { return std::int64_t{x.at[i]}; }).as<__m512i>();
}
template <class L>
__m128i low_bytes(unsigned mask, __m512i v) {
  const L x = L::of(v);
  return Lanes<std::uint8_t, 16>::where(
             mask, [&x](int i) { return static_cast<std::uint8_t>(x.at[i] & 0xff); })
      .template as<__m128i>();
}
inline __m128i maskz_cvtepi32_epi8(__mmask16 mask, __m512i v) {
  return low_bytes<I32>(mask, v);
}
inline __m128i maskz_cvtepi64_epi8(__mmask8 mask, __m512i v) {
  return low_bytes<I64>(mask, v);
}

// --- lanes ---------------------------------------------------------------------------------------

// The sign bits.
template <class L>
unsigned signs(__m512i v) {
  const L x = L::of(v);
  unsigned mask = 0;
  for (int i = 0; i < static_cast<int>(sizeof(x.at) / sizeof(x.at[0])); ++i) {
    mask |= (x.at[i] < 0 ? 1u : 0u) << i;
  }
  return mask;
}
inline __mmask16 movepi32_mask(__m512i v) {
  return static_cast<__mmask16>(signs<I32>(v));
}
inline __mmask8 movepi64_mask(__m512i v) {
  return static_cast<__mmask8>(signs<I64>(v));
}

inline __m256 maskz_extractf32x8_ps(__mmask8 mask, __m512 v, int half) {
  const F32 x = F32::of(v);
  return Lanes<float, 8>::where(mask, [&](int i) { return x.at[8 * half + i]; }).as<__m256>();
}
inline __m256d maskz_extractf64x4_pd(__mmask8 mask, __m512d v, int half) {
  const F64 x = F64::of(v);
  return Lanes<double, 4>::where(mask, [&](int i) { return x.at[4 * half + i]; }).as<__m256d>();
}

// The upper lanes are zero, where the instruction leaves them undefined.
inline __m512 castps256_ps512(__m256 v) {
  const auto x = Lanes<float, 8>::of(v);
  return F32::where(0xff, [&x](int i) { return x.at[i]; }).as<__m512>();
}
inline __m512 maskz_insertf32x8(__mmask16 mask, __m512 v, __m256 part, int half) {
  const F32 x = F32::of(v);
  const auto y = Lanes<float, 8>::of(part);
  return F32::where(mask, [&](int i) { return i / 8 == half ? y.at[i % 8] : x.at[i]; })
      .as<__m512>();
}

// Even or odd lanes of a and b in turn: within each 128 bits there are two.
inline __m512i unpack(__mmask8 mask, __m512i a, __m512i b, int odd) {
  const U64 x = U64::of(a), y = U64::of(b);
  return U64::where(mask, [&](int i) { return i % 2 == 0 ? x.at[i + odd] : y.at[i - 1 + odd]; })
      .as<__m512i>();
}
inline __m512i maskz_unpacklo_epi64(__mmask8 mask, __m512i a, __m512i b) {
  return unpack(mask, a, b, 0);
}
inline __m512i maskz_unpackhi_epi64(__mmask8 mask, __m512i a, __m512i b) {
  return unpack(mask, a, b, 1);
}

}  // namespace
}  // namespace emulated_avx512

// Compilers declare the intrinsics for every target, as functions or as macros.
#undef _mm512_maskz_loadu_ps
#undef _mm512_maskz_loadu_pd
#undef _mm512_mask_storeu_ps
#undef _mm512_mask_storeu_pd
#undef _mm512_stream_ps
#undef _mm512_stream_pd
#undef _mm512_maskz_sqrt_ps
#undef _mm512_maskz_sqrt_pd
#undef _mm512_fmadd_ps
#undef _mm512_fmadd_pd
#undef _mm512_maskz_broadcast_f64x2
#undef _mm512_maskz_cvtps_pd
#undef _mm512_maskz_cvtepu8_epi32
#undef _mm512_maskz_cvtepu8_epi64
#undef _mm512_maskz_cvtepi32_epi8
#undef _mm512_maskz_cvtepi64_epi8
#undef _mm512_maskz_cvtpd_ps
#undef _mm512_maskz_roundscale_ps
#undef _mm512_maskz_roundscale_pd
#undef _mm512_castps256_ps512
#undef _mm512_maskz_insertf32x8
#undef _mm512_maskz_mul_epu32
#undef _mm512_set1_epi64
#undef _mm512_movepi32_mask
#undef _mm512_movepi64_mask
#undef _mm512_maskz_extractf32x8_ps
#undef _mm512_maskz_extractf64x4_pd
#undef _mm512_maskz_unpacklo_epi64
#undef _mm512_maskz_unpackhi_epi64
#define _mm512_maskz_loadu_ps emulated_avx512::maskz_loadu_ps
#define _mm512_maskz_loadu_pd emulated_avx512::maskz_loadu_pd
#define _mm512_mask_storeu_ps emulated_avx512::mask_storeu_ps
#define _mm512_mask_storeu_pd emulated_avx512::mask_storeu_pd
#define _mm512_stream_ps emulated_avx512::stream_ps
#define _mm512_stream_pd emulated_avx512::stream_pd
#define _mm512_maskz_sqrt_ps emulated_avx512::maskz_sqrt_ps
#define _mm512_maskz_sqrt_pd emulated_avx512::maskz_sqrt_pd
#define _mm512_fmadd_ps emulated_avx512::fmadd_ps
#define _mm512_fmadd_pd emulated_avx512::fmadd_pd
#define _mm512_maskz_broadcast_f64x2 emulated_avx512::maskz_broadcast_f64x2
#define _mm512_maskz_cvtps_pd emulated_avx512::maskz_cvtps_pd
#define _mm512_maskz_cvtepu8_epi32 emulated_avx512::maskz_cvtepu8_epi32
#define _mm512_maskz_cvtepu8_epi64 emulated_avx512::maskz_cvtepu8_epi64
#define _mm512_maskz_cvtepi32_epi8 emulated_avx512::maskz_cvtepi32_epi8
#define _mm512_maskz_cvtepi64_epi8 emulated_avx512::maskz_cvtepi64_epi8
#define _mm512_maskz_cvtpd_ps emulated_avx512::maskz_cvtpd_ps
#define _mm512_maskz_roundscale_ps emulated_avx512::maskz_roundscale_ps
#define _mm512_maskz_roundscale_pd emulated_avx512::maskz_roundscale_pd
#define _mm512_castps256_ps512 emulated_avx512::castps256_ps512
#define _mm512_maskz_insertf32x8 emulated_avx512::maskz_insertf32x8
#define _mm512_maskz_mul_epu32 emulated_avx512::maskz_mul_epu32
#define _mm512_set1_epi64 emulated_avx512::set1_epi64
#define _mm512_movepi32_mask emulated_avx512::movepi32_mask
#define _mm512_movepi64_mask emulated_avx512::movepi64_mask
#define _mm512_maskz_extractf32x8_ps emulated_avx512::maskz_extractf32x8_ps
#define _mm512_maskz_extractf64x4_pd emulated_avx512::maskz_extractf64x4_pd
#define _mm512_maskz_unpacklo_epi64 emulated_avx512::maskz_unpacklo_epi64
#define _mm512_maskz_unpackhi_epi64 emulated_avx512::maskz_unpackhi_epi64
