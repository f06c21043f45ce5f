// Transposes of one square of kLanes x kLanes values.
#pragma once

#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

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
#if defined(__clang__)
    for (int l = 0; l < n; ++l) {
      v[i][l] = (l & h) != 0 ? b[l - h] : a[l];
      v[i + h][l] = (l & h) != 0 ? b[l] : a[l + h];
    }
#else
    v[i] = __builtin_shuffle(a, b, to_a);
    v[i + h] = __builtin_shuffle(a, b, to_b);
#endif
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

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
