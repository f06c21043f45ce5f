// Normalisation of single rows, as layers use it: the statistics of a row are sums over its values.
//
// The mean is rounded to T, and deviations are taken from that. Their own mean, which tells what
// the rounding was, is taken off by the multiply-add that follows, so a mean of 1e4 costs no digits
// of the result (two passes with correction; Chan, Golub, LeVeque 1983).
#pragma once

#include "kernels/norm_kernels.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/stream.h"
#include "kernels/simd/transpose.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Loads and stores of a whole vector, or of the first n lanes (the others are zero).
struct WholeVector {
  static constexpr bool whole = true;
  template <class T>
  DLNATIVE_INLINE Vec<T> get(const T* p) {
    return load(p);
  }
  template <class T>
  DLNATIVE_INLINE void put(T* p, Vec<T> v) {
    store(p, v);
  }
  template <class T>
  DLNATIVE_INLINE Vec<T> keep(Vec<T> v) {
    return v;
  }
};
struct FirstLanes {
  static constexpr bool whole = false;
  std::int64_t n;
  template <class T>
  inline __attribute__((always_inline)) Vec<T> get(const T* p) const {
    return load_first(p, n);
  }
  template <class T>
  inline __attribute__((always_inline)) void put(T* p, Vec<T> v) const {
    store_first(p, v, n);
  }
  template <class T>
  inline __attribute__((always_inline)) Vec<T> keep(Vec<T> v) const {
    return keep_first<T>(v, n);
  }
};

// Past the caches where kStream is set and the vector whole.
template <bool kStream, class T, class Lanes>
DLNATIVE_INLINE void write(Lanes lanes, T* p, Vec<T> v) {
  if constexpr (kStream && Lanes::whole) {
    stream(p, v);
  } else {
    lanes.template put<T>(p, v);
  }
}

// f(c, lanes) for every vector of [0, cols).
template <class T, class F>
DLNATIVE_INLINE void for_each_vector(std::int64_t cols, F f) {
  std::int64_t c = 0;
  for (; c + kLanes<T> <= cols; c += kLanes<T>) f(c, WholeVector{});
  if (c < cols) f(c, FirstLanes{cols - c});
}

DLNATIVE_INLINE double lanes_sum(Vec<double> v) {
  return reduce_add<double>(v);
}
DLNATIVE_INLINE double lanes_sum(Vec<float> v) {
  return reduce_add<double>(widen_low(v) + widen_high(v));
}

// Two sums over [0, n): f(i, lanes, a, b) adds what the vector at i contributes to a and to b.
// Vectors are added in T within blocks, blocks in float64.
template <class T, class F>
DLNATIVE_INLINE void row_sums(std::int64_t n, double& first, double& second, F f) {
  constexpr std::int64_t kBlock = 2048;
  constexpr int kUnroll = 4;
  first = second = 0.0;
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t end = n - begin < kBlock ? n : begin + kBlock;
    Vec<T> a[kUnroll] = {};
    Vec<T> b[kUnroll] = {};
    std::int64_t i = begin;
    for (; i + kUnroll * kLanes<T> <= end; i += kUnroll * kLanes<T>) {
#pragma GCC unroll 4
      for (int u = 0; u < kUnroll; ++u) f(i + u * kLanes<T>, WholeVector{}, a[u], b[u]);
    }
    for (; i + kLanes<T> <= end; i += kLanes<T>) f(i, WholeVector{}, a[0], b[0]);
    if (i < end) f(i, FirstLanes{end - i}, a[1], b[1]);
    first += lanes_sum((a[0] + a[1]) + (a[2] + a[3]));
    second += lanes_sum((b[0] + b[1]) + (b[2] + b[3]));
  }
}

// Rows of at most this length are taken kLanes<T> at a time, so that what follows the sums (a
// square root, divisions) is done once for all of them. On Zen 3 (2026-11) a row of 64 float32 then
// takes 20 ns instead of 46, one of 16 takes 12 instead of 64.
constexpr std::int64_t kShortRow = 256;
constexpr std::int64_t kRowsAhead = 16;

