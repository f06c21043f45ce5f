#include "ops/augment.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/checks.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

// Nanoseconds per value of the result.
constexpr double kMoveCost = 0.25;
constexpr double kFlipCost = 0.5;
constexpr double kAffineCost = 2.0;
constexpr double kBrightnessCost = 0.2;
constexpr double kContrastCost = 0.7;

constexpr double kTurn = 6.283185307179586476925;
constexpr double kPixel = 4294967296.0;  // 2^32: units of AffineImage's coordinates

// Images of one task: about a third of kChunk's values, since they cost more.
std::int64_t images_per_task(std::int64_t image_values) {
  return std::max<std::int64_t>(1, kChunk / 4 / std::max<std::int64_t>(1, image_values));
}

// Calls f(image number, thread) for each image.
template <class F>
void for_each_image(std::int64_t batch, std::int64_t image_values, int threads, F&& f) {
  const std::int64_t images_per_chunk = images_per_task(image_values);
  parallel_for(chunk_count(batch, images_per_chunk), threads, [&](std::int64_t task, int thread) {
    const std::int64_t end = std::min(batch, (task + 1) * images_per_chunk);
    for (std::int64_t i = task * images_per_chunk; i < end; ++i) f(i, thread);
  });
}

int threads_of(const ImageShape& shape, double cost) {
  return threads_for(static_cast<double>(shape.batch * shape.image()) * cost);
}

template <class T>
void copy_values(const T* from, T* to, std::int64_t n) {
  std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
}

// Mirrors at the middle of the first and the last pixel; -n < i < 2 n - 1.
std::int64_t reflected(std::int64_t i, std::int64_t n) {
  return i < 0 ? -i : i < n ? i : 2 * (n - 1) - i;
}

std::int64_t fixed(double pixels) {
  return static_cast<std::int64_t>(std::floor(pixels * kPixel + 0.5));
}

}  // namespace

template <class T>
RandomFlipOp<T>::RandomFlipOp(const ImageShape& shape, bool horizontal, bool vertical,
                              const Draws& draws)
    : shape_(shape),
      horizontal_(horizontal),
      vertical_(vertical),
      draws_(draws),
      threads_(threads_of(shape, kFlipCost)) {}

template <class T>
void RandomFlipOp<T>::run(const T* x, T* y, const Samples& samples) const {
  const auto reverse = kernels<T>().augment->reverse_pixels;
  const std::int64_t row = shape_.row();
  for_each_image(shape_.batch, shape_.image(), threads_, [&](std::int64_t i, int) {
    const T* from = x + i * shape_.image();
    T* to = y + i * shape_.image();
    const std::uint32_t word = draws_.words(samples.epoch, samples.number(i, shape_.batch))[0];
    if (word >= 0x80000000u) return copy_values(from, to, shape_.image());
    for (std::int64_t r = 0; r < shape_.height; ++r) {
      const T* source = from + (vertical_ ? shape_.height - 1 - r : r) * row;
      if (horizontal_) {
        reverse(source, to + r * row, shape_.width, shape_.channels);
      } else {
        copy_values(source, to + r * row, row);
      }
    }
  });
}

template <class T>
RandomCropOp<T>::RandomCropOp(const ImageShape& shape, const CropOptions& options,
                              const Draws& draws)
    : shape_(shape), options_(options), draws_(draws), threads_(1) {
  const auto [top, bottom, left, right] = options.padding;
  check(top >= 0 && bottom >= 0 && left >= 0 && right >= 0 && options.height >= 0 &&
            options.width >= 0 && options.height <= shape.height + top + bottom &&
            options.width <= shape.width + left + right,
        "random_crop: ", options.height, " x ", options.width, " does not fit into ", shape.height,
        " x ", shape.width, " with padding (", top, ", ", bottom, ", ", left, ", ", right, ")");
  check(!options.reflect ||
            (std::max(top, bottom) < shape.height && std::max(left, right) < shape.width),
        "random_crop: a mirrored padding must be smaller than the image");
  threads_ = threads_of({shape.batch, options.height, options.width, shape.channels}, kMoveCost);
}

template <class T>
void RandomCropOp<T>::run(const T* x, T* y, const Samples& samples) const {
  const auto [above, below, before, after] = options_.padding;
  const auto rows = static_cast<std::uint64_t>(shape_.height + above + below - options_.height + 1);
  const auto columns =
      static_cast<std::uint64_t>(shape_.width + before + after - options_.width + 1);
  const std::int64_t image = options_.height * options_.width * shape_.channels;
  for_each_image(shape_.batch, image, threads_, [&](std::int64_t i, int) {
    const Philox::Block words = draws_.words(samples.epoch, samples.number(i, shape_.batch));
    const auto top = static_cast<std::int64_t>((words[0] * rows) >> 32);
    const auto left = static_cast<std::int64_t>((words[1] * columns) >> 32);
    crop(x + i * shape_.image(), y + i * image, top - options_.padding[0],
         left - options_.padding[2]);
  });
}

