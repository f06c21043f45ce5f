// Pooling.
#include "kernels/pool_kernels.h"
#include "kernels/simd/pool_lines.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

// The shape for windows at y, which are written past the caches where `stream_y` says so and y
// allows it. One core, images of 64 MB: windows of 2 x 2 pixels gain 15 to 28 %, of 3 x 3 5 to 14 %
// (Zen 5, 2026-11).
template <class T>
PoolShape with_windows_at(const PoolShape& s, const T* y) {
  PoolShape shape = s;
  shape.stream_y =
      s.stream_y && y != nullptr && !is_narrow<T>(s.channels) && can_stream(y, s.channels);
  return shape;
}

template <class T>
DLNATIVE_INLINE void write_window(bool past, T* y, Vec<T> v) {
  if (past) {
    stream(y, v);
  } else {
    store(y, v);
  }
}

// --- max -----------------------------------------------------------------------------------------

// For windows that three_by_three_max turns down: out of the way.
template <class T, int kVectors>
__attribute__((noinline)) void special_max(PixelWindow<T> window, std::int64_t c, Vec<T>* best,
                                           Mask<T>* where) {
  window_max<T, kVectors, true, false, 0>(window, c, best, where);
}

// Row p of the windows of one image, of kWindow x kWindow pixels or, with 0, of any sizes.
template <class T, bool kIndices, int kWindow>
void max_row(const PoolShape& s, const T* image, const T* x_end, T* y, std::uint8_t* indices,
             bool relu, std::int64_t p) {
  const Taps h = Taps::of(p * s.stride_h - s.top, s.window_h, s.in_h);
  const bool past = s.stream_y;
  for (std::int64_t q = 0; q < s.out_w; ++q) {
    const Taps w = Taps::of(q * s.stride_w - s.left, s.window_w, s.in_w);
    const PixelWindow<T> window = pixel_window(s, image, x_end, h, w);
    const bool whole = kWindow > 0 && window.rows == kWindow && window.columns == kWindow;
    if (s.stream) prefetch_below(s, image + (h.start * s.in_w + w.start) * s.channels);
    for_each_vector<T, false, 2>(s.channels, [&](auto vectors, std::int64_t c) {
      constexpr int kCount = decltype(vectors)::kCount;
      Vec<T> best[kCount];
      Mask<T> where[kCount];
      if (!whole) {
        window_max<T, kCount, kIndices, false, 0>(window, c, best, where);
      } else if constexpr (!kIndices || kWindow != 3) {
        window_max<T, kCount, kIndices, false, kWindow>(window, c, best, where);
      } else if (three_by_three_max<T, kCount>(window, c, best)) {
        find_in_three_by_three<T, kCount>(window, c, best, where);
      } else {
        special_max<T, kCount>(window, c, best, where);
      }
#pragma GCC unroll 2
      for (int v = 0; v < kCount; ++v) {
        const std::int64_t at = q * s.channels + c + v * kLanes<T>;
        if (y != nullptr) write_window<T>(past, y + at, relu ? at_least<T>(best[v], 0) : best[v]);
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
  const PoolShape shape = with_windows_at(s, y);
  const auto run = indices != nullptr ? max_rows<T, true> : max_rows<T, false>;
  run(shape, x, y, indices, relu, first, rows);
  if (shape.stream_y) finish_streaming();
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

// Adds window by window, so the sums have the order of the windows; to one pixel for each channel,
// as windows that come here are large.
template <class T>
void add_to_maxima(const PoolShape& s, const T* dy, const T* image, const T* x_end, T* dx, Taps h,
                   std::int64_t q) {
  const Taps w = Taps::of(q * s.stride_w - s.left, s.window_w, s.in_w);
  PixelWindow<T> window = pixel_window(s, image, x_end, h, w);
  T* const first = dx + (h.start * s.in_w + w.start) * s.channels;
  for (std::int64_t c = 0; c < s.channels; c += kLanes<T>) {
    Vec<T> best;
    Mask<T> where;
    window.valid = smaller(s.channels - c, kLanes<T>);
    window_max<T, 1, true, true, 0>(window, c, &best, &where);
    for (int lane = 0; lane < window.valid; ++lane) {
      const std::int64_t i = where[lane] / s.window_w, j = where[lane] % s.window_w;
      first[(i * s.in_w + j) * s.channels + c + lane] += dy[c + lane];
    }
  }
}

template <class T>
void max_backward(const PoolShape& s, const T* dy, const T* x, T* dx, std::int64_t first,
                  std::int64_t images) {
  const std::int64_t image = s.in_h * s.in_w * s.channels, line = s.out_w * s.channels;
  for (std::int64_t n = first; n < first + images; ++n) {
    fill_zero(dx + n * image, image);
    for (std::int64_t p = 0; p < s.out_h; ++p) {
      const Taps h = Taps::of(p * s.stride_h - s.top, s.window_h, s.in_h);
      const T* row = dy + (n * s.out_h + p) * line;
      for (std::int64_t q = 0; q < s.out_w; ++q) {
        add_to_maxima(s, row + q * s.channels, x + n * image, x + s.batch * image, dx + n * image,
                      h, q);
      }
    }
  }
}

// --- average -------------------------------------------------------------------------------------

template <class T>
void average_row(const PoolShape& s, const T* image, const T* x_end, T* y, std::int64_t p) {
  const Taps h = Taps::of(p * s.stride_h - s.top, s.window_h, s.in_h);
  const bool past = s.stream_y;
  for (std::int64_t q = 0; q < s.out_w; ++q) {
    const Taps w = Taps::of(q * s.stride_w - s.left, s.window_w, s.in_w);
    const PixelWindow<T> window = pixel_window(s, image, x_end, h, w);
    const T scale = T(1) / static_cast<T>(window.rows * window.columns);
    if (s.stream) prefetch_below(s, image + (h.start * s.in_w + w.start) * s.channels);
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
        write_window<T>(past, y + q * s.channels + c + v * kLanes<T>, sum[v] * scale);
      }
    });
  }
}

template <class T>
void average(const PoolShape& s, const T* x, T* y, std::int64_t first, std::int64_t rows) {
  if (s.channels == 0) return;
  const std::int64_t image = s.in_h * s.in_w * s.channels;
  const PoolShape shape = with_windows_at(s, y);
  const auto row = is_narrow<T>(s.channels) ? average_lines<T> : average_row<T>;
  for (std::int64_t r = first; r < first + rows; ++r) {
    row(shape, x + r / s.out_h * image, x + s.batch * image, y + r * s.out_w * s.channels,
        r % s.out_h);
  }
  if (shape.stream_y) finish_streaming();
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
const PoolKernels<float> pool_f32 = {max<float>, max_backward_indices<float>, max_backward<float>,
                                     average<float>, average_backward<float>};
const PoolKernels<double> pool_f64 = {max<double>, max_backward_indices<double>,
                                      max_backward<double>, average<double>,
                                      average_backward<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
