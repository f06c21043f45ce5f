// Pooling by lines: a tap of all windows of a row is one long vector over (column, channel),
// whatever the number of channels. With a stride the pixels that a tap reads are first moved next
// to each other.
//
// This is the way for pixels narrower than a vector, and for the gradients of overlapping windows.
#pragma once

#include "kernels/simd/pool_backward.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

constexpr std::int64_t kLine = 512;     // values of a row that are pooled at a time, in L1
constexpr std::int64_t kPlanes = 2048;  // values of dx that are gathered at a time, in L1

// Pixels at from, from + step, ... next to each other. `to` has room for a vector more.
template <class T>
void pack_pixels(const T* from, std::int64_t step, const T* end, std::int64_t channels,
                 std::int64_t count, T* to) {
  if (channels == 1) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * step];
    return;
  }
  for (std::int64_t i = 0; i < count; ++i, from += step, to += channels) {
    store(to, load_pixel<true>(from, channels, end));
  }
}

// Windows [q, q + count) of row p: calls f(values, first, size, position) for each tap of the
// window, in scan order, with the values that it reads: those of elements [first, first + size) of
// the piece, which is where the tap is on the image.
template <class T, class F>
DLNATIVE_INLINE void for_each_tap_line(const PoolShape& s, const T* image, const T* x_end,
                                       std::int64_t p, std::int64_t q, std::int64_t count, F f) {
  T line[kLine + kLanes<T>];
  const Taps h = Taps::of(p * s.stride_h - s.top, s.window_h, s.in_h);
  for (std::int64_t i = h.begin; i < h.end; ++i) {
    for (std::int64_t j = 0; j < s.window_w; ++j) {
      const std::int64_t reach =
          s.left - j;  // places from ceil(reach / stride) on are on the image
      const std::int64_t last = s.in_w - 1 + reach;
      if (last < 0) continue;
      const std::int64_t on = reach > 0 ? (reach + s.stride_w - 1) / s.stride_w : 0;
      const std::int64_t begin = larger(q, on);
      const std::int64_t end = smaller(q + count, last / s.stride_w + 1);
      if (begin >= end) continue;
      const T* from = image + ((h.start + i) * s.in_w + begin * s.stride_w - reach) * s.channels;
      const std::int64_t size = (end - begin) * s.channels;
      if (s.stride_w > 1) {
        pack_pixels(from, s.stride_w * s.channels, x_end, s.channels, end - begin, line);
        from = line;
      }
      f(from, (begin - q) * s.channels, size, i * s.window_w + j);
    }
  }
}

template <class T, bool kIndices>
void max_lines(const PoolShape& s, const T* image, const T* x_end, T* y, std::uint8_t* indices,
               bool relu, std::int64_t p) {
  T best[kLine + kLanes<T>];
  Lane<T> where[kLine + kLanes<T>];
  const std::int64_t most = kLine / s.channels;
  for (std::int64_t q = 0; q < s.out_w; q += most) {
    const std::int64_t count = smaller(most, s.out_w - q), size = count * s.channels;
    for (std::int64_t i = 0; i < size; i += kLanes<T>) {
      store(best + i, broadcast(-infinity<T>()));
      if constexpr (kIndices) __builtin_memset(where + i, 0xff, sizeof(Mask<T>));  // none yet: -1
    }
    for_each_tap_line(
        s, image, x_end, p, q, count,
        [&](const T* values, std::int64_t first, std::int64_t n, std::int64_t position) {
          for (std::int64_t i = 0; i < n; i += kLanes<T>) {
            const Vec<T> value = load_upto(values + i, n - i);
            const Vec<T> old = load(best + first + i);
            Mask<T> take = ~(value <= old) & (old == old);  // larger, or the first NaN
            Mask<T> number{};
            if constexpr (kIndices) {
              __builtin_memcpy(&number, where + first + i, sizeof(number));
              take |= number < 0;
            }
            if (n - i < kLanes<T>) take &= lane_numbers<T>() < static_cast<Lane<T>>(n - i);
            store(best + first + i, take ? value : old);
            if constexpr (kIndices) {
              number = take ? Mask<T>{} + static_cast<Lane<T>>(position) : number;
              __builtin_memcpy(where + first + i, &number, sizeof(number));
            }
          }
        });
    for (std::int64_t i = 0; i < size; i += kLanes<T>) {
      const std::int64_t at = q * s.channels + i;
      const Vec<T> v = load(best + i);
      if (y != nullptr) store_upto(y + at, relu ? at_least<T>(v, 0) : v, size - i);
      if constexpr (kIndices) {
        Mask<T> number;
        __builtin_memcpy(&number, where + i, sizeof(number));
        if (size - i < kLanes<T>) {
          store_first_bytes<T>(indices + at, number, size - i);
        } else {
          Bytes<T>::store(indices + at, number);
        }
      }
    }
  }
}

