// Padding, cropping and resizing of images [batch, height, width, channels]; no two arrays overlap.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/table.h"
#include "core/workspace.h"
#include "kernels/spatial_kernels.h"

namespace dlnative {

// Rows and columns at the four sides of an image.
struct Sides {
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
};

// y = x between zeros, or x = y without its sides: images of height x width pixels of `pixel_bytes`
// bytes on the inside, whatever the pixels are.
class FrameOp {
 public:
  FrameOp(std::int64_t batch, std::int64_t height, std::int64_t width, std::int64_t pixel_bytes,
          const Sides& sides);
  void pad(const void* inside, void* whole) const;
  void crop(const void* whole, void* inside) const;

 private:
  std::int64_t batch_ = 0, height_ = 0, row_bytes_ = 0;
  Sides sides_;  // left and right in bytes
  std::int64_t whole_height_ = 0, whole_bytes_ = 0;
  int threads_ = 0;
};

// The matrix that resizes an axis to `factor` times its size, or its transpose.
template <class T>
class ResizeMatrix {
 public:
  // std::invalid_argument: an unknown interpolation.
  ResizeMatrix(std::int64_t size, std::int64_t factor, const std::string& interpolation,
               bool transposed);
  Bands<T> bands() const { return {begin_.data(), count_.data(), weights_.data(), stride_, gaps_}; }
  std::int64_t rows() const { return static_cast<std::int64_t>(begin_.size()); }
  bool is_identity() const { return identity_; }
  // Row o is row begin[o] of what it is multiplied with.
  bool is_copy(std::int64_t o) const;

 private:
  void set_row(std::size_t o, std::int64_t begin, const std::vector<double>& weights);

  Table<std::int64_t> begin_, count_;
  Table<T> weights_;
  std::int64_t stride_ = 0;
  bool identity_ = false;
  bool gaps_ = false;  // see Bands
};

// y = rows x columns^T per image and channel: `height` x `width` images of `channels`, resized by
// the factors, or with `transposed` the gradient of that, from the large images to the small ones.
template <class T>
class UpsampleOp {
 public:
  UpsampleOp(std::int64_t batch, std::int64_t height, std::int64_t width, std::int64_t channels,
             std::int64_t factor_h, std::int64_t factor_w, const std::string& interpolation,
             bool transposed, int threads);
  std::size_t set_workspace(void* workspace);
  void run(const T* x, T* y) const;

 private:
  void run_row(const T* x, T* y, std::int64_t row, T* scratch) const;

  const SpatialKernels<T>* kernels_ = nullptr;
  ResizeMatrix<T> rows_, columns_;
  std::int64_t batch_ = 0, in_h_ = 0, in_w_ = 0, channels_ = 0;
  int threads_ = 0;
  ThreadScratch<T> scratch_;  // a row between the two axes
};

extern template class ResizeMatrix<float>;
extern template class ResizeMatrix<double>;
extern template class UpsampleOp<float>;
extern template class UpsampleOp<double>;

}  // namespace dlnative
