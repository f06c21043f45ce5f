// Random changes of images: the contract between ops and kernels.
//
// An image is height x width pixels of `channels` contiguous values.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace dlnative {

// What lies outside of an image a b c d: nearest a a|a b c d|d d, reflect b a|a b c d|d c,
// wrap c d|a b c d|a b, constant k k|a b c d|k k.
enum class FillMode : int { kConstant, kNearest, kReflect, kWrap };

// One image through an affine map: the pixel (row i, column j) of y is read at column
// a0 j + a1 i + a2 and row b0 j + b1 i + b2 of x, in units of 2^-32 pixels. Coordinates are
// integers so that every instruction set, and the oracle, reads the same pixels.
template <class T>
struct AffineImage {
  const T* x;
  T* y;
  std::int64_t height_in, width_in;  // both at least 1
  std::int64_t row_stride_in;        // values from one row of x to the next
  std::int64_t height_out, width_out;
  std::int64_t channels;
  std::int64_t a0, a1, a2, b0, b1, b2;
  FillMode fill;
  T fill_value;  // with FillMode::kConstant
};

template <class T>
struct AugmentKernels {
  // The pixels of one row from right to left; y is not x.
  void (*reverse_pixels)(const T* x, T* y, std::int64_t width, std::int64_t channels);
  // The pixel that is nearest, halves away from zero.
  void (*affine_nearest)(const AffineImage<T>& image);
  // Linear between the four pixels around, first along the row, then along the column.
  void (*affine_bilinear)(const AffineImage<T>& image);
  // sums[c] = sum over the pixels, added in float64 in an order that depends on the sizes only.
  void (*channel_sums)(const T* x, double* sums, std::int64_t pixels, std::int64_t channels);
  // y[i] = clip(x[i] + delta, low, high), which keeps NaN; y may be x.
  void (*shift_clip)(const T* x, T* y, std::int64_t n, T delta, T low, T high);
  // y[i] = clip((x[i] - mean[i]) * factor + mean[i], low, high), which keeps NaN; y may be x.
  void (*stretch_clip)(const T* x, const T* mean, T* y, std::int64_t n, T factor, T low, T high);
};

}  // namespace dlnative