// The window from pixel (top, left) on, which may lie outside of the image.
template <class T>
void RandomCropOp<T>::crop(const T* x, T* y, std::int64_t top, std::int64_t left) const {
  const std::int64_t channels = shape_.channels;
  const std::int64_t row = options_.width * channels;
  const auto fill = static_cast<T>(options_.fill_value);
  // Columns [begin, end) of the window lie inside of the image.
  const std::int64_t begin = std::clamp<std::int64_t>(-left, 0, options_.width);
  const std::int64_t end = std::clamp<std::int64_t>(shape_.width - left, begin, options_.width);
  for (std::int64_t r = 0; r < options_.height; ++r, y += row) {
    std::int64_t source_row = top + r;
    if (source_row < 0 || source_row >= shape_.height) {
      if (!options_.reflect) {
        std::fill_n(y, row, fill);
        continue;
      }
      source_row = reflected(source_row, shape_.height);
    }
    const T* source = x + source_row * shape_.row();
    if (end > begin) {
      copy_values(source + (left + begin) * channels, y + begin * channels,
                  (end - begin) * channels);
    }
    for (std::int64_t j = 0; j < options_.width; ++j) {
      if (j == begin && end > begin) j = end;
      if (j == options_.width) break;
      if (options_.reflect) {
        copy_values(source + reflected(left + j, shape_.width) * channels, y + j * channels,
                    channels);
      } else {
        std::fill_n(y + j * channels, channels, fill);
      }
    }
  }
}

template <class T>
RandomAffineOp<T>::RandomAffineOp(const ImageShape& shape, const AffineOptions& options,
                                  const Draws& draws)
    : shape_(shape),
      options_(options),
      draws_(draws),
      kernel_(options.bilinear ? kernels<T>().augment->affine_bilinear
                               : kernels<T>().augment->affine_nearest),
      threads_(threads_of(shape, kAffineCost)) {
  check(shape.image() == 0 || (shape.height > 0 && shape.width > 0),
        "random_affine: an empty image");
}

// A pixel p of the result is read at middle + Z R (p - shift - middle): Z, R the inverses of zoom
// and rotation.
template <class T>
void RandomAffineOp<T>::set_map(AffineImage<T>& image, const Philox::Block& first,
                                const Philox::Block& second) const {
  const double shift_y = options_.shift_y.at(first[0]) * static_cast<double>(shape_.height);
  const double shift_x = options_.shift_x.at(first[1]) * static_cast<double>(shape_.width);
  const double angle = options_.rotation.at(first[2]) * kTurn;
  const double zoom_y = options_.zoom_y.at(first[3]);
  const double zoom_x = options_.keep_aspect ? zoom_y : options_.zoom_x.at(second[0]);
  const double cosine = std::cos(angle);
  const double sine = std::sin(angle);
  const double middle_y = static_cast<double>(shape_.height - 1) * 0.5;
  const double middle_x = static_cast<double>(shape_.width - 1) * 0.5;
  const double a0 = zoom_x * cosine;
  const double a1 = -zoom_x * sine;
  const double b0 = zoom_y * sine;
  const double b1 = zoom_y * cosine;
  image.a0 = fixed(a0);
  image.a1 = fixed(a1);
  image.a2 = fixed(middle_x - a0 * (middle_x + shift_x) - a1 * (middle_y + shift_y));
  image.b0 = fixed(b0);
  image.b1 = fixed(b1);
  image.b2 = fixed(middle_y - b0 * (middle_x + shift_x) - b1 * (middle_y + shift_y));
}

template <class T>
void RandomAffineOp<T>::run(const T* x, T* y, const Samples& samples) const {
  for_each_image(shape_.batch, shape_.image(), threads_, [&](std::int64_t i, int) {
    AffineImage<T> image;
    image.x = x + i * shape_.image();
    image.y = y + i * shape_.image();
    image.height_in = image.height_out = shape_.height;
    image.width_in = image.width_out = shape_.width;
    image.row_stride_in = shape_.row();
    image.channels = shape_.channels;
    image.fill = options_.fill;
    image.fill_value = static_cast<T>(options_.fill_value);
    const std::int64_t sample = samples.number(i, shape_.batch);
    set_map(image, draws_.words(samples.epoch, sample), draws_.words(samples.epoch, sample, 1));
    kernel_(image);
  });
}

template <class T>
RandomBrightnessOp<T>::RandomBrightnessOp(const ImageShape& shape, Range factor, Range values,
                                          const Draws& draws)
    : shape_(shape),
      factor_(factor),
      values_(values),
      draws_(draws),
      kernel_(kernels<T>().augment->shift_clip),
      threads_(threads_of(shape, kBrightnessCost)) {}

