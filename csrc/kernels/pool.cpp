// Pooling.
#include "kernels/pool_kernels.h"
#include "kernels/simd/pool_lines.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

// --- max -----------------------------------------------------------------------------------------

// Row p of the windows of one image.
template <class T, bool kIndices, int kWindow>
void max_row(const PoolShape& s, const T* image, const T* x_end, T* y, std::uint8_t* indices,
             bool relu, std::int64_t p) {
  const Taps h = Taps::of(p * s.stride_h - s.top, s.window_h, s.in_h);
  for (std::int64_t q = 0; q < s.out_w; ++q) {
    const Taps w = Taps::of(q * s.stride_w - s.left, s.window_w, s.in_w);
    const PixelWindow<T> window = pixel_window(s, image, x_end, h, w);
    for_each_vector<T, false, 2>(s.channels, [&](auto vectors, std::int64_t c) {
      constexpr int kCount = decltype(vectors)::kCount;
      Vec<T> best[kCount];
      Mask<T> where[kCount];
      if (kWindow > 0 && window.rows == kWindow && window.columns == kWindow) {
        window_max<T, kCount, kIndices, false, kWindow, kWindow>(window, c, best, where);
      } else {
        window_max<T, kCount, kIndices, false, 0, 0>(window, c, best, where);
      }
#pragma GCC unroll 2
      for (int v = 0; v < kCount; ++v) {
        const std::int64_t at = q * s.channels + c + v * kLanes<T>;
        if (y != nullptr) store(y + at, relu ? at_least<T>(best[v], 0) : best[v]);
        if constexpr (kIndices) {
          Bytes<T>::store(indices + at, where[v]);
        }
      }
    });
  }
}

template <class T, bool kIndices>
void max_rows(const PoolShape& s, const T* x, T* y, std::uint8_t* indices, bool relu,
              std::int64_t first, std::int64_t rows) {
  const std::int64_t image = s.in_h * s.in_w * s.channels;
  const std::int64_t square = s.window_h == s.window_w ? s.window_h : 0;
  const auto row = is_narrow<T>(s.channels) ? max_lines<T, kIndices>
                   : square == 2            ? max_row<T, kIndices, 2>
                   : square == 3            ? max_row<T, kIndices, 3>
                                            : max_row<T, kIndices, 0>;
  for (std::int64_t r = first; r < first + rows; ++r) {
    const std::int64_t at = r * s.out_w * s.channels;
    row(s, x + r / s.out_h * image, x + s.batch * image, y != nullptr ? y + at : nullptr,
        kIndices ? indices + at : nullptr, relu, r % s.out_h);
  }
}

template <class T>
void max(const PoolShape& s, const T* x, T* y, std::uint8_t* indices, bool relu, std::int64_t first,
         std::int64_t rows) {
  if (s.channels == 0) return;
  const auto run = indices != nullptr ? max_rows<T, true> : max_rows<T, false>;
  run(s, x, y, indices, relu, first, rows);
}

template <class T>
void max_backward_indices(const PoolShape& s, const T* dy, const std::uint8_t* indices,
                          const T* saved, T* dx, std::int64_t first, std::int64_t rows) {
  if (s.channels == 0) return;
  const std::int64_t size = s.batch * s.out_h * s.out_w * s.channels;
  if (saved != nullptr) {
    backward(s, MaxCotangents<T, true>{dy, indices, saved, size}, dx, first, rows);
  } else {
    backward(s, MaxCotangents<T, false>{dy, indices, nullptr, size}, dx, first, rows);
  }
}

// --- max, with the maxima found again ------------------------------------------------------------

// The row of disjoint windows p: writes the pixels up to the first row of the next windows.
template <class T, bool kNarrow>
void disjoint_windows(const PoolShape& s, const T* dy, const T* dy_end, const T* image,
                      const T* x_end, T* dx, std::int64_t p) {
  const std::int64_t line = s.in_w * s.channels;
  const Taps h = Taps::of(p * s.stride_h - s.top, s.window_h, s.in_h);
  for (std::int64_t q = 0; q < s.out_w; ++q, dy += s.channels) {
    const Taps w = Taps::of(q * s.stride_w - s.left, s.window_w, s.in_w);
    const PixelWindow<T> window = pixel_window(s, image, x_end, h, w);
    for_each_vector<T, kNarrow, 1>(s.channels, [&](auto, std::int64_t c) {
      Vec<T> best;
      Mask<T> where;
      window_max<T, 1, true, kNarrow, 0, 0>(window, c, &best, &where);
      const Vec<T> value = load_pixel<kNarrow>(dy + c, s.channels, dy_end);
      for (std::int64_t i = h.begin; i < h.end; ++i) {
        T* row = dx + (h.start + i) * line;
        for (std::int64_t j = w.begin; j < w.end; ++j) {
          const Mask<T> here = where == static_cast<Lane<T>>(i * s.window_w + j);
          store_pixel<kNarrow>(row + (w.start + j) * s.channels + c, here ? value : Vec<T>{},
                               s.channels, row + line);
        }
      }
    });
    const std::int64_t after = w.start + w.end;
    const std::int64_t next = q + 1 < s.out_w ? smaller(w.start + s.stride_w, s.in_w) : s.in_w;
    for (std::int64_t i = h.begin; i < h.end && next > after; ++i) {
      fill_zero(dx + (h.start + i) * line + after * s.channels, (next - after) * s.channels);
    }
  }
  const std::int64_t after = h.start + h.end;
  const std::int64_t next = p + 1 < s.out_h ? smaller(h.start + s.stride_h, s.in_h) : s.in_h;
  if (next > after) fill_zero(dx + after * line, (next - after) * line);
}

