// Largest and smallest values of arrays, and where they are, as NumPy has them: a NaN wins.
#pragma once

#include "kernels/simd/lanes.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// The largest (kMax) or smallest of n > 0 values; NaN where there is one.
template <class T, bool kMax>
DLNATIVE_INLINE T extremum(const T* x, std::int64_t n) {
  const auto pick = [](Vec<T> a, Vec<T> b) { return kMax ? vmax<T>(a, b) : vmin<T>(a, b); };
  constexpr int kUnroll = 4;
  constexpr std::int64_t kStep = kUnroll * kLanes<T>;
  const Vec<T> first = keep_first<T>(load_upto(x, n), n, x[0]);
  Vec<T> best[kUnroll] = {first, first, first, first};
  Mask<T> is_nan = first != first;
  std::int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) {
      const Vec<T> v = load(x + i + u * kLanes<T>);
      best[u] = pick(v, best[u]);  // a NaN in v loses, and is_nan remembers it
      is_nan |= v != v;
    }
  }
  for (; i < n && n >= kLanes<T>; i += kLanes<T>) {
    const std::int64_t at = i + kLanes<T> <= n ? i : n - kLanes<T>;  // the last may overlap
    const Vec<T> v = load(x + at);
    best[0] = pick(v, best[0]);
    is_nan |= v != v;
  }
  if (mask_bits(is_nan) != 0) return static_cast<T>(__builtin_nanf(""));
  const Vec<T> all = pick(pick(best[0], best[1]), pick(best[2], best[3]));
  return kMax ? reduce_max<T>(all) : reduce_min<T>(all);
}

// The first of n > 0 values that equals the largest, or the first NaN. Two passes, the second of
// which stops there.
template <class T>
DLNATIVE_INLINE std::int64_t first_largest(const T* x, std::int64_t n) {
  const T best = extremum<T, true>(x, n);
  const bool find_nan = best != best;
  const Vec<T> target = broadcast(best);
  for (std::int64_t i = 0; i < n; i += kLanes<T>) {
    const Vec<T> v = keep_first<T>(load_upto(x + i, n - i), n - i, x[i]);
    // By its name: what type Clang gives to the comparisons of a choice, changed with its version.
    const Mask<T> found = find_nan ? v != v : v == target;
    const unsigned hits = mask_bits(found);
    if (hits != 0) return i + __builtin_ctz(hits);
  }
  return 0;  // not reached
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