template <class T>
void average_lines(const PoolShape& s, const T* image, const T* x_end, T* y, std::int64_t p) {
  T sum[kLine + kLanes<T>];
  const std::int64_t most = kLine / s.channels;
  const Taps h = Taps::of(p * s.stride_h - s.top, s.window_h, s.in_h);
  for (std::int64_t q = 0; q < s.out_w; q += most) {
    const std::int64_t count = smaller(most, s.out_w - q);
    fill_zero(sum, count * s.channels + kLanes<T>);
    for_each_tap_line(s, image, x_end, p, q, count,
                      [&](const T* values, std::int64_t first, std::int64_t n, std::int64_t) {
                        for (std::int64_t i = 0; i < n; i += kLanes<T>) {
                          T* to = sum + first + i;
                          store(to, load(to) + load_upto(values + i, n - i));
                        }
                      });
    // Windows of equally many pixels are divided together.
    for (std::int64_t begin = 0, end; begin < count; begin = end) {
      const auto columns = [&](std::int64_t i) {
        return Taps::of((q + i) * s.stride_w - s.left, s.window_w, s.in_w).count();
      };
      const std::int64_t pixels = columns(begin);
      for (end = begin + 1; end < count && columns(end) == pixels; ++end) {
      }
      const T scale = T(1) / static_cast<T>(h.count() * pixels);
      for (std::int64_t i = begin * s.channels; i < end * s.channels; i += kLanes<T>) {
        store_upto(y + q * s.channels + i, load(sum + i) * scale, end * s.channels - i);
      }
    }
  }
}

// --- gradients -----------------------------------------------------------------------------------

// dx[i] += what `size` values of windows, from offset `at` on, give to position `position`.
template <class T, class Cotangents>
DLNATIVE_INLINE void add_line(const Cotangents& cotangents, std::int64_t at, std::int64_t size,
                              T scale, std::int64_t position, T* dx) {
  using Value = typename Cotangents::Value;
  std::int64_t i = 0;
  for (; i + kLanes<T> <= size; i += kLanes<T>) {
    const Value value = cotangents.load_upto(at + i, kLanes<T>, scale);
    store(dx + i, load(dx + i) + Value::at(value, position));
  }
  if (i < size) {
    const Value value = cotangents.load_upto(at + i, size - i, scale);
    store_first(dx + i, load_first(dx + i, size - i) + Value::at(value, position), size - i);
  }
}

// The tap j of windows [begin, end) of row p, whose gradients go to dx.
template <class T, class Cotangents>
void add_windows(const PoolShape& s, const Cotangents& cotangents, std::int64_t windows,
                 std::int64_t p, std::int64_t begin, std::int64_t end, std::int64_t position,
                 T* dx) {
  for (std::int64_t next; begin < end; begin = next) {
    const T scale = cotangents.scale(p, begin);
    next = end;
    if constexpr (Cotangents::kScaled) {  // as far as windows have equally many pixels
      const std::int64_t columns = cotangents.columns(begin);
      for (next = begin + 1; next < end && cotangents.columns(next) == columns;) ++next;
    }
    const std::int64_t size = (next - begin) * s.channels;
    add_line(cotangents, windows + (p * s.out_w + begin) * s.channels, size, scale, position, dx);
    dx += size;
  }
}