template <class T>
void max_backward(const PoolShape& s, const T* dy, const T* x, T* dx, std::int64_t first,
                  std::int64_t rows) {
  if (s.channels == 0) return;
  const std::int64_t image = s.in_h * s.in_w * s.channels, line = s.out_w * s.channels;
  const auto run =
      is_narrow<T>(s.channels) ? disjoint_windows<T, true> : disjoint_windows<T, false>;
  for (std::int64_t r = first; r < first + rows; ++r) {
    const std::int64_t at = r / s.out_h * image;
    run(s, dy + r * line, dy + s.batch * s.out_h * line, x + at, x + s.batch * image, dx + at,
        r % s.out_h);
  }
}

// Adds window by window, so the sums have the order of the windows. Channels are cut exactly here:
// a pixel that is written twice by overlapping vectors would be added to twice.
template <class T>
void overlapping_windows(const PoolShape& s, const T* dy, const T* image, const T* x_end, T* dx,
                         Taps h, std::int64_t q) {
  const std::int64_t line = s.in_w * s.channels;
  const Taps w = Taps::of(q * s.stride_w - s.left, s.window_w, s.in_w);
  PixelWindow<T> window = pixel_window(s, image, x_end, h, w);
  for (std::int64_t c = 0; c < s.channels; c += kLanes<T>) {
    const std::int64_t left = s.channels - c;
    Vec<T> best;
    Mask<T> where;
    window.valid = smaller(left, kLanes<T>);
    window_max<T, 1, true, true, 0, 0>(window, c, &best, &where);
    const Vec<T> value = load_upto(dy + c, left);
    for (std::int64_t i = h.begin; i < h.end; ++i) {
      T* pixel = dx + (h.start + i) * line + (w.start + w.begin) * s.channels + c;
      for (std::int64_t j = w.begin; j < w.end; ++j, pixel += s.channels) {
        const Mask<T> here = where == static_cast<Lane<T>>(i * s.window_w + j);
        store_upto(pixel, load_upto(pixel, left) + (here ? value : Vec<T>{}), left);
      }
    }
  }
}

template <class T>
void max_backward_images(const PoolShape& s, const T* dy, const T* x, T* dx, std::int64_t first,
                         std::int64_t images) {
  const std::int64_t image = s.in_h * s.in_w * s.channels, line = s.out_w * s.channels;
  for (std::int64_t n = first; n < first + images; ++n) {
    fill_zero(dx + n * image, image);
    for (std::int64_t p = 0; p < s.out_h; ++p) {
      const Taps h = Taps::of(p * s.stride_h - s.top, s.window_h, s.in_h);
      const T* row = dy + (n * s.out_h + p) * line;
      for (std::int64_t q = 0; q < s.out_w; ++q) {
        overlapping_windows(s, row + q * s.channels, x + n * image, x + s.batch * image,
                            dx + n * image, h, q);
      }
    }
  }
}

// --- average -------------------------------------------------------------------------------------

template <class T>
void average_row(const PoolShape& s, const T* image, const T* x_end, T* y, std::int64_t p) {
  const Taps h = Taps::of(p * s.stride_h - s.top, s.window_h, s.in_h);
  for (std::int64_t q = 0; q < s.out_w; ++q) {
    const Taps w = Taps::of(q * s.stride_w - s.left, s.window_w, s.in_w);
    const PixelWindow<T> window = pixel_window(s, image, x_end, h, w);
    const T scale = T(1) / static_cast<T>(window.rows * window.columns);
    for_each_vector<T, false, 2>(s.channels, [&](auto vectors, std::int64_t c) {
      constexpr int kCount = decltype(vectors)::kCount;
      Vec<T> sum[kCount] = {};
      for (std::int64_t i = 0; i < window.rows; ++i) {
        const T* x = window.x + i * window.row + c;
        for (std::int64_t j = 0; j < window.columns; ++j, x += s.channels) {
#pragma GCC unroll 2
          for (int v = 0; v < kCount; ++v) {
            sum[v] += load(x + v * kLanes<T>);
          }
        }
      }
#pragma GCC unroll 2
      for (int v = 0; v < kCount; ++v) {
        T* to = y + q * s.channels + c + v * kLanes<T>;
        store(to, sum[v] * scale);
      }
    });
  }
}

template <class T>
void average(const PoolShape& s, const T* x, T* y, std::int64_t first, std::int64_t rows) {
  if (s.channels == 0) return;
  const std::int64_t image = s.in_h * s.in_w * s.channels;
  const auto row = is_narrow<T>(s.channels) ? average_lines<T> : average_row<T>;
  for (std::int64_t r = first; r < first + rows; ++r) {
    row(s, x + r / s.out_h * image, x + s.batch * image, y + r * s.out_w * s.channels, r % s.out_h);
  }
}

template <class T>
void average_backward(const PoolShape& s, const T* dy, T* dx, std::int64_t first,
                      std::int64_t rows) {
  if (s.channels == 0) return;
  const std::int64_t size = s.batch * s.out_h * s.out_w * s.channels;
  backward(s, AverageCotangents<T>{dy, s, size}, dx, first, rows);
}

}  // namespace

extern const PoolKernels<float> pool_f32;
extern const PoolKernels<double> pool_f64;
const PoolKernels<float> pool_f32 = {max<float>,          max_backward_indices<float>,
                                     max_backward<float>, max_backward_images<float>,
                                     average<float>,      average_backward<float>};
const PoolKernels<double> pool_f64 = {max<double>,          max_backward_indices<double>,
                                      max_backward<double>, max_backward_images<double>,
                                      average<double>,      average_backward<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
