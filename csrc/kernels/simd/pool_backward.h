// The gradients of pooling, as rows of pixels that gather from the windows they are in: every pixel
// is written once, and its sum has the order of the windows.
#pragma once

#include "kernels/simd/bytes.h"
#include "kernels/simd/pool_max.h"
#include "kernels/simd/stream.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// What the window at offset `at` gives to its pixels, in max pooling with indices.
template <class T, bool kSaved>
struct MaxCotangents {
  static constexpr bool kScaled = false;
  struct Value {
    Vec<T> dy;
    Mask<T> where;
    DLNATIVE_INLINE Vec<T> at(const Value& v, std::int64_t position) {
      return v.where == static_cast<Lane<T>>(position) ? v.dy : Vec<T>{};
    }
  };

  T scale(std::int64_t, std::int64_t) const { return 1; }

  template <bool kNarrow>
  Value load(std::int64_t at, std::int64_t channels, T) const {
    Value v;
    v.dy = load_pixel<kNarrow>(dy + at, channels, dy + size);
    if constexpr (kSaved) {
      v.dy = load_pixel<kNarrow>(saved + at, channels, saved + size) > 0 ? v.dy : Vec<T>{};
    }
    const bool cut = kNarrow && size - at < kLanes<T>;
    v.where = cut ? load_first_bytes<T>(indices + at, channels) : Bytes<T>::load(indices + at);
    return v;
  }

  // The first n lanes; the others are zero.
  Value load_upto(std::int64_t at, std::int64_t n, T) const {
    Value v;
    v.dy = DLNATIVE_ISA_NAMESPACE::load_upto(dy + at, n);
    if constexpr (kSaved) {
      v.dy = DLNATIVE_ISA_NAMESPACE::load_upto(saved + at, n) > 0 ? v.dy : Vec<T>{};
    }
    v.where = n < kLanes<T> ? load_first_bytes<T>(indices + at, n) : Bytes<T>::load(indices + at);
    return v;
  }

  const T* dy;
  const std::uint8_t* indices;
  const T* saved;
  std::int64_t size;  // of each of these arrays
};

// The same in average pooling.
template <class T>
struct AverageCotangents {
  static constexpr bool kScaled = true;  // scale() depends on the window
  struct Value {
    Vec<T> share;
    DLNATIVE_INLINE Vec<T> at(const Value& v, std::int64_t) { return v.share; }
  };

  T scale(std::int64_t p, std::int64_t q) const {
    const Taps h = Taps::of(p * shape.stride_h - shape.top, shape.window_h, shape.in_h);
    return T(1) / static_cast<T>(h.count() * columns(q));
  }

  // Pixels of window q along a row.
  std::int64_t columns(std::int64_t q) const {
    return Taps::of(q * shape.stride_w - shape.left, shape.window_w, shape.in_w).count();
  }

  template <bool kNarrow>
  Value load(std::int64_t at, std::int64_t channels, T scale) const {
    return {load_pixel<kNarrow>(dy + at, channels, dy + size) * scale};
  }

  Value load_upto(std::int64_t at, std::int64_t n, T scale) const {
    return {DLNATIVE_ISA_NAMESPACE::load_upto(dy + at, n) * scale};
  }

  const T* dy;
  const PoolShape& shape;
  std::int64_t size;
};

// Past the caches where kStream is set: dx is larger than they are.
template <bool kNarrow, bool kStream, class T>
DLNATIVE_INLINE void write_pixel(T* p, Vec<T> v, std::int64_t channels, const T* end) {
  if constexpr (kStream) {
    stream(p, v);
  } else {
    store_pixel<kNarrow>(p, v, channels, end);
  }
}