template <class T>
DLNATIVE_INLINE std::int64_t rows_at_once(std::int64_t cols) {
  return cols <= kShortRow ? kLanes<T> : 1;
}

// Lane r of the result is the sum of the lanes of v[r].
template <class T>
DLNATIVE_INLINE Vec<T> sums_of_rows(Vec<T> (&v)[kLanes<T>]) {
  transpose_lanes<T>(v);
#pragma GCC unroll 4
  for (int half = kLanes<T> / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) v[i] += v[i + half];
  }
  return v[0];
}

// Those of rows that are not there. (Clearing all of both took a sixth of a row's time.)
template <class T>
DLNATIVE_INLINE void clear_from(Vec<T> (&a)[kLanes<T>], Vec<T> (&b)[kLanes<T>], std::int64_t rows) {
  for (std::int64_t r = rows; r < kLanes<T>; ++r) a[r] = b[r] = Vec<T>{};
}

// One entry per row: xhat = (x - mean) * inverse + shift.
template <class T>
struct RowScales {
  alignas(64) T mean[kLanes<T>];
  alignas(64) T inverse[kLanes<T>];
  alignas(64) T shift[kLanes<T>];
};

// Deviations are taken from the row's first value, as in channel_moments.
template <class T>
DLNATIVE_INLINE void short_row_scales(const T* x, std::int64_t ld, std::int64_t rows,
                                      std::int64_t cols, T epsilon, RowScales<T>& scales) {
  Vec<T> sums[kLanes<T>], squares[kLanes<T>];
  clear_from<T>(sums, squares, rows);
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * ld;
    prefetch(row + kRowsAhead * ld, cols);
    const T first = scales.mean[r] = row[0];
    Vec<T> sum{}, square{};
    for_each_vector<T>(cols, [&](std::int64_t c, auto lanes) {
      const Vec<T> d = lanes.template keep<T>(lanes.template get<T>(row + c) - first);
      sum += d;
      square += d * d;
    });
    sums[r] = sum;
    squares[r] = square;
  }
  const T count = static_cast<T>(cols);
  const Vec<T> rest = sums_of_rows<T>(sums) / count;
  const Vec<T> variance = sums_of_rows<T>(squares) / count - rest * rest;
  const Vec<T> inverse = T(1) / square_root(at_least<T>(variance, 0) + epsilon);
  store<T>(scales.inverse, inverse);
  store<T>(scales.shift, -rest * inverse);
}

template <class T>
DLNATIVE_INLINE void long_row_scale(const T* x, std::int64_t n, double epsilon,
                                    RowScales<T>& scales) {
  const double count = static_cast<double>(n);
  double sum, squares;
  row_sums<T>(n, sum, squares, [&](std::int64_t i, auto lanes, Vec<T>& a, Vec<T>&) {
    a += lanes.template get<T>(x + i);
  });
  const T mean = static_cast<T>(sum / count);
  row_sums<T>(n, sum, squares, [&](std::int64_t i, auto lanes, Vec<T>& a, Vec<T>& b) {
    const Vec<T> d = lanes.template keep<T>(lanes.template get<T>(x + i) - mean);
    a += d;
    b += d * d;
  });
  const double rest = sum / count;
  const double variance = squares / count - rest * rest;
  const double inverse = 1.0 / __builtin_sqrt((variance < 0.0 ? 0.0 : variance) + epsilon);
  scales.mean[0] = mean;
  scales.inverse[0] = static_cast<T>(inverse);
  scales.shift[0] = static_cast<T>(-rest * inverse);
}

// The statistics of at most rows_at_once rows.
template <class T>
DLNATIVE_INLINE void row_scales(const T* x, std::int64_t ld, std::int64_t rows, std::int64_t cols,
                                double epsilon, RowScales<T>& scales) {
  if (cols <= kShortRow) {
    short_row_scales(x, ld, rows, cols, static_cast<T>(epsilon), scales);
  } else {
    long_row_scale(x, cols, epsilon, scales);
  }
}

