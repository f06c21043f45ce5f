// C[m, 1] (+)= A[m, k] b[k], without a tile, all but one of whose lanes would be empty.
#pragma once

#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

template <class T>
void finish_column(const GemmBlock<T>& g, std::int64_t row, std::int64_t rows, const T* sums) {
  const GemmEpilogue<T>& e = *g.epilogue;
  for (std::int64_t i = row; i < row + rows; ++i) {
    T* c = g.c + i * g.ldc;
    T v = sums[i - row];
    if (g.accumulate) v += *c;
    if (e.bias != nullptr) v += *e.bias;
    if (e.relu) v = v > T(0) ? v : (v != v ? v : T(0));  // NaN stays
    if (e.relu_saved != nullptr) v = e.relu_saved[i * e.ld_saved] > T(0) ? v : T(0);
    *c = v;
  }
}

// Rows of A that are contiguous: sums over every other vector, which are added at the end.
template <class T, int kRows>
DLNATIVE_INLINE void multiply_rows(const GemmBlock<T>& g, std::int64_t row) {
  const T* a = g.a + row * g.rs_a;
  Vec<T> acc[kRows][2] = {};
  std::int64_t p = 0;
  for (; p + 2 * kLanes<T> <= g.k; p += 2 * kLanes<T>) {
#pragma GCC unroll 2
    for (int u = 0; u < 2; ++u) {
      const Vec<T> b = load(g.b + p + u * kLanes<T>);
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i)
        add_product<T>(acc[i][u], load(a + i * g.rs_a + p + u * kLanes<T>), b);
    }
  }
#pragma GCC unroll 2
  for (int u = 0; u < 2; ++u, p += kLanes<T>) {
    if (p >= g.k) break;
    const Vec<T> b = load_upto(g.b + p, g.k - p);
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i)
      add_product<T>(acc[i][u], load_upto(a + i * g.rs_a + p, g.k - p), b);
  }
  T sums[kRows];
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) sums[i] = reduce_add<T>(acc[i][0] + acc[i][1]);
  finish_column(g, row, kRows, sums);
}

// Columns of A that are contiguous: some vectors of rows, one product after the other.
template <class T, int kVectors>
DLNATIVE_INLINE void multiply_columns(const GemmBlock<T>& g, std::int64_t row, std::int64_t rows) {
  const T *a = g.a + row, *b = g.b;
  Vec<T> acc[kVectors] = {};
  for (std::int64_t p = 0; p < g.k; ++p, a += g.cs_a, b += g.rs_b) {
    const Vec<T> value = broadcast(*b);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const T* at = a + v * kLanes<T>;
      add_product<T>(acc[v], kVectors > 1 ? load(at) : load_upto(at, rows), value);
    }
  }
  alignas(64) T sums[kVectors * kLanes<T>];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) store<T>(sums + v * kLanes<T>, acc[v]);
  finish_column(g, row, rows, sums);
}

// Whether strides are such as one_column() takes; they do not depend on how C is cut.
template <class T>
DLNATIVE_INLINE bool is_one_column(const GemmBlock<T>& g) {
  return g.one_column && (g.rs_a == 1 || (g.cs_a == 1 && g.rs_b == 1));
}

template <class T>
void one_column(const GemmBlock<T>& g) {
  constexpr int kRows = 4, kVectors = 8;
  constexpr std::int64_t kBlock = kVectors * kLanes<T>;
  std::int64_t i = 0;
  if (g.rs_a == 1) {
    for (; i + kBlock <= g.m; i += kBlock) multiply_columns<T, kVectors>(g, i, kBlock);
    for (; i < g.m; i += kLanes<T>) multiply_columns<T, 1>(g, i, min64(kLanes<T>, g.m - i));
  } else {
    for (; i + kRows <= g.m; i += kRows) multiply_rows<T, kRows>(g, i);
    for (; i < g.m; ++i) multiply_rows<T, 1>(g, i);
  }
  finish_rows(*g.epilogue, g.c, g.ldc, 0, 0, g.m, 1);
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
