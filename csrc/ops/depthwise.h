// Depthwise convolution over images and threads: forward, and the gradients of input and kernel.
//
// x [batch, h.in, w.in, channels], kernel [h.window, w.window, channels, multiplier], y [batch,
// h.out, w.out, channels * multiplier]. A multiplier above 1 is brought down to 1: a band of x is
// expanded to the channels of y, or the gradient of such a band is contracted, in cache.
#pragma once

#include <cstdint>

#include "core/table.h"
#include "core/workspace.h"
#include "kernels/depthwise_kernels.h"
#include "kernels/kernel_table.h"
#include "ops/window.h"

namespace dlnative {

// Which pixels and taps meet: for every row and column of a target image (y, or dx), the first
// pixel of the source (x, or dy) and the first tap inside of it, and how many follow.
class DepthwiseGeometry {
 public:
  enum class Target { kOutput, kInput };

  // `channels`: of the kernel, that is channels * multiplier of the op. `stream`: see DepthwiseRow.
  DepthwiseGeometry(const Window& window, std::int64_t channels, Target target, bool stream);

  std::int64_t height() const { return static_cast<std::int64_t>(rows_.places.size()); }
  std::int64_t target_row() const { return target_row_; }  // elements of a row of pixels
  std::int64_t source_row() const { return source_row_; }
  std::int64_t products() const { return products_; }  // per image

  struct Band {
    std::int64_t begin = 0, end = 0;
  };
  // Rows of the source that rows [begin, end) of the target meet; empty where there is none.
  Band source_rows(Band target) const;

  // What a kernel does in one call: `row` of the target's row `o`, or of a column of pixels that
  // begins there. Its first row of the source begins at `source`, counted from the image, its
  // first weight at `weight`.
  struct Piece {
    DepthwiseRow row;
    std::int64_t o = 0, source = 0, weight = 0;
  };
  // Calls f(piece) for the pieces that rows [begin, end) of the target consist of.
  template <class F>
  void for_each_piece(Band rows, F&& f) const {
    for (std::int64_t o = rows.begin; o < rows.end;) {
      const std::int64_t group = group_size(o, rows.end);
      for (std::int64_t i = 0; i < group; ++i) f(piece(o + i, group > 1 ? wide_runs_ : runs_));
      if (group > 1) f(columns_piece(o, group));
      o += group;
    }
  }

 private:
  struct Place {
    std::int64_t first = 0, tap = 0, taps = 0;
  };
  struct Axis {
    Table<Place> places;
    std::int64_t source_step = 0, tap_step = 0;  // from a tap to the next
    // From a place to the next that may meet the same taps, in the target and in the source.
    std::int64_t place_step = 0, neighbour_step = 0;
  };
  static constexpr std::int64_t kGroup = 4;
  static Axis make_axis(const WindowAxis& axis, Target target);
  void make_runs();
  std::int64_t group_size(std::int64_t o, std::int64_t end) const;
  Piece piece(std::int64_t o, const Table<DepthwiseRun>& runs) const;
  Piece columns_piece(std::int64_t o, std::int64_t group) const;

  Axis rows_, columns_;
  // All runs of a row; those of several pixels; and the single pixels, such as those of a border,
  // as runs of 2, 3 and 4 pixels down their columns, since a single pixel is slow work.
  Table<DepthwiseRun> runs_, wide_runs_, column_runs_[kGroup - 1];
  std::int64_t channels_ = 0, kernel_width_ = 0;
  bool stream_ = false;
  std::int64_t target_row_, source_row_, products_ = 0;
};

// y = epilogue(depthwise convolution of x); or, for Target::kInput, dx of dy, without an epilogue.
// Of the epilogue the fields bias, relu, activation, params and pre_activation are used.
template <class T>
class DepthwiseCorrelation {
 public:
  DepthwiseCorrelation(const Window& window, std::int64_t multiplier,
                       DepthwiseGeometry::Target target, const GemmEpilogue<T>& epilogue,
                       int threads);
  std::size_t set_workspace(void* workspace);
  void run(const T* source, const T* kernel, T* target) const;

 private:
  void band(const T* source, const T* kernel, T* target, std::int64_t image,
            DepthwiseGeometry::Band rows, T* scratch) const;
  void finish(T* rows, std::int64_t offset, std::int64_t n) const;

  const Kernels<T>* kernels_ = nullptr;
  DepthwiseGeometry geometry_;
  GemmEpilogue<T> epilogue_;
  std::int64_t images_ = 0, multiplier_ = 0;
  std::int64_t source_height_ = 0;
  bool expands_ = false, contracts_ = false;
  std::int64_t chunk_ = 0;  // rows of a task
  int threads_ = 0;
  std::int64_t band_elements_ = 0;  // that are expanded or contracted
  ThreadScratch<T> scratch_;
};

// dkernel = sum over images and pixels of x dy. The rows of dy are cut into parts by the size of
// the problem, and the sums of the parts are added in their order.
template <class T>
class DepthwiseBackwardKernel {
 public:
  DepthwiseBackwardKernel(const Window& window, std::int64_t multiplier, int threads);
  std::size_t set_workspace(void* workspace);
  void run(const T* x, const T* dy, T* dkernel) const;

 private:
  void part(const T* x, const T* dy, std::int64_t begin, std::int64_t end, T* sums,
            T* expanded) const;

  const Kernels<T>* kernels_ = nullptr;
  DepthwiseGeometry geometry_;
  std::int64_t images_ = 0, multiplier_ = 0;
  std::int64_t source_height_ = 0, kernel_size_ = 0;
  std::int64_t band_ = 0;  // rows of x that are expanded at a time
  std::int64_t parts_ = 0;
  int threads_ = 0;
  std::int64_t band_elements_ = 0;  // that are expanded
  ThreadScratch<T> scratch_;
  T* partial_ = nullptr;  // [parts, kernel], unless there is one part
};

extern template class DepthwiseCorrelation<float>;
extern template class DepthwiseCorrelation<double>;
extern template class DepthwiseBackwardKernel<float>;
extern template class DepthwiseBackwardKernel<double>;

}  // namespace dlnative