template <bool kStream, class T>
void row_norm_to(const RowNormArgs<T>& args) {
  const std::int64_t step = rows_at_once<T>(args.cols);
  RowScales<T> scales;
  for (std::int64_t first = 0; first < args.rows; first += step) {
    const std::int64_t rows = args.rows - first < step ? args.rows - first : step;
    row_scales(args.x + first * args.cols, args.cols, rows, args.cols, args.epsilon, scales);
    for (std::int64_t r = 0; r < rows; ++r) {
      const T* x = args.x + (first + r) * args.cols;
      T* y = args.y + (first + r) * args.cols;
      const T mean = scales.mean[r], inverse = scales.inverse[r], shift = scales.shift[r];
      for_each_vector<T>(args.cols, [&](std::int64_t c, auto lanes) {
        const Vec<T> xhat = (lanes.template get<T>(x + c) - mean) * inverse + shift;
        write<kStream, T>(
            lanes, y + c,
            xhat * lanes.template get<T>(args.gamma + c) + lanes.template get<T>(args.beta + c));
      });
    }
  }
}

template <class T>
void row_norm(const RowNormArgs<T>& args) {
  if (!args.stream || !can_stream(args.y, args.cols)) return row_norm_to<false>(args);
  row_norm_to<true>(args);
  finish_streaming();
}

// sum[r] = sum of g and along[r] = sum of g * xhat of row r, both divided by the row's length.
template <class T>
DLNATIVE_INLINE void row_products(const RowNormBackwardArgs<T>& args, std::int64_t first,
                                  std::int64_t rows, const RowScales<T>& scales, T* sum, T* along) {
  // What the vector at i of row r adds to both sums.
  const auto adder = [&](std::int64_t r) {
    const std::int64_t at = (first + r) * args.ld;
    return [dy = args.dy + at, x = args.x + at, gamma = args.gamma,
            mean = broadcast(scales.mean[r]), inverse = broadcast(scales.inverse[r]),
            shift = broadcast(scales.shift[r])](std::int64_t i, auto lanes, Vec<T>& a, Vec<T>& b) {
      const Vec<T> g = lanes.template get<T>(dy + i) * lanes.template get<T>(gamma + i);
      a += g;
      b += g * ((lanes.template get<T>(x + i) - mean) * inverse + shift);
    };
  };
  if (args.cols <= kShortRow) {
    Vec<T> sums[kLanes<T>], products[kLanes<T>];
    clear_from<T>(sums, products, rows);
    for (std::int64_t r = 0; r < rows; ++r) {
      Vec<T> a{}, b{};
      prefetch(args.dy + (first + r + kRowsAhead) * args.ld, args.cols);
      const auto add = adder(r);
      for_each_vector<T>(args.cols, [&](std::int64_t c, auto lanes) { add(c, lanes, a, b); });
      sums[r] = a;
      products[r] = b;
    }
    const T count = static_cast<T>(args.cols);
    store<T>(sum, sums_of_rows<T>(sums) / count);
    store<T>(along, sums_of_rows<T>(products) / count);
    return;
  }
  double a, b;
  row_sums<T>(args.cols, a, b, adder(0));
  sum[0] = static_cast<T>(a / static_cast<double>(args.cols));
  along[0] = static_cast<T>(b / static_cast<double>(args.cols));
}

// dx = inverse * (g - mean(g) - xhat * mean(g * xhat))
template <class T>
void row_gradients(const RowNormBackwardArgs<T>& args) {
  const std::int64_t step = rows_at_once<T>(args.cols);
  RowScales<T> scales{};  // of a long row the first lanes are written
  alignas(64) T sum[kLanes<T>] = {};
  alignas(64) T along[kLanes<T>] = {};
  for (std::int64_t first = 0; first < args.rows; first += step) {
    const std::int64_t rows = args.rows - first < step ? args.rows - first : step;
    row_scales(args.x + first * args.ld, args.ld, rows, args.cols, args.epsilon, scales);
    row_products(args, first, rows, scales, sum, along);
    const Vec<T> inverse = load(scales.inverse), shift = load(scales.shift), slopes = load(along);
    store<T>(along, -inverse * inverse * slopes);
    store<T>(sum, -inverse * (load(sum) + shift * slopes));
    for (std::int64_t r = 0; r < rows; ++r) {
      args.gradients[first + r] = {scales.mean[r], scales.inverse[r], scales.shift[r], along[r],
                                   sum[r]};
    }
  }
}