// Row iy of an image. Pixel ix lies at m = ix + left = u * stride + r: those of one remainder r are
// one plane, in which tap j = d * stride + r of window q is pixel u = q + d.
template <class T, bool kNarrow, class Cotangents>
void line_row(const PoolShape& s, const Cotangents& cotangents, std::int64_t windows,
              std::int64_t iy, T* dx) {
  T planes[kPlanes + kLanes<T>];
  const std::int64_t stride = s.stride_w, line = s.in_w * s.channels;
  const WindowRows rows(s, iy);
  const std::int64_t stop = (s.in_w + s.left - 1) / stride + 1;
  const std::int64_t most = stride == 1 ? stop : kPlanes / (stride * s.channels);
  if (stride == 1) fill_zero(dx, line);
  for (std::int64_t u = stride == 1 ? s.left : 0; u < stop; u += most) {
    const std::int64_t count = smaller(most, stop - u), plane = count * s.channels;
    T* to = stride == 1 ? dx : planes;
    if (stride > 1) fill_zero(planes, stride * plane);
    for (std::int64_t p = rows.begin; p < rows.end; ++p) {
      const std::int64_t tap = rows.reach - p * s.stride_h;
      for (std::int64_t j = s.window_w - 1; j >= 0; --j) {  // from the first window to the last
        const std::int64_t d = j / stride, r = j % stride;
        const std::int64_t begin = larger(u - d, 0), end = smaller(u + count - d, s.out_w);
        if (begin >= end) continue;
        add_windows(s, cotangents, windows, p, begin, end, tap * s.window_w + j,
                    to + r * plane + (begin + d - u) * s.channels);
      }
    }
    if (stride == 1) return;
    // Back from planes to pixels, from left to right.
    const std::int64_t begin = larger(u * stride - s.left, 0);
    const std::int64_t end = smaller((u + count) * stride - s.left, s.in_w);
    std::int64_t r = (begin + s.left) % stride, from = (begin + s.left) / stride - u;
    for (std::int64_t ix = begin; ix < end; ++ix) {
      const T* value = planes + r * plane + from * s.channels;
      T* pixel = dx + ix * s.channels;
      for_each_vector<T, kNarrow, 1>(s.channels, [&](auto, std::int64_t c) {
        store_pixel<kNarrow>(pixel + c, load(value + c), s.channels, dx + line);
      });
      if (++r == stride) {
        r = 0;
        ++from;
      }
    }
  }
}

template <class T, bool kNarrow, bool kStream, class Cotangents>
void backward_rows(const PoolShape& s, const Cotangents& cotangents, T* dx, std::int64_t first,
                   std::int64_t rows) {
  const bool fits = s.stride_w == 1 || s.stride_w * s.channels <= kPlanes;
  const bool pairs = !kNarrow && s.window_w == 3 && s.stride_w == 2 && s.in_w > 2;
  const auto row = s.disjoint() ? disjoint_row<T, kNarrow, kStream, Cotangents>
                   : pairs      ? three_by_two_row<T, kStream, Cotangents>
                   : fits       ? line_row<T, kNarrow, Cotangents>
                                : overlapping_row<T, kNarrow, Cotangents>;
  for (std::int64_t r = first; r < first + rows; ++r) {
    const std::int64_t windows = r / s.in_h * s.out_h * s.out_w * s.channels;
    row(s, cotangents, windows, r % s.in_h, dx + r * s.in_w * s.channels);
  }
}

template <class T, class Cotangents>
void backward(const PoolShape& s, const Cotangents& cotangents, T* dx, std::int64_t first,
              std::int64_t rows) {
  if (is_narrow<T>(s.channels))
    return backward_rows<T, true, false>(s, cotangents, dx, first, rows);
  if (!s.stream || !can_stream(dx, s.channels)) {
    return backward_rows<T, false, false>(s, cotangents, dx, first, rows);
  }
  backward_rows<T, false, true>(s, cotangents, dx, first, rows);
  finish_streaming();
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
