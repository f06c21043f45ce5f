// Random changes of images: reversed rows, affine maps, brightness and contrast.
#include <cstddef>
#include <cstdint>

#include "kernels/augment_kernels.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

constexpr int kFractionBits = 32;
constexpr std::int64_t kHalf = std::int64_t{1} << (kFractionBits - 1);
constexpr std::int64_t kFractionMask = (std::int64_t{1} << kFractionBits) - 1;

// A number of channels: kFixed where images have it often, and loops over channels become a few
// instructions; a variable where kFixed is 0.
template <int N>
struct Channels {
  static constexpr int kFixed = N;
  std::int64_t variable;
  operator std::int64_t() const { return N > 0 ? N : variable; }
};

template <class F>
DLNATIVE_INLINE void with_channels(std::int64_t channels, F f) {
  switch (channels) {
    case 1:
      return f(Channels<1>{1});
    case 3:
      return f(Channels<3>{3});
    case 4:
      return f(Channels<4>{4});
    default:
      return f(Channels<0>{channels});
  }
}

template <class T>
void reverse_pixels(const T* x, T* y, std::int64_t width, std::int64_t channels) {
  with_channels(channels, [&](auto size) {
    const std::int64_t n = size;
    T* to = y + (width - 1) * n;
    for (std::int64_t i = 0; i < width; ++i, x += n, to -= n) {
      for (std::int64_t c = 0; c < n; ++c) to[c] = x[c];
    }
  });
}

DLNATIVE_INLINE std::int64_t modulo(std::int64_t i, std::int64_t n) {
  const std::int64_t r = i % n;
  return r < 0 ? r + n : r;
}

// The index in [0, n) that stands for i, or -1 where the fill value does.
DLNATIVE_INLINE std::int64_t inside(std::int64_t i, std::int64_t n, FillMode fill) {
  if (i >= 0 && i < n) return i;
  switch (fill) {
    case FillMode::kNearest:
      return i < 0 ? 0 : n - 1;
    case FillMode::kReflect: {
      // Nearly always the image next to this one: no division.
      const std::int64_t mirrored = i < 0 ? -1 - i : 2 * n - 1 - i;
      if (mirrored >= 0 && mirrored < n) return mirrored;
      const std::int64_t r = modulo(i, 2 * n);
      return r < n ? r : 2 * n - 1 - r;
    }
    case FillMode::kWrap: {
      const std::int64_t next = i < 0 ? i + n : i - n;
      return next >= 0 && next < n ? next : modulo(i, n);
    }
    default:
      return -1;
  }
}

// Address of the pixel at indices that `inside` gave, null where the fill value stands for it.
template <class T>
DLNATIVE_INLINE const T* pixel(const AffineImage<T>& image, std::int64_t row, std::int64_t column) {
  return (row | column) < 0 ? nullptr
                            : image.x + row * image.row_stride_in + column * image.channels;
}

// Calls f(y, column, row) for each pixel of y with the place that it is read at.
template <class T, class F>
DLNATIVE_INLINE void for_each_pixel(const AffineImage<T>& image, std::int64_t channels, F f) {
  T* y = image.y;
  for (std::int64_t i = 0; i < image.height_out; ++i) {
    std::int64_t column = image.a1 * i + image.a2;
    std::int64_t row = image.b1 * i + image.b2;
    for (std::int64_t j = 0; j < image.width_out; ++j) {
      f(y, column, row);
      y += channels;
      column += image.a0;
      row += image.b0;
    }
  }
}

DLNATIVE_INLINE std::int64_t rounded(std::int64_t c) {
  return c >= 0 ? (c + kHalf) >> kFractionBits : -((kHalf - c) >> kFractionBits);
}

template <class T>
void affine_nearest(const AffineImage<T>& image) {
  with_channels(image.channels, [&](auto size) {
    const std::int64_t n = size;
    for_each_pixel(image, n, [&](T* y, std::int64_t column, std::int64_t row) {
      const T* from = pixel(image, inside(rounded(row), image.height_in, image.fill),
                            inside(rounded(column), image.width_in, image.fill));
      for (std::int64_t c = 0; c < n; ++c) y[c] = from != nullptr ? from[c] : image.fill_value;
    });
  });
}

// A pixel of which nothing is taken does not count, or an infinity in it would.
template <class V, class T>
DLNATIVE_INLINE V between(V a, V b, T share) {
  return share == T(0) ? a : a + share * (b - a);
}

// Four values, whatever the instruction set: the pixel of a colour image and one value more.
template <class T>
struct QuadType {
  typedef T Value __attribute__((vector_size(4 * sizeof(T))));
};
template <class T>
using Quad = typename QuadType<T>::Value;

