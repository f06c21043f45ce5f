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

// Prefetches what the window below one that begins with pixel x reads and this one does not.
template <class T>
DLNATIVE_INLINE void prefetch_below(const PoolShape& s, const T* x) {
  const std::int64_t line = s.in_w * s.channels;
  const T* row = x + s.window_h * line;
  for (std::int64_t i = 0; i < s.stride_h; ++i, row += line) prefetch(row, s.stride_w * s.channels);
}

// The largest values of `kVectors` vectors of channels from c on, and their positions where asked.
// kSize is that of a whole square window, or 0.
template <class T, int kVectors, bool kIndices, bool kNarrow, int kSize>
DLNATIVE_INLINE void window_max(const PixelWindow<T>& window, std::int64_t c, Vec<T>* best,
                                Mask<T>* where) {
  const std::int64_t rows = kSize > 0 ? kSize : window.rows;
  const std::int64_t columns = kSize > 0 ? kSize : window.columns;
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

// The largest values of a whole window of 3 x 3 wide pixels. False where there may be a NaN (or an
// infinity, or values whose sum is too large: a sum is the cheapest test), which is not found.
template <class T, int kVectors>
DLNATIVE_INLINE bool three_by_three_max(const PixelWindow<T>& window, std::int64_t c,
                                        Vec<T>* best) {
  Vec<T> sum[kVectors] = {};
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) best[v] = load(window.x + c + v * kLanes<T>);
#pragma GCC unroll 3
  for (int i = 0; i < 3; ++i) {
    const T* x = window.x + i * window.row + c;
#pragma GCC unroll 3
    for (int j = 0; j < 3; ++j, x += window.channels) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        const Vec<T> value = load(x + v * kLanes<T>);
        best[v] = vmax<T>(value, best[v]);
        sum[v] += value;
      }
    }
  }
  Mask<T> special{};
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    best[v] = computed(best[v]);  // put off, it would keep more taps than there are registers
    const Vec<T> zero = sum[v] * T(0);
    special |= zero != zero;
  }
  return mask_bits(special) == 0;
}

// The tap that holds `best`, from the last to the first. Finding the largest value first and then
// its tap takes three quarters of the time of carrying the tap along, with 2 x 2 pixels more (Zen
// 3, 2026-11).
template <class T, int kVectors>
DLNATIVE_INLINE void find_in_three_by_three(const PixelWindow<T>& window, std::int64_t c,
                                            const Vec<T>* best, Mask<T>* where) {
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) where[v] = Mask<T>{} + static_cast<Lane<T>>(8);
#pragma GCC unroll 9
  for (int t = 7; t >= 0; --t) {
    const T* x = window.x + t / 3 * window.row + t % 3 * window.channels + c;
    const Mask<T> here = Mask<T>{} + static_cast<Lane<T>>(t);
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      where[v] = load(x + v * kLanes<T>) == best[v] ? here : where[v];
    }
  }
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
