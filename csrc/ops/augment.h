// Random changes of images that keep their labels: flips, crops, affine maps, brightness, contrast.
//
// An image's draws are a function of (seed, kind of change, op, epoch, number of the sample), see
// Draws; so a result does not depend on the batch that the image is in, nor on threads.
// Images are [batch, height, width, channels].
#pragma once

#include <array>
#include <cstdint>

#include "core/philox.h"
#include "core/samples.h"
#include "core/workspace.h"
#include "kernels/augment_kernels.h"

namespace dlnative {

struct ImageShape {
  std::int64_t batch = 0, height = 0, width = 0, channels = 0;

  std::int64_t row() const { return width * channels; }
  std::int64_t image() const { return height * row(); }
};

// Numbers from `lower` to `upper`; one number where they are equal.
struct Range {
  double lower = 0.0, upper = 0.0;

  // lower + (upper - lower) * word / 2^32
  double at(std::uint32_t word) const {
    return lower + (upper - lower) * (static_cast<double>(word) * (1.0 / 4294967296.0));
  }
};

// The random words of one op. The words of a sample are Philox4x32-10 with the key of (seed, op_id)
// and the counter (low(sample), high(sample), low(epoch), 8 * kind + block), four words a block. A
// dropout of the same seed has a zero in the place of the kind, so two ops of one seed draw
// independently.
class Draws {
 public:
  enum Kind : std::uint32_t { kFlip = 1, kCrop = 2, kAffine = 3, kBrightness = 4, kContrast = 5 };

  Draws(std::uint64_t seed, std::uint32_t op_id, Kind kind)
      : key_(Philox::key(seed, op_id)), kind_(kind) {}

  Philox::Block words(std::uint64_t epoch, std::int64_t sample, std::uint32_t block = 0) const {
    const auto number = static_cast<std::uint64_t>(sample);
    return Philox::generate(
        {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32),
         static_cast<std::uint32_t>(epoch), 8u * kind_ + block},
        key_);
  }

 private:
  Philox::Key key_;
  std::uint32_t kind_ = 0;
};

// Mirrors an image with probability 1/2 (word 0 < 2^31), in the directions that are set.
template <class T>
class RandomFlipOp {
 public:
  RandomFlipOp(const ImageShape& shape, bool horizontal, bool vertical, const Draws& draws);
  void run(const T* x, T* y, const Samples& samples) const;

 private:
  ImageShape shape_;
  bool horizontal_ = false, vertical_ = false;
  Draws draws_;
  int threads_ = 0;
};

struct CropOptions {
  std::int64_t height = 0, width = 0;     // of the result
  std::array<std::int64_t, 4> padding{};  // top, bottom, left, right: added before
  bool reflect = false;                   // padding is mirrored at the edge pixel
  double fill_value = 0.0;                // of the padding, else
};

// A window of the padded image whose top is (word 0 * (rows + 1)) >> 32, where `rows` is how many
// rows the window may move; its left edge follows from word 1.
template <class T>
class RandomCropOp {
 public:
  // std::invalid_argument: the window is larger than the padded image, or a mirrored padding is
  // not smaller than the image.
  RandomCropOp(const ImageShape& shape, const CropOptions& options, const Draws& draws);
  void run(const T* x, T* y, const Samples& samples) const;

 private:
  void crop(const T* x, T* y, std::int64_t top, std::int64_t left) const;

  ImageShape shape_;
  CropOptions options_;
  Draws draws_;
  int threads_ = 0;
};

struct AffineOptions {
  Range shift_y, shift_x;            // downwards and to the right, in heights and widths
  Range rotation;                    // counter-clockwise, in turns
  Range zoom_y{1, 1}, zoom_x{1, 1};  // above 1 the image becomes smaller
  bool keep_aspect = false;          // zoom_x is the draw of zoom_y
  FillMode fill = FillMode::kConstant;
  double fill_value = 0.0;
  bool bilinear = true;
};

// The image is zoomed and rotated about its middle, then shifted. Words 0 to 4 give shift_y,
// shift_x, rotation, zoom_y and zoom_x.
template <class T>
class RandomAffineOp {
 public:
  RandomAffineOp(const ImageShape& shape, const AffineOptions& options, const Draws& draws);
  void run(const T* x, T* y, const Samples& samples) const;

 private:
  void set_map(AffineImage<T>& image, const Philox::Block& first,
               const Philox::Block& second) const;

  ImageShape shape_;
  AffineOptions options_;
  Draws draws_;
  void (*kernel_)(const AffineImage<T>&);
  int threads_ = 0;
};

// y = clip(x + d * (high - low), low, high), d drawn from `factor` with word 0. y may be x.
template <class T>
class RandomBrightnessOp {
 public:
  RandomBrightnessOp(const ImageShape& shape, Range factor, Range values, const Draws& draws);
  void run(const T* x, T* y, const Samples& samples) const;

 private:
  ImageShape shape_;
  Range factor_, values_;
  Draws draws_;
  void (*kernel_)(const T*, T*, std::int64_t, T, T, T);
  int threads_ = 0;
};

// y = clip((x - mean) * f + mean, low, high), f drawn from `factor` with word 0; a mean for each
// channel of each image. y may be x.
template <class T>
class RandomContrastOp {
 public:
  RandomContrastOp(const ImageShape& shape, Range factor, Range values, const Draws& draws,
                   int threads);
  std::size_t set_workspace(void* workspace);
  void run(const T* x, T* y, const Samples& samples) const;

 private:
  ImageShape shape_;
  Range factor_, values_;
  Draws draws_;
  const AugmentKernels<T>* kernels_ = nullptr;
  int threads_ = 0;
  ThreadScratch<double> sums_;  // of the channels
  ThreadScratch<T> means_;      // of each value of a row of pixels
};

// A window of each image, enlarged or reduced to height x width: linear between pixels, whose
// centres lie at (i + 0.5) / size, as in resizing without a filter.
template <class T>
class CropResizeOp {
 public:
  // std::invalid_argument: the window is empty or reaches out of the image.
  CropResizeOp(const ImageShape& shape, std::array<std::int64_t, 4> window, std::int64_t height,
               std::int64_t width);
  void run(const T* x, T* y) const;

 private:
  ImageShape shape_;
  std::int64_t offset_ = 0;  // of the window's first value
  AffineImage<T> image_;
  void (*kernel_)(const AffineImage<T>&);
  int threads_ = 0;
};

extern template class RandomFlipOp<float>;
extern template class RandomFlipOp<double>;
extern template class RandomCropOp<float>;
extern template class RandomCropOp<double>;
extern template class RandomAffineOp<float>;
extern template class RandomAffineOp<double>;
extern template class RandomBrightnessOp<float>;
extern template class RandomBrightnessOp<double>;
extern template class RandomContrastOp<float>;
extern template class RandomContrastOp<double>;
extern template class CropResizeOp<float>;
extern template class CropResizeOp<double>;

}  // namespace dlnative
