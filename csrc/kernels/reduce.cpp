// Sums and extrema.
//
// Every sum has one fixed order: the lanes of a few vector accumulators within a block, then a tree
// over accumulators and lanes, then float64 from block to block. An element's rounding error grows
// with the length of a block's chains (kSumBlock / 64 in float32), not with n.
#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/simd/extremum.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

constexpr std::int64_t kSumBlock = 2048;

// The lanes' sum in float64.
DLNATIVE_INLINE double sum_lanes(Vec<double> v) {
  return reduce_add<double>(v);
}
DLNATIVE_INLINE double sum_lanes(Vec<float> v) {
  return reduce_add<double>(widen_low(v) + widen_high(v));
}

template <class T>
DLNATIVE_INLINE double sum_block(const T* x, std::int64_t n) {
  constexpr int kUnroll = 8;  // an addition takes 3 to 4 cycles, two start per cycle
  constexpr std::int64_t kStep = kUnroll * kLanes<T>;
  Vec<T> acc[kUnroll] = {};
  std::int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
#pragma GCC unroll 8
    for (int u = 0; u < kUnroll; ++u) acc[u] += load(x + i + u * kLanes<T>);
  }
  for (; i + kLanes<T> <= n; i += kLanes<T>) acc[0] += load(x + i);
  if (i < n) acc[1] += load_first(x + i, n - i);
  return sum_lanes(((acc[0] + acc[1]) + (acc[2] + acc[3])) +
                   ((acc[4] + acc[5]) + (acc[6] + acc[7])));
}

template <class T>
double sum(const T* x, std::int64_t n) {
  double total = 0.0;
  for (; n > kSumBlock; n -= kSumBlock, x += kSumBlock) total += sum_block(x, kSumBlock);
  return total + sum_block(x, n);
}

DLNATIVE_INLINE void add_products(Vec<float> x, Vec<float> y, Vec<double>& low, Vec<double>& high) {
  low += widen_low(x) * widen_low(y);
  high += widen_high(x) * widen_high(y);
}
DLNATIVE_INLINE void add_products(Vec<double> x, Vec<double> y, Vec<double>& low, Vec<double>&) {
  low += x * y;
}

// Products are formed and added in float64: a float32 square overflows from 1.8e19 on, and the norm
// of an exploding gradient must still be one. From memory this costs a quarter of the speed (15
// against 20 GB/s on Zen 3).
template <class T>
double dot(const T* x, const T* y, std::int64_t n) {
  constexpr int kUnroll = 4;
  constexpr std::int64_t kStep = kUnroll * kLanes<T>;
  Vec<double> low[kUnroll] = {};
  Vec<double> high[kUnroll] = {};
  std::int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) {
      const std::int64_t at = i + u * kLanes<T>;
      add_products(load(x + at), load(y + at), low[u], high[u]);
    }
  }
  for (; i + kLanes<T> <= n; i += kLanes<T>)
    add_products(load(x + i), load(y + i), low[0], high[0]);
  if (i < n) add_products(load_first(x + i, n - i), load_first(y + i, n - i), low[1], high[1]);
  const Vec<double> sums = (low[0] + low[1]) + (low[2] + low[3]);
  return reduce_add<double>(sums + ((high[0] + high[1]) + (high[2] + high[3])));
}

template <class T>
double sum_of_squares(const T* x, std::int64_t n) {
  return dot(x, x, n);
}

template <class T>
T max(const T* x, std::int64_t n) {
  return extremum<T, true>(x, n);
}

template <class T>
T min(const T* x, std::int64_t n) {
  return extremum<T, false>(x, n);
}

template <class T>
std::int64_t argmax(const T* x, std::int64_t n) {
  return first_largest(x, n);
}

// Rows of a block of sum_rows, and columns of a panel, whose sums lie on the stack.
constexpr std::int64_t kRowBlock = 256;
constexpr std::int64_t kPanel = 256;