template <class V, class T>
DLNATIVE_INLINE V load_as(const T* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

template <class V, class T>
DLNATIVE_INLINE V blend_as(const T* p00, const T* p01, const T* p10, const T* p11, T share_x,
                           T share_y) {
  const V top = between(load_as<V>(p00), load_as<V>(p01), share_x);
  const V bottom = between(load_as<V>(p10), load_as<V>(p11), share_x);
  return between(top, bottom, share_y);
}

// y = the values between four pixels, n channels; vectors of channels where there are that many.
// With `wide` four values are read of each pixel and written where n is 3. The arithmetic of a
// value is always the same.
template <class T>
DLNATIVE_INLINE void blend(const T* p00, const T* p01, const T* p10, const T* p11, T* y, T share_x,
                           T share_y, std::int64_t n, bool wide) {
  if (n == 4 || (n == 3 && wide)) {
    const Quad<T> v = blend_as<Quad<T>>(p00, p01, p10, p11, share_x, share_y);
    __builtin_memcpy(y, &v, sizeof(v));
    return;
  }
  std::int64_t c = 0;
  for (; c + kLanes<T> <= n; c += kLanes<T>) {
    store<T>(y + c, blend_as<Vec<T>>(p00 + c, p01 + c, p10 + c, p11 + c, share_x, share_y));
  }
  for (; c < n; ++c) {
    y[c] = between(between(p00[c], p01[c], share_x), between(p10[c], p11[c], share_x), share_y);
  }
}

// As blend, where some of the pixels are null: the fill value.
template <class T>
DLNATIVE_INLINE void blend_filled(const T* p00, const T* p01, const T* p10, const T* p11, T* y,
                                  T share_x, T share_y, std::int64_t n, T fill) {
  for (std::int64_t c = 0; c < n; ++c) {
    const T v00 = p00 != nullptr ? p00[c] : fill;
    const T v01 = p01 != nullptr ? p01[c] : fill;
    const T v10 = p10 != nullptr ? p10[c] : fill;
    const T v11 = p11 != nullptr ? p11[c] : fill;
    y[c] = between(between(v00, v01, share_x), between(v10, v11, share_x), share_y);
  }
}

template <class T>
void affine_bilinear(const AffineImage<T>& image) {
  constexpr T kUnit = static_cast<T>(1.0 / 4294967296.0);
  const auto last_row = static_cast<std::uint64_t>(image.height_in - 1);
  const auto last_column = static_cast<std::uint64_t>(image.width_in - 1);
  const T* last_in =
      image.x + (image.height_in - 1) * image.row_stride_in + (image.width_in - 1) * image.channels;
  const T* last_out = image.y + (image.height_out * image.width_out - 1) * image.channels;
  with_channels(image.channels, [&](auto size) {
    const std::int64_t n = size;
    for_each_pixel(image, n, [&](T* y, std::int64_t column, std::int64_t row) {
      const std::int64_t i = row >> kFractionBits;
      const std::int64_t j = column >> kFractionBits;
      const T share_x = static_cast<T>(column & kFractionMask) * kUnit;
      const T share_y = static_cast<T>(row & kFractionMask) * kUnit;
      if (static_cast<std::uint64_t>(i) < last_row && static_cast<std::uint64_t>(j) < last_column) {
        const T* p = image.x + i * image.row_stride_in + j * n;
        const T* below = p + image.row_stride_in;
        // The value after the last pixel of x or y may be another's.
        const bool wide = below + n < last_in && y < last_out;
        return blend(p, p + n, below, below + n, y, share_x, share_y, n, wide);
      }
      const std::int64_t top = inside(i, image.height_in, image.fill);
      const std::int64_t bottom = inside(i + 1, image.height_in, image.fill);
      const std::int64_t left = inside(j, image.width_in, image.fill);
      const std::int64_t right = inside(j + 1, image.width_in, image.fill);
      blend_filled(pixel(image, top, left), pixel(image, top, right), pixel(image, bottom, left),
                   pixel(image, bottom, right), y, share_x, share_y, n, image.fill_value);
    });
  });
}

// Eight pixels at a time have partial sums of their own, which hides the latency of an addition.
template <class T>
void channel_sums(const T* x, double* sums, std::int64_t pixels, std::int64_t channels) {
  constexpr int kUnroll = 8;
  with_channels(channels, [&](auto size) {
    const std::int64_t n = size;
    for (std::int64_t c = 0; c < n; ++c) sums[c] = 0.0;
    if constexpr (decltype(size)::kFixed > 0) {
      constexpr std::int64_t kValues = kUnroll * decltype(size)::kFixed;
      double parts[kValues] = {};
      for (; pixels >= kUnroll; pixels -= kUnroll, x += kValues) {
        for (std::int64_t i = 0; i < kValues; ++i) parts[i] += static_cast<double>(x[i]);
      }
      for (std::int64_t i = 0; i < kValues; ++i) sums[i % n] += parts[i];
    }
    for (std::int64_t p = 0; p < pixels; ++p, x += n) {
      for (std::int64_t c = 0; c < n; ++c) sums[c] += static_cast<double>(x[c]);
    }
  });
}

template <class T>
DLNATIVE_INLINE Vec<T> clip(Vec<T> x, T low, T high) {
  return at_most<T>(at_least<T>(x, low), high);
}

template <class T>
void shift_clip(const T* x, T* y, std::int64_t n, T delta, T low, T high) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    store<T>(y + i, clip<T>(load<T>(x + i) + delta, low, high));
  }
  if (i < n) store_first(y + i, clip<T>(load_first(x + i, n - i) + delta, low, high), n - i);
}

template <class T>
void stretch_clip(const T* x, const T* mean, T* y, std::int64_t n, T factor, T low, T high) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    const Vec<T> m = load<T>(mean + i);
    store<T>(y + i, clip<T>((load<T>(x + i) - m) * factor + m, low, high));
  }
  if (i < n) {
    const Vec<T> m = load_first(mean + i, n - i);
    store_first(y + i, clip<T>((load_first(x + i, n - i) - m) * factor + m, low, high), n - i);
  }
}

template <class T>
constexpr AugmentKernels<T> make_kernels() {
  return {reverse_pixels<T>, affine_nearest<T>, affine_bilinear<T>,
          channel_sums<T>,   shift_clip<T>,     stretch_clip<T>};
}

}  // namespace

extern const AugmentKernels<float> augment_f32;
extern const AugmentKernels<double> augment_f64;
const AugmentKernels<float> augment_f32 = make_kernels<float>();
const AugmentKernels<double> augment_f64 = make_kernels<double>();

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
