// Depthwise convolution over images and threads: forward, and the gradients of input and kernel.
//
// x [batch, h.in, w.in, channels], kernel [h.window, w.window, channels, multiplier], y [batch,
// h.out, w.out, channels * multiplier]. A multiplier above 1 is brought down to 1: a band of x is
// expanded to the channels of y, or the gradient of such a band is contracted, in cache.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/depthwise_kernels.h"
#include "kernels/kernel_table.h"
#include "ops/window.h"

namespace dlnative {

// Which pixels and taps meet: for every row and column of a target image (y, or dx), the first
// pixel of the source (x, or dy) and the first tap inside of it, and how many follow.
class DepthwiseGeometry {
 public:
  enum class Target { kOutput, kInput };

  // `channels`: of the kernel, that is channels * multiplier of the op.
  DepthwiseGeometry(const Window& window, std::int64_t channels, Target target);

  std::int64_t height() const { return static_cast<std::int64_t>(rows_.places.size()); }
  std::int64_t target_row() const { return target_row_; }  // elements of a row of pixels
  std::int64_t source_row() const { return source_row_; }
  std::int64_t products() const { return products_; }  // per image

  struct Band {
    std::int64_t begin, end;
  };
  // Rows of the source that rows [begin, end) of the target meet; empty where there is none.
  Band source_rows(Band target) const;

  // Row `o` of the target, and where its first source row and its first weight lie: `source` counts
  // from the first row of the image.
  DepthwiseRow row(std::int64_t o, std::int64_t& source, std::int64_t& weight) const;

 private:
  struct Place {
    std::int64_t first, tap, taps;
  };
  struct Axis {
    std::vector<Place> places;
    std::int64_t source_step, tap_step;  // from a tap to the next
    std::int64_t place_step,
        neighbour_step;  // from a place to one that meets the same taps further on
  };
  static Axis make_axis(const WindowAxis& axis, Target target);
  void make_runs();

  Axis rows_, columns_;
  std::vector<DepthwiseRun> runs_;
  std::int64_t channels_, kernel_width_;
  std::int64_t target_row_, source_row_, products_ = 0;
};

// y = epilogue(depthwise convolution of x); or, for Target::kInput, dx of dy, without an epilogue.
// Of the epilogue the fields bias, relu, activation, params and pre_activation are used.
template <class T>
class DepthwiseCorrelation {
 public:
  DepthwiseCorrelation(const Window& window, std::int64_t multiplier,
                       DepthwiseGeometry::Target target, const GemmEpilogue<T>& epilogue);
  void run(const T* source, const T* kernel, T* target) const;

 private:
  void band(const T* source, const T* kernel, T* target, std::int64_t image,
            DepthwiseGeometry::Band rows) const;
  void finish(T* row, std::int64_t offset) const;

  const Kernels<T>* kernels_;
  DepthwiseGeometry geometry_;
  GemmEpilogue<T> epilogue_;
  std::int64_t images_, multiplier_;
  std::int64_t source_height_;
  bool expands_, contracts_;
  std::int64_t chunk_;  // rows of a task
  int threads_;
};

// dkernel = sum over images and pixels of x dy. The rows of dy are cut into parts by the size of
// the problem, and the sums of the parts are added in their order.
template <class T>
class DepthwiseBackwardKernel {
 public:
  DepthwiseBackwardKernel(const Window& window, std::int64_t multiplier);
  void run(const T* x, const T* dy, T* dkernel);

 private:
  void part(const T* x, const T* dy, std::int64_t begin, std::int64_t end, T* sums) const;

  const Kernels<T>* kernels_;
  DepthwiseGeometry geometry_;
  std::int64_t images_, multiplier_;
  std::int64_t source_height_, kernel_size_;
  std::int64_t band_;  // rows of x that are expanded at a time
  std::int64_t parts_;
  int threads_;
  std::vector<T> partial_;  // [parts, kernel], unless there is one part
};

extern template class DepthwiseCorrelation<float>;
extern template class DepthwiseCorrelation<double>;
extern template class DepthwiseBackwardKernel<float>;
extern template class DepthwiseBackwardKernel<double>;

}  // namespace dlnative