// sums[c] = sum over r of x[r, c] for (kVectors - 1) kLanes < cols <= kVectors kLanes: the sums
// stay in registers, and kPhases rows are added side by side.
template <class T, int kVectors>
void sum_narrow(const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t cols, T* sums) {
  constexpr int kPhases = kVectors <= 2 ? 4 : 2;
  constexpr std::int64_t kTail = (kVectors - 1) * kLanes<T>;
  Vec<T> acc[kPhases][kVectors] = {};
  const auto add_row = [&](const T* row, Vec<T>* into) {
#pragma GCC unroll 4
    for (int v = 0; v + 1 < kVectors; ++v) into[v] += load(row + v * kLanes<T>);
    into[kVectors - 1] += load_first(row + kTail, cols - kTail);
  };
  std::int64_t r = 0;
  for (; r + kPhases <= rows; r += kPhases) {
#pragma GCC unroll 4
    for (int phase = 0; phase < kPhases; ++phase) add_row(x + (r + phase) * ldx, acc[phase]);
  }
  for (; r < rows; ++r) add_row(x + r * ldx, acc[0]);
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    Vec<T> total = acc[0][v] + acc[1][v];
    if constexpr (kPhases == 4) total += acc[2][v] + acc[3][v];
    store(sums + v * kLanes<T>, total);
  }
}

// The same for more columns: rows are read as they lie, four at a time.
template <class T>
void sum_wide(const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t cols,
              T* __restrict sums) {
  for (std::int64_t c = 0; c < cols; ++c) sums[c] = 0;
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const T* x0 = x + r * ldx;
    const T* x1 = x0 + ldx;
    const T* x2 = x1 + ldx;
    const T* x3 = x2 + ldx;
    for (std::int64_t c = 0; c < cols; ++c) sums[c] += (x0[c] + x1[c]) + (x2[c] + x3[c]);
  }
  for (; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) sums[c] += x[r * ldx + c];
  }
}

template <class T>
void sum_row_block(const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t cols, T* sums) {
  if (cols <= kLanes<T>) return sum_narrow<T, 1>(x, ldx, rows, cols, sums);
  if (cols <= 2 * kLanes<T>) return sum_narrow<T, 2>(x, ldx, rows, cols, sums);
  if (cols <= 3 * kLanes<T>) return sum_narrow<T, 3>(x, ldx, rows, cols, sums);
  if (cols <= 4 * kLanes<T>) return sum_narrow<T, 4>(x, ldx, rows, cols, sums);
  sum_wide(x, ldx, rows, cols, sums);
}

template <class T>
void sum_rows(const T* x, std::int64_t ldx, T* out, std::int64_t rows, std::int64_t cols,
              bool accumulate) {
  if (cols == 1 && ldx == 1) {
    *out = static_cast<T>((accumulate ? static_cast<double>(*out) : 0.0) + sum(x, rows));
    return;
  }
  alignas(64) T sums[kPanel];
  alignas(64) double carry[kPanel];
  for (std::int64_t first = 0; first < cols; first += kPanel) {
    const std::int64_t width = cols - first < kPanel ? cols - first : kPanel;
    T* panel = out + first;
    if (rows <= kRowBlock) {
      sum_row_block(x + first, ldx, rows, width, sums);
      for (std::int64_t c = 0; c < width; ++c) panel[c] = accumulate ? panel[c] + sums[c] : sums[c];
      continue;
    }
    for (std::int64_t c = 0; c < width; ++c) carry[c] = accumulate ? panel[c] : T(0);
    for (std::int64_t r = 0; r < rows; r += kRowBlock) {
      const std::int64_t height = rows - r < kRowBlock ? rows - r : kRowBlock;
      sum_row_block(x + r * ldx + first, ldx, height, width, sums);
      for (std::int64_t c = 0; c < width; ++c) carry[c] += sums[c];
    }
    for (std::int64_t c = 0; c < width; ++c) panel[c] = static_cast<T>(carry[c]);
  }
}

}  // namespace

extern const ReduceKernels<float> reduce_f32;
extern const ReduceKernels<double> reduce_f64;
const ReduceKernels<float> reduce_f32 = {
    sum<float>, sum_of_squares<float>, dot<float>,     max<float>,
    min<float>, argmax<float>,         sum_rows<float>};
const ReduceKernels<double> reduce_f64 = {
    sum<double>, sum_of_squares<double>, dot<double>,     max<double>,
    min<double>, argmax<double>,         sum_rows<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
