// Vectors whose lanes change places: transposes of one square of kLanes x kLanes values, and pairs.
#pragma once

#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Lane l is lane which[l] of a, or of b where that is n or more.
template <class T>
DLNATIVE_INLINE Vec<T> pick_lanes(Vec<T> a, Vec<T> b, Mask<T> which) {
#if defined(__clang__)
  constexpr int n = kLanes<T>;
  Vec<T> v;
  for (int l = 0; l < n; ++l) v[l] = which[l] < n ? a[which[l]] : b[which[l] - n];
  return v;
#else
  return __builtin_shuffle(a, b, which);
#endif
}

// One stage: rows i and i + h exchange the lanes that belong to the other's half.
//   a'[l] = l & h ? b[l - h] : a[l],   b'[l] = l & h ? b[l] : a[l + h]
template <class T, int h>
DLNATIVE_INLINE void transpose_stage(Vec<T> (&v)[kLanes<T>]) {
  constexpr int n = kLanes<T>;
  Mask<T> to_a, to_b;
  for (int l = 0; l < n; ++l) {
    to_a[l] = (l & h) != 0 ? n + l - h : l;
    to_b[l] = (l & h) != 0 ? n + l : l + h;
  }
#pragma GCC unroll 16
  for (int i = 0; i < n; ++i) {
    if ((i & h) != 0) continue;
    const Vec<T> a = v[i], b = v[i + h];
    v[i] = pick_lanes<T>(a, b, to_a);
    v[i + h] = pick_lanes<T>(a, b, to_b);
  }
}

// v[i][l] becomes v[l][i].
template <class T>
DLNATIVE_INLINE void transpose_lanes(Vec<T> (&v)[kLanes<T>]) {
  if constexpr (kLanes<T> >= 16) transpose_stage<T, 8>(v);
  if constexpr (kLanes<T> >= 8) transpose_stage<T, 4>(v);
  if constexpr (kLanes<T> >= 4) transpose_stage<T, 2>(v);
  transpose_stage<T, 1>(v);
}

// to[p * ld_to + l] = from[l * ld_from + p] for p, l in [0, kLanes).
template <class T>
DLNATIVE_INLINE void transpose_block(const T* from, std::int64_t ld_from, T* to,
                                     std::int64_t ld_to) {
  Vec<T> v[kLanes<T>];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<T>; ++i) v[i] = load<T>(from + i * ld_from);
  transpose_lanes<T>(v);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<T>; ++i) store<T>(to + i * ld_to, v[i]);
}

// a[0], b[0], a[1], b[1], ...
template <class T>
DLNATIVE_INLINE void join_pairs(Vec<T> a, Vec<T> b, Vec<T> (&joined)[2]) {
  Mask<T> low, high;
  for (int l = 0; l < kLanes<T>; ++l) {
    low[l] = l / 2 + l % 2 * kLanes<T>;
    high[l] = low[l] + kLanes<T> / 2;
  }
  joined[0] = pick_lanes<T>(a, b, low);
  joined[1] = pick_lanes<T>(a, b, high);
}

// The inverse.
template <class T>
DLNATIVE_INLINE void split_pairs(const Vec<T> (&joined)[2], Vec<T>& a, Vec<T>& b) {
  Mask<T> even, odd;
  for (int l = 0; l < kLanes<T>; ++l) {
    even[l] = 2 * l;
    odd[l] = 2 * l + 1;
  }
  a = pick_lanes<T>(joined[0], joined[1], even);
  b = pick_lanes<T>(joined[0], joined[1], odd);
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
