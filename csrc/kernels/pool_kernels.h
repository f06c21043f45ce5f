// Pooling: the contract between ops and kernels.
#pragma once

#include "kernels/kernel_table.h"

namespace dlnative {

// Images x (batch, in_h, in_w, channels) and their windows y (batch, out_h, out_w, channels): the
// window at (p, q) starts at pixel (p * stride_h - top, q * stride_w - left); pixels outside of the
// image take no part, and every window has at least one inside.
struct PoolShape {
  std::int64_t batch, channels;
  std::int64_t in_h, in_w, out_h, out_w;
  std::int64_t window_h, window_w, stride_h, stride_w;
  std::int64_t top, left;
  bool stream;    // x and dx are too large for the caches
  bool stream_y;  // x and y together are

  // No pixel is in two windows.
  bool disjoint() const { return stride_h >= window_h && stride_w >= window_w; }
};

// Positions in a window that a byte can name.
inline constexpr std::int64_t kMaxPositions = 256;

// `first` and `rows` count rows of pixels: those of y (batch * out_h) in max and average, those of
// x (batch * in_h) in max_backward_indices and average_backward. A call writes its rows, whole, and
// nothing else; it may read to the end of every input array.
template <class T>
struct PoolKernels {
  // y = the largest value, NaN where there is one; with `relu`, max(y, 0). indices: the position of
  // the first largest value (or the first NaN) in its window, row by row. One of both may be null.
  void (*max)(const PoolShape& shape, const T* x, T* y, std::uint8_t* indices, bool relu,
              std::int64_t first, std::int64_t rows);
  // dx = the sum, in scan order, of the dy whose index names the pixel; with `saved`, of those
  // where saved > 0.
  void (*max_backward_indices)(const PoolShape& shape, const T* dy, const std::uint8_t* indices,
                               const T* saved, T* dx, std::int64_t first, std::int64_t rows);
  // The same with the maxima found again in x, for windows of any size: writes `images` images.
  void (*max_backward)(const PoolShape& shape, const T* dy, const T* x, T* dx, std::int64_t first,
                       std::int64_t images);
  // y = the sum of a window's pixels, in scan order, times 1 / their number.
  void (*average)(const PoolShape& shape, const T* x, T* y, std::int64_t first, std::int64_t rows);
  // dx = the sum, in scan order, of the dy of all windows that have the pixel, each times 1 / the
  // number of its window's pixels.
  void (*average_backward)(const PoolShape& shape, const T* dy, T* dx, std::int64_t first,
                           std::int64_t rows);
};

}  // namespace dlnative