// The five numbers of a row's gradient, in all lanes.
template <class T>
struct RowTerms {
  Vec<T> mean, inverse, shift, slope, offset;
  explicit RowTerms(const RowGradient<T>& row)
      : mean(broadcast(row.mean)),
        inverse(broadcast(row.inverse)),
        shift(broadcast(row.shift)),
        slope(broadcast(row.slope)),
        offset(broadcast(row.offset)) {}
};

// Row r, or rows r and r + 1.
template <bool kStream, bool kPair, class T>
DLNATIVE_INLINE void backward_of_rows(const RowNormBackwardArgs<T>& args, std::int64_t r) {
  const T *const gamma = args.gamma, *const dy = args.dy + r * args.ld,
                 *const x = args.x + r * args.ld;
  T *const dgamma = args.dgamma, *const dbeta = args.dbeta, *const dx = args.dx + r * args.ld;
  const std::int64_t ld = args.ld;
  const RowTerms<T> one(args.gradients[r]), two(args.gradients[kPair ? r + 1 : r]);
  for_each_vector<T>(args.cols, [&](std::int64_t c, auto lanes) {
    const Vec<T> weight = lanes.template get<T>(gamma + c);
    Vec<T> sum_gx = lanes.template get<T>(dgamma + c), sum_g = lanes.template get<T>(dbeta + c);
    const auto add = [&](const RowTerms<T>& row, std::int64_t at) __attribute__((always_inline)) {
      const Vec<T> g = lanes.template get<T>(dy + at);
      const Vec<T> d = lanes.template get<T>(x + at) - row.mean;
      const Vec<T> scaled = g * weight;
      sum_gx = sum_gx + g * (d * row.inverse + row.shift);
      sum_g = sum_g + g;
      write<kStream, T>(lanes, dx + at, scaled * row.inverse + (d * row.slope + row.offset));
    };
    add(one, c);
    if constexpr (kPair) add(two, ld + c);
    lanes.template put<T>(dgamma + c, sum_gx);
    lanes.template put<T>(dbeta + c, sum_g);
  });
}

// Short rows two at a time: the sums, which go from row to row through memory, are their longest
// chain (64 float32 on Zen 5: 0.87 of the time; 256: 1.18, so that those go one by one). Those that
// go one by one prefetch the rows that row_gradients reads next: 128 and 256 float32 from memory
// take 0.80 to 0.87 of the time, pairs of 64 gain nothing (Zen 5, 2026-11).
template <bool kStream, class T>
void row_norm_backward_to(const RowNormBackwardArgs<T>& args) {
  constexpr std::int64_t kPairs = 4 * kLanes<T>;
  std::int64_t r = 0;
  if (args.cols <= kPairs) {
    for (; r + 2 <= args.rows; r += 2) backward_of_rows<kStream, true>(args, r);
  }
  for (; r < args.rows; ++r) {
    if constexpr (kStream) {
      if (args.cols <= kShortRow) {
        prefetch(args.dy + (args.rows + r) * args.ld, args.cols);
        prefetch(args.x + (args.rows + r) * args.ld, args.cols);
      }
    }
    backward_of_rows<kStream, false>(args, r);
  }
}

template <class T>
void row_norm_backward(const RowNormBackwardArgs<T>& args) {
  if (!args.stream || !can_stream(args.dx, args.ld)) return row_norm_backward_to<false>(args);
  row_norm_backward_to<true>(args);
  finish_streaming();
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
