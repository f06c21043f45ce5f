// Normalisation of single rows, as layers use it: the statistics of a row are sums over its values.
//
// The mean is rounded to T, and deviations are taken from that. Their own mean, which tells what
// the rounding was, is taken off by the multiply-add that follows, so a mean of 1e4 costs no digits
// of the result (two passes with correction; Chan, Golub, LeVeque 1983).
#pragma once

#include "kernels/norm_kernels.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Loads and stores of a whole vector, or of the first n lanes (the others are zero).
struct WholeVector {
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

// xhat = (x - mean) * inverse + shift
template <class T>
struct RowScale {
  T mean, inverse, shift;
};

template <class T>
DLNATIVE_INLINE RowScale<T> row_scale(const T* x, std::int64_t n, double epsilon) {
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
  return {mean, static_cast<T>(inverse), static_cast<T>(-rest * inverse)};
}

template <class T>
void row_norm(const RowNormArgs<T>& args) {
  for (std::int64_t r = 0; r < args.rows; ++r) {
    const T* x = args.x + r * args.cols;
    T* y = args.y + r * args.cols;
    const RowScale<T> row = row_scale(x, args.cols, args.epsilon);
    for_each_vector<T>(args.cols, [&](std::int64_t c, auto lanes) {
      const Vec<T> xhat = (lanes.template get<T>(x + c) - row.mean) * row.inverse + row.shift;
      lanes.template put<T>(y + c, xhat * lanes.template get<T>(args.gamma + c) +
                                       lanes.template get<T>(args.beta + c));
    });
  }
}

// dx = inverse * (g - mean(g) - xhat * mean(g * xhat))
template <class T>
void row_gradients(const RowNormBackwardArgs<T>& args) {
  const double count = static_cast<double>(args.cols);
  for (std::int64_t r = 0; r < args.rows; ++r) {
    const T* x = args.x + r * args.ld;
    const T* dy = args.dy + r * args.ld;
    const RowScale<T> row = row_scale(x, args.cols, args.epsilon);
    double sum, products;
    row_sums<T>(args.cols, sum, products, [&](std::int64_t i, auto lanes, Vec<T>& a, Vec<T>& b) {
      const Vec<T> g = lanes.template get<T>(dy + i) * lanes.template get<T>(args.gamma + i);
      a += g;
      b += g * ((lanes.template get<T>(x + i) - row.mean) * row.inverse + row.shift);
    });
    const double inverse = row.inverse, along = inverse * (products / count);
    args.gradients[r] = {row.mean, row.inverse, row.shift, static_cast<T>(-inverse * along),
                         static_cast<T>(-inverse * (sum / count) - row.shift * along)};
  }
}

template <int kRows, class T, class Lanes>
DLNATIVE_INLINE void row_norm_backward_at(const RowNormBackwardArgs<T>& args, std::int64_t r,
                                          std::int64_t c, Lanes lanes) {
  const Vec<T> gamma = lanes.template get<T>(args.gamma + c);
  Vec<T> dgamma = lanes.template get<T>(args.dgamma + c);
  Vec<T> dbeta = lanes.template get<T>(args.dbeta + c);
#pragma GCC unroll 2
  for (int i = 0; i < kRows; ++i) {
    const RowGradient<T>& row = args.gradients[r + i];
    const std::int64_t at = (r + i) * args.ld + c;
    const Vec<T> dy = lanes.template get<T>(args.dy + at);
    const Vec<T> d = lanes.template get<T>(args.x + at) - row.mean;
    dgamma += dy * (d * row.inverse + row.shift);
    dbeta += dy;
    lanes.template put<T>(args.dx + at, dy * gamma * row.inverse + (d * row.slope + row.offset));
  }
  lanes.template put<T>(args.dgamma + c, dgamma);
  lanes.template put<T>(args.dbeta + c, dbeta);
}

template <class T>
void row_norm_backward(const RowNormBackwardArgs<T>& args) {
  std::int64_t r = 0;
  for (; r + 2 <= args.rows; r += 2) {
    for_each_vector<T>(
        args.cols, [&](std::int64_t c, auto lanes) { row_norm_backward_at<2>(args, r, c, lanes); });
  }
  if (r < args.rows) {
    for_each_vector<T>(
        args.cols, [&](std::int64_t c, auto lanes) { row_norm_backward_at<1>(args, r, c, lanes); });
  }
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
