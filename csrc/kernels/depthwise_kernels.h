// Depthwise convolution: the contract between ops and kernels.
#pragma once

#include "kernels/kernel_table.h"

namespace dlnative {

// Neighbouring pixels of a row that meet the same taps: pixel p of the run lies at y + p * y_pixel
// and meets, under tap (i, j), the pixel x + p * x_pixel + i * x_row + j * x_tap, with the weights
// k + i * k_row + j * k_tap. All numbers count elements; a pixel and a tap are `channels` of them.
struct DepthwiseRun {
  std::int64_t y, x, k;
  std::int64_t pixels;
  std::int64_t taps;  // of a row of the kernel; may be 0
};

// One row of y. Rows of the kernel outside of the image and taps outside of the row are left out,
// so that no padding is read.
struct DepthwiseRow {
  const DepthwiseRun* runs;
  std::int64_t run_count;
  std::int64_t rows;  // of the kernel; may be 0
  std::int64_t channels;
  std::int64_t y_pixel, x_pixel;
  std::int64_t x_row, x_tap;
  std::int64_t k_row, k_tap;
  // For arrays that are too large for the caches: the next row of y is the first to need new_rows
  // rows of x, x_step apart, that begin new_row behind a pixel of this one's, new_pixels for each
  // of its own; it lies y_row behind y.
  bool stream;
  std::int64_t new_row, new_rows, x_step, new_pixels, y_row;
};

// An element of y and an element of the kernel have one order of their products, row by row of
// the kernel and tap by tap, or run by run and pixel by pixel, wherever the pixel lies in its run.
template <class T>
struct DepthwiseKernels {
  // y = sum over the taps of x * k, for every pixel of every run; then + bias per channel (may be
  // null), then ReLU if asked to.
  void (*correlate)(const DepthwiseRow& row, const T* x, const T* k, T* y, const T* bias,
                    bool relu);
  // k += sum over the pixels of all runs of x * y.
  void (*accumulate)(const DepthwiseRow& row, const T* x, const T* y, T* k);
  // y[i, c * multiplier + m] = x[i, c], and x[i, c] = sum over m of y[i, c * multiplier + m].
  void (*expand)(const T* x, T* y, std::int64_t n, std::int64_t multiplier);
  void (*contract)(const T* y, T* x, std::int64_t n, std::int64_t multiplier);
};

}  // namespace dlnative
