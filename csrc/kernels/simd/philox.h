// Philox4x32-10 on vectors: the counter-based random numbers of dropout.
//
// J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2,
// 3", SC 2011. A block of four 32-bit words is a function of a 128-bit counter and a 64-bit key, so
// words can be computed in any order, on any thread, and again in the backward pass.
#pragma once

#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// 64-bit lanes that carry a 32-bit word in their low half; what is in the high half never matters.
using Words = Bits<double>;

// The products of the lanes' low halves with the 32-bit factor, and the even (odd) lanes of a
// interleaved with those of b: a0 b0 a2 b2 ... (a1 b1 a3 b3 ...).
#if defined(__AVX512F__)
// The maskz forms, because GCC 12 warns of the undefined source in the plain ones (PR 105593).
DLNATIVE_INLINE Words multiply_words(Words a, std::uint32_t factor) {
  return (Words)_mm512_maskz_mul_epu32(0xff, (__m512i)a, _mm512_set1_epi64(factor));
}
DLNATIVE_INLINE Words interleave_even(Words a, Words b) {
  return (Words)_mm512_maskz_unpacklo_epi64(0xff, (__m512i)a, (__m512i)b);
}
DLNATIVE_INLINE Words interleave_odd(Words a, Words b) {
  return (Words)_mm512_maskz_unpackhi_epi64(0xff, (__m512i)a, (__m512i)b);
}
#elif defined(__AVX2__)
DLNATIVE_INLINE Words multiply_words(Words a, std::uint32_t factor) {
  return (Words)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(factor));
}
DLNATIVE_INLINE Words interleave_even(Words a, Words b) {
  return (Words)_mm256_unpacklo_epi64((__m256i)a, (__m256i)b);
}
DLNATIVE_INLINE Words interleave_odd(Words a, Words b) {
  return (Words)_mm256_unpackhi_epi64((__m256i)a, (__m256i)b);
}
#elif defined(__x86_64__)
DLNATIVE_INLINE Words multiply_words(Words a, std::uint32_t factor) {
  return (Words)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(factor));
}
DLNATIVE_INLINE Words interleave_even(Words a, Words b) {
  return (Words)_mm_unpacklo_epi64((__m128i)a, (__m128i)b);
}
DLNATIVE_INLINE Words interleave_odd(Words a, Words b) {
  return (Words)_mm_unpackhi_epi64((__m128i)a, (__m128i)b);
}
#elif defined(__aarch64__)
DLNATIVE_INLINE Words multiply_words(Words a, std::uint32_t factor) {
  return (Words)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(factor));
}
DLNATIVE_INLINE Words interleave_even(Words a, Words b) {
  return (Words)vzip1q_u64((uint64x2_t)a, (uint64x2_t)b);
}
DLNATIVE_INLINE Words interleave_odd(Words a, Words b) {
  return (Words)vzip2q_u64((uint64x2_t)a, (uint64x2_t)b);
}
#else
DLNATIVE_INLINE Words multiply_words(Words a, std::uint32_t factor) {
  return (a & 0xffffffffu) * factor;
}
DLNATIVE_INLINE Words interleave_even(Words a, Words b) {
  for (int i = 0; i + 1 < kLanes<double>; i += 2) a[i + 1] = b[i];
  return a;
}
DLNATIVE_INLINE Words interleave_odd(Words a, Words b) {
  for (int i = 0; i + 1 < kLanes<double>; i += 2) b[i] = a[i + 1];
  return b;
}
#endif

// What stays the same from block to block: the upper half of the counter and the keys of the
// rounds.
class Philox {
 public:
  static constexpr int kRounds = 10;
  // A round is a chain of some six cycles with eight operations; two groups of blocks side by side
  // fill the wait: 0.87 ns per element of dropout with one, 0.66 ns with two (avx2, Zen 3,
  // 2026-11).
  static constexpr int kGroups = 2;
  // Words that one call of `words` yields: a block per 64-bit lane and group.
  static constexpr int kWords = 4 * kLanes<double> * kGroups;

  Philox(std::uint64_t counter_high, std::uint32_t key0, std::uint32_t key1)
      : counter2_(Words{} + (counter_high & 0xffffffffu)),
        counter3_(Words{} + (counter_high >> 32)) {
    for (int round = 0; round < kRounds; ++round) {
      key0_[round] = Words{} + key0;
      key1_[round] = Words{} + key1;
      key0 += 0x9e3779b9u;  // the golden ratio
      key1 += 0xbb67ae85u;  // sqrt(3) - 1
    }
  }

  // words[0..kWords) = the words of blocks first_block, first_block + 1, ...; each block has the
  // counter (low half of its number, high half, low half of counter_high, high half).
  __attribute__((always_inline)) void words(std::uint64_t first_block, std::uint32_t* words) const {
    // Lane l computes the block that puts the words in order after the interleaving below.
    Words lane_block = {};
    for (int l = 0; l < kLanes<double>; ++l) {
      lane_block[l] = static_cast<std::uint64_t>(l % 2 * (kLanes<double> / 2) + l / 2);
    }
    Words c0[kGroups], c1[kGroups], c2[kGroups], c3[kGroups];
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      c0[g] = lane_block + (first_block + static_cast<std::uint64_t>(g * kLanes<double>));
      c1[g] = c0[g] >> 32;
      c2[g] = counter2_;
      c3[g] = counter3_;
    }
#pragma GCC unroll 10
    for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
        const Words product0 = multiply_words(c0[g], 0xd2511f53u);
        const Words product1 = multiply_words(c2[g], 0xcd9e8d57u);
        c0[g] = (product1 >> 32) ^ c1[g] ^ key0_[round];
        c1[g] = product1;
        c2[g] = (product0 >> 32) ^ c3[g] ^ key1_[round];
        c3[g] = product0;
      }
    }
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      const Words words01 = (c0[g] & 0xffffffffu) | (c1[g] << 32);
      const Words words23 = (c2[g] & 0xffffffffu) | (c3[g] << 32);
      const Words low = interleave_even(words01, words23);
      const Words high = interleave_odd(words01, words23);
      std::uint32_t* group = words + g * (kWords / kGroups);
      __builtin_memcpy(group, &low, sizeof(low));
      __builtin_memcpy(group + kWords / kGroups / 2, &high, sizeof(high));
    }
  }

 private:
  Words counter2_, counter3_;
  Words key0_[kRounds], key1_[kRounds];
};

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