template <class T>
void RandomBrightnessOp<T>::run(const T* x, T* y, const Samples& samples) const {
  const auto low = static_cast<T>(values_.lower);
  const auto high = static_cast<T>(values_.upper);
  const std::int64_t image = shape_.image();
  for_each_image(shape_.batch, image, threads_, [&](std::int64_t i, int) {
    const std::uint32_t word = draws_.words(samples.epoch, samples.number(i, shape_.batch))[0];
    const double delta = factor_.at(word) * (values_.upper - values_.lower);
    kernel_(x + i * image, y + i * image, image, static_cast<T>(delta), low, high);
  });
}

template <class T>
RandomContrastOp<T>::RandomContrastOp(const ImageShape& shape, Range factor, Range values,
                                      const Draws& draws, int threads)
    : shape_(shape),
      factor_(factor),
      values_(values),
      draws_(draws),
      kernels_(kernels<T>().augment),
      threads_(std::min(threads, threads_of(shape, kContrastCost))) {
  const std::int64_t tasks = chunk_count(shape.batch, images_per_task(shape.image()));
  threads_ =
      static_cast<int>(std::clamp<std::int64_t>(threads_, 1, std::max<std::int64_t>(1, tasks)));
}

template <class T>
std::size_t RandomContrastOp<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  sums_.take(pieces, threads_, threads_, shape_.channels);
  means_.take(pieces, threads_, threads_, shape_.row());
  return pieces.bytes();
}

template <class T>
void RandomContrastOp<T>::run(const T* x, T* y, const Samples& samples) const {
  const auto low = static_cast<T>(values_.lower);
  const auto high = static_cast<T>(values_.upper);
  const std::int64_t pixels = shape_.height * shape_.width;
  for_each_image(shape_.batch, shape_.image(), threads_, [&](std::int64_t i, int thread) {
    const std::uint32_t word = draws_.words(samples.epoch, samples.number(i, shape_.batch))[0];
    const auto factor = static_cast<T>(factor_.at(word));
    double* sums = sums_.of(thread);
    T* means = means_.of(thread);
    const T* from = x + i * shape_.image();
    T* to = y + i * shape_.image();
    kernels_->channel_sums(from, sums, pixels, shape_.channels);
    for (std::int64_t j = 0; j < shape_.row(); ++j) {
      means[j] = static_cast<T>(sums[j % shape_.channels] / static_cast<double>(pixels));
    }
    for (std::int64_t r = 0; r < shape_.height; ++r) {
      const std::int64_t at = r * shape_.row();
      kernels_->stretch_clip(from + at, means, to + at, shape_.row(), factor, low, high);
    }
  });
}

template <class T>
CropResizeOp<T>::CropResizeOp(const ImageShape& shape, std::array<std::int64_t, 4> window,
                              std::int64_t height, std::int64_t width)
    : shape_(shape),
      offset_(0),
      image_(),
      kernel_(kernels<T>().augment->affine_bilinear),
      threads_(1) {
  const auto [top, left, rows, columns] = window;
  check(top >= 0 && left >= 0 && rows > 0 && columns > 0 && top + rows <= shape.height &&
            left + columns <= shape.width && height >= 0 && width >= 0,
        "crop_resize2d: a window of ", rows, " x ", columns, " at (", top, ", ", left,
        ") does not lie in ", shape.height, " x ", shape.width);
  offset_ = top * shape.row() + left * shape.channels;
  const double step_y =
      static_cast<double>(rows) / static_cast<double>(std::max<std::int64_t>(1, height));
  const double step_x =
      static_cast<double>(columns) / static_cast<double>(std::max<std::int64_t>(1, width));
  image_.height_in = rows;
  image_.width_in = columns;
  image_.row_stride_in = shape.row();
  image_.height_out = height;
  image_.width_out = width;
  image_.channels = shape.channels;
  image_.a0 = fixed(step_x);
  image_.a2 = fixed(0.5 * step_x - 0.5);
  image_.b1 = fixed(step_y);
  image_.b2 = fixed(0.5 * step_y - 0.5);
  image_.fill = FillMode::kNearest;
  threads_ = threads_of({shape.batch, height, width, shape.channels}, kAffineCost);
}

template <class T>
void CropResizeOp<T>::run(const T* x, T* y) const {
  const std::int64_t values = image_.height_out * image_.width_out * image_.channels;
  for_each_image(shape_.batch, values, threads_, [&](std::int64_t i, int) {
    AffineImage<T> image = image_;
    image.x = x + i * shape_.image() + offset_;
    image.y = y + i * values;
    kernel_(image);
  });
}

template class RandomFlipOp<float>;
template class RandomFlipOp<double>;
template class RandomCropOp<float>;
template class RandomCropOp<double>;
template class RandomAffineOp<float>;
template class RandomAffineOp<double>;
template class RandomBrightnessOp<float>;
template class RandomBrightnessOp<double>;
template class RandomContrastOp<float>;
template class RandomContrastOp<double>;
template class CropResizeOp<float>;
template class CropResizeOp<double>;

}  // namespace dlnative