// Pixels in window q's part of a row, and those up to the next window, which get zeros.
template <class T, bool kNarrow, bool kStream, class Cotangents>
DLNATIVE_INLINE void disjoint_window(const PoolShape& s, const Cotangents& cotangents,
                                     std::int64_t at, std::int64_t p, std::int64_t q,
                                     std::int64_t tap, T* dx) {
  using Value = typename Cotangents::Value;
  const T* end = dx + s.in_w * s.channels;
  const Taps w = Taps::of(q * s.stride_w - s.left, s.window_w, s.in_w);
  const T scale = cotangents.scale(p, q);
  const std::int64_t first = tap * s.window_w + w.begin;
  for_each_vector<T, kNarrow, 1>(s.channels, [&](auto, std::int64_t c) {
    const Value value = cotangents.template load<kNarrow>(at + c, s.channels, scale);
    T* pixel = dx + (w.start + w.begin) * s.channels + c;
    for (std::int64_t i = 0; i < w.count(); ++i, pixel += s.channels) {
      write_pixel<kNarrow, kStream>(pixel, Value::at(value, first + i), s.channels, end);
    }
  });
  const std::int64_t after = w.start + w.end;
  const std::int64_t next = q + 1 < s.out_w ? smaller(w.start + s.stride_w, s.in_w) : s.in_w;
  if (next > after) fill_zero(dx + after * s.channels, (next - after) * s.channels);
}

// Row iy of an image for disjoint windows. `windows` is the offset of the image's first window.
template <class T, bool kNarrow, bool kStream, class Cotangents>
void disjoint_row(const PoolShape& s, const Cotangents& cotangents, std::int64_t windows,
                  std::int64_t iy, T* dx) {
  using Value = typename Cotangents::Value;
  const std::int64_t p = (iy + s.top) / s.stride_h;
  const std::int64_t tap = iy + s.top - p * s.stride_h;
  if (p >= s.out_h || tap >= s.window_h) return fill_zero(dx, s.in_w * s.channels);
  const std::int64_t at = windows + p * s.out_w * s.channels;
  std::int64_t q = 0;
  const auto general = [&](std::int64_t q_end) {
    for (; q < q_end; ++q) {
      disjoint_window<T, kNarrow, kStream>(s, cotangents, at + q * s.channels, p, q, tap, dx);
    }
  };
  // Pairs of pixels, the most common window: all but the first and the last without bounds.
  if (s.window_w == 2 && s.stride_w == 2 && s.out_w > 2) {
    general(1);
    const T* end = dx + s.in_w * s.channels;
    const T scale = cotangents.scale(p, q);
    for (; q < s.out_w - 1; ++q) {
      T* pair = dx + (2 * q - s.left) * s.channels;
      for_each_vector<T, kNarrow, 1>(s.channels, [&](auto, std::int64_t c) {
        const Value value =
            cotangents.template load<kNarrow>(at + q * s.channels + c, s.channels, scale);
        write_pixel<kNarrow, kStream>(pair + c, Value::at(value, 2 * tap), s.channels, end);
        write_pixel<kNarrow, kStream>(pair + s.channels + c, Value::at(value, 2 * tap + 1),
                                      s.channels, end);
      });
    }
  }
  general(s.out_w);
}

// The windows whose rows reach row iy of an image.
struct WindowRows {
  std::int64_t reach, begin, end;
  WindowRows(const PoolShape& s, std::int64_t iy) : reach(iy + s.top) {
    begin = reach < s.window_h ? 0 : smaller((reach - s.window_h) / s.stride_h + 1, s.out_h);
    end = smaller(reach / s.stride_h + 1, s.out_h);
  }
};

// Pixels [ix, ix_end) of a row for any windows.
template <class T, bool kNarrow, class Cotangents>
void overlapping_pixels(const PoolShape& s, const Cotangents& cotangents, std::int64_t windows,
                        const WindowRows& rows, std::int64_t ix, std::int64_t ix_end, T* dx) {
  using Value = typename Cotangents::Value;
  const T* end = dx + s.in_w * s.channels;
  std::int64_t q_begin = 0, q_end = 0;
  for (; ix < ix_end; ++ix) {
    while (q_begin < s.out_w && q_begin * s.stride_w - s.left + s.window_w <= ix) ++q_begin;
    while (q_end < s.out_w && q_end * s.stride_w - s.left <= ix) ++q_end;
    for_each_vector<T, kNarrow, 1>(s.channels, [&](auto, std::int64_t c) {
      Vec<T> sum{};
      for (std::int64_t p = rows.begin; p < rows.end; ++p) {
        const std::int64_t row = (rows.reach - p * s.stride_h) * s.window_w + ix + s.left;
        for (std::int64_t q = q_begin; q < q_end; ++q) {
          const std::int64_t at = windows + (p * s.out_w + q) * s.channels + c;
          const Value value =
              cotangents.template load<kNarrow>(at, s.channels, cotangents.scale(p, q));
          sum += Value::at(value, row - q * s.stride_w);
        }
      }
      store_pixel<kNarrow>(dx + ix * s.channels + c, sum, s.channels, end);
    });
  }
}

