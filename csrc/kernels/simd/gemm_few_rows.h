// Matrix products that need none of the loops of gemm.cpp: those that are a single tile, and those
// of a few rows of A, which read B in the order in which it lies.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/gemm_pack.h"
#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// What becomes of a panel of C that begins at (row, column), after this block of products.
template <class T>
DLNATIVE_INLINE TileEnd<T> panel_end(const GemmBlock<T>& g, std::int64_t column,
                                     std::int64_t columns, std::int64_t width, bool first,
                                     bool last) {
  const GemmEpilogue<T>& e = *g.epilogue;
  TileEnd<T> end;
  end.c = g.c + column;
  end.ldc = g.ldc;
  end.columns = columns;
  end.accumulate = g.accumulate || !first;
  end.relu = last && e.relu;
  end.bias = last && e.bias != nullptr ? e.bias + column : nullptr;
  end.relu_saved = last && e.relu_saved != nullptr ? e.relu_saved + column : nullptr;
  end.ld_saved = e.ld_saved;
  end.plain = columns == width && !end.relu && end.bias == nullptr && end.relu_saved == nullptr;
  return end;
}

// A product that is one tile: a step of a very small net is made of these.
template <class T>
void single_tile(const GemmBlock<T>& g, int nv) {
  const std::int64_t width = nv * kLanes<T>;
  const T* b = g.packed_b != nullptr ? g.packed_b : g.b;
  std::int64_t ldb = g.packed_b != nullptr ? width : g.rs_b;
  if (g.packed_b == nullptr && (g.cs_b != 1 || g.n != width)) {
    pack_b(b, g.rs_b, g.cs_b, g.k, g.n, width, g.scratch);
    b = g.scratch;
    ldb = width;
  }
  const TileEnd<T> end = panel_end(g, 0, g.n, width, true, true);
  const Tile<T> run = g.rs_a == 1 ? find_tile<T, true>(g.m, nv) : find_tile<T, false>(g.m, nv);
  run(g.a, g.rs_a, g.cs_a, b, ldb, g.k, end);
  finish_rows(*g.epilogue, g.c, g.ldc, 0, 0, g.m, g.n);
}

// The rows of B that are read side by side, where B is read in order. The hardware prefetcher
// follows each. Sums over 8 or 16 rows are equal, over 32 a fifth slower (Zen 3, 2026-11).
constexpr std::int64_t kRowsInOrder = 16;

// C += A B for M rows of A and kRows of B, whose columns are whole pairs of vectors.
template <class T, int M, int kRows>
void add_rows(const GemmBlock<T>& g, std::int64_t p, std::int64_t columns) {
  Vec<T> a[M][kRows];
  for (int i = 0; i < M; ++i) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) a[i][r] = broadcast(g.a[i * g.rs_a + (p + r) * g.cs_a]);
  }
  const bool sums = p > 0 || g.accumulate;
  const T* b = g.b + p * g.rs_b;
  for (std::int64_t j = 0; j < columns; j += 2 * kLanes<T>, b += 2 * kLanes<T>) {
    Vec<T> acc[M][2] = {};
    if (sums) {
      for (int i = 0; i < M; ++i) {
        acc[i][0] = load<T>(g.c + i * g.ldc + j);
        acc[i][1] = load<T>(g.c + i * g.ldc + j + kLanes<T>);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vec<T> first = load<T>(b + r * g.rs_b), second = load<T>(b + r * g.rs_b + kLanes<T>);
      for (int i = 0; i < M; ++i) {
        acc[i][0] += a[i][r] * first;
        acc[i][1] += a[i][r] * second;
      }
    }
    for (int i = 0; i < M; ++i) {
      store<T>(g.c + i * g.ldc + j, acc[i][0]);
      store<T>(g.c + i * g.ldc + j + kLanes<T>, acc[i][1]);
    }
  }
}

// A few rows of A, and B in the order in which it lies. One or two rows of A stay in registers, and
// C fits L1; the last products, and more rows, are tiles. Bandwidths: docs/performance.md, "One row
// of A".
template <class T, bool kUnitRow>
void run_in_order(const GemmBlock<T>& g) {
  const std::int64_t whole = g.n / kTileColumns<T> * kTileColumns<T>, rest = g.n - whole;
  std::int64_t begin = 0;
  if (g.m == 1) {
    for (; begin + kRowsInOrder < g.k; begin += 8) add_rows<T, 1, 8>(g, begin, whole);
  } else if (g.m == 2) {
    for (; begin + kRowsInOrder < g.k; begin += 4) add_rows<T, 2, 4>(g, begin, whole);
  }
  const Tile<T> run = find_tile<T, kUnitRow>(g.m, kTileVectors);
  for (std::int64_t p = begin; p < g.k; p += kRowsInOrder) {
    const std::int64_t kc = min64(kRowsInOrder, g.k - p);
    TileEnd<T> end =
        panel_end(g, 0, kTileColumns<T>, kTileColumns<T>, p == 0, p + kRowsInOrder >= g.k);
    for (std::int64_t j = 0; j < whole; j += kTileColumns<T>) {
      run(g.a + p * g.cs_a, g.rs_a, g.cs_a, g.b + p * g.rs_b + j, g.rs_b, kc, end);
      end.c += kTileColumns<T>;
      if (end.bias != nullptr) end.bias += kTileColumns<T>;
      if (end.relu_saved != nullptr) end.relu_saved += kTileColumns<T>;
    }
  }
  const int nv = static_cast<int>(ceil_div(rest, kLanes<T>));
  const std::int64_t width = nv * kLanes<T>;
  for (std::int64_t p = 0; rest > 0 && p < g.k; p += kRowsInOrder) {
    const std::int64_t kc = min64(kRowsInOrder, g.k - p);
    pack_b(g.b + p * g.rs_b + whole, g.rs_b, 1, kc, rest, width, g.scratch);
    find_tile<T, kUnitRow>(g.m, nv)(
        g.a + p * g.cs_a, g.rs_a, g.cs_a, g.scratch, width, kc,
        panel_end(g, whole, rest, width, p == 0, p + kRowsInOrder >= g.k));
  }
  finish_rows(*g.epilogue, g.c, g.ldc, 0, 0, g.m, g.n);
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
