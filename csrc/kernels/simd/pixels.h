// The channels of a pixel as vectors: pooling and resizing run over them pixel by pixel.
//
// With at least a vector of channels ("wide") the last vector of a pixel ends with it and overlaps
// the one before: the same values are computed twice, and there are no masks. With fewer ("narrow")
// a pixel is one vector that reads and writes over its end into the pixels after it; whoever writes
// a row goes from left to right, so those come out right, and only the last pixels of an array are
// cut.
#pragma once

#include "kernels/simd/lanes.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

template <class T>
DLNATIVE_INLINE bool is_narrow(std::int64_t channels) {
  return channels < kLanes<T>;
}

// `end` is that of the array, or of the part that the caller may touch.
template <bool kNarrow, class T>
DLNATIVE_INLINE Vec<T> load_pixel(const T* p, std::int64_t channels, const T* end) {
  if (kNarrow && end - p < kLanes<T>) return load_first(p, channels);
  return load(p);
}

template <bool kNarrow, class T>
DLNATIVE_INLINE void store_pixel(T* p, Vec<T> v, std::int64_t channels, const T* end) {
  if (kNarrow && end - p < kLanes<T>) return store_first(p, v, channels);
  store(p, v);
}

template <int n>
struct Vectors {
  static constexpr int kCount = n;
};

// Calls f(Vectors<n>, c) for pieces of n vectors, n <= kMost, that begin at channel c.
template <class T, bool kNarrow, int kMost, class F>
DLNATIVE_INLINE void for_each_vector(std::int64_t channels, F f) {
  constexpr std::int64_t kStep = kLanes<T>;
  if constexpr (kNarrow) {
    f(Vectors<1>{}, 0);
  } else {
    std::int64_t c = 0;
    if constexpr (kMost > 1) {
      for (; c + kMost * kStep <= channels; c += kMost * kStep) f(Vectors<kMost>{}, c);
    }
    for (; c < channels; c += kStep) {
      f(Vectors<1>{}, c + kStep <= channels ? c : channels - kStep);
    }
  }
}

template <class T>
DLNATIVE_INLINE void fill_zero(T* p, std::int64_t n) {
  __builtin_memset(p, 0, sizeof(T) * static_cast<std::size_t>(n));
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