template <class T, bool kNarrow, class Cotangents>
void overlapping_row(const PoolShape& s, const Cotangents& cotangents, std::int64_t windows,
                     std::int64_t iy, T* dx) {
  overlapping_pixels<T, kNarrow>(s, cotangents, windows, WindowRows(s, iy), 0, s.in_w, dx);
}

// Pixels 2 u - left and the next one, which windows u - 1 and u reach, for u in [u, u_end).
template <class T, int kRows, bool kStream, class Cotangents>
void pairs_of_pixels(const PoolShape& s, const Cotangents& cotangents, std::int64_t windows,
                     const WindowRows& rows, std::int64_t u, std::int64_t u_end, T* dx) {
  using Value = typename Cotangents::Value;
  const std::int64_t channels = s.channels;
  // All windows but the first and the last are whole.
  T before[kRows], after[kRows], whole[kRows];
  for (int i = 0; i < kRows && u < u_end; ++i) {
    after[i] = cotangents.scale(rows.begin + i, u - 1);
    whole[i] = cotangents.scale(rows.begin + i, u);
  }
  for (; u < u_end; ++u) {
    T* const pair = dx + (2 * u - s.left) * channels;
    std::int64_t at[kRows], tap[kRows];
    for (int i = 0; i < kRows; ++i) {
      const std::int64_t p = rows.begin + i;
      at[i] = windows + (p * s.out_w + u) * channels;
      tap[i] = (rows.reach - p * s.stride_h) * 3;
      before[i] = after[i];
      after[i] = u + 1 < u_end ? whole[i] : cotangents.scale(p, u);
    }
    for_each_vector<T, false, 1>(channels, [&](auto, std::int64_t c) {
      Vec<T> first{}, second{};
#pragma GCC unroll 2
      for (int i = 0; i < kRows; ++i) {
        const Value old =
            cotangents.template load<false>(at[i] - channels + c, channels, before[i]);
        const Value now = cotangents.template load<false>(at[i] + c, channels, after[i]);
        first += Value::at(old, tap[i] + 2);
        first += Value::at(now, tap[i]);
        second += Value::at(now, tap[i] + 1);
      }
      write_pixel<false, kStream, T>(pair + c, first, channels, nullptr);
      write_pixel<false, kStream, T>(pair + channels + c, second, channels, nullptr);
    });
  }
}

// Windows of three pixels that move by two, the most common ones that overlap: all but the first
// and the last pixels without bounds.
template <class T, bool kStream, class Cotangents>
void three_by_two_row(const PoolShape& s, const Cotangents& cotangents, std::int64_t windows,
                      std::int64_t iy, T* dx) {
  const WindowRows rows(s, iy);
  const std::int64_t count = rows.end - rows.begin;
  if (count < 1 || count > 2) {
    return overlapping_pixels<T, false>(s, cotangents, windows, rows, 0, s.in_w, dx);
  }
  const std::int64_t u = larger(1, (s.left + 1) / 2);
  const std::int64_t u_end = larger(u, smaller(s.out_w, (s.in_w + s.left) / 2));
  overlapping_pixels<T, false>(s, cotangents, windows, rows, 0, 2 * u - s.left, dx);
  const auto pairs = count == 2 ? pairs_of_pixels<T, 2, kStream, Cotangents>
                                : pairs_of_pixels<T, 1, kStream, Cotangents>;
  pairs(s, cotangents, windows, rows, u, u_end, dx);
  overlapping_pixels<T, false>(s, cotangents, windows, rows, 2 * u_end - s.left, s.in_w, dx);
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
