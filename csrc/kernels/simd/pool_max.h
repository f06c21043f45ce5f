// The largest value of one window, and where it stands: the windows' part of max pooling.
#pragma once

#include "kernels/pool_kernels.h"
#include "kernels/simd/pixels.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

DLNATIVE_INLINE std::int64_t larger(std::int64_t a, std::int64_t b) {
  return a > b ? a : b;
}
DLNATIVE_INLINE std::int64_t smaller(std::int64_t a, std::int64_t b) {
  return a < b ? a : b;
}

// The taps [begin, end) of a window that lie on the image, along one axis; `start` is the pixel of
// tap 0.
struct Taps {
  DLNATIVE_INLINE Taps of(std::int64_t start, std::int64_t window, std::int64_t in) {
    return {start, larger(0, -start), smaller(window, in - start)};
  }
  std::int64_t count() const { return end - begin; }
  std::int64_t start, begin, end;
};

// The part of a window that lies on the image.
template <class T>
struct PixelWindow {
  const T* x;    // of the first pixel on the image
  const T* end;  // of the array
  std::int64_t row;
  std::int64_t channels;
  std::int64_t valid;  // lanes of a narrow vector that belong to the pixel
  std::int64_t rows, columns;
  std::int64_t first,
      window_w;  // position of the first pixel, and from one row of positions to the next
};

template <class T>
DLNATIVE_INLINE PixelWindow<T> pixel_window(const PoolShape& s, const T* image, const T* end,
                                            Taps h, Taps w) {
  return {image + ((h.start + h.begin) * s.in_w + w.start + w.begin) * s.channels,
          end,
          s.in_w * s.channels,
          s.channels,
          s.channels,
          h.count(),
          w.count(),
          h.begin * s.window_w + w.begin,
          s.window_w};
}

// The largest values of `kVectors` vectors of channels from c on, and their positions where asked.
// kRows and kColumns are the window's sizes where they are known, else 0.
template <class T, int kVectors, bool kIndices, bool kNarrow, int kRows, int kColumns>
DLNATIVE_INLINE void window_max(const PixelWindow<T>& window, std::int64_t c, Vec<T>* best,
                                Mask<T>* where) {
  const std::int64_t rows = kRows > 0 ? kRows : window.rows;
  const std::int64_t columns = kColumns > 0 ? kColumns : window.columns;
  const Mask<T> none{};
  Mask<T> is_nan[kVectors] = {};
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    best[v] = load_pixel<kNarrow>(window.x + c + v * kLanes<T>, window.valid, window.end);
    where[v] = none + static_cast<Lane<T>>(window.first);
  }
#pragma GCC unroll 3
  for (std::int64_t i = 0; i < rows; ++i) {
    const T* x = window.x + i * window.row + c;
    const std::int64_t position = window.first + i * window.window_w;
#pragma GCC unroll 3
    for (std::int64_t j = 0; j < columns; ++j, x += window.channels) {
      if (i == 0 && j == 0) continue;
      const Mask<T> here = none + static_cast<Lane<T>>(position + j);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        const Vec<T> value = load_pixel<kNarrow>(x + v * kLanes<T>, window.valid, window.end);
        if constexpr (kIndices) {
          // Larger, or the first NaN.
          const Mask<T> take = ~(value <= best[v]) & (best[v] == best[v]);
          best[v] = take ? value : best[v];
          where[v] = take ? here : where[v];
        } else {
          best[v] = vmax<T>(value, best[v]);  // a NaN in value loses, and is_nan remembers it
          is_nan[v] |= value != value;
        }
      }
    }
  }
  if constexpr (!kIndices) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) best[v] = is_nan[v] ? broadcast(quiet_nan<T>()) : best[v];
  }
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
