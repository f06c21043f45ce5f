// Winograd's convolution: the products between points, tiles times channels by channels times
// filters, and those of the gradient of the weights.
#pragma once

#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/vec.h"
#include "kernels/winograd_kernels.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Products of a panel of B, which fits L1.
constexpr std::int64_t kRound = kPanelK - kPanelK / 4;

// `count` times MR rows of one panel. With short sums a call for each would cost half as much again
// as the products (16 channels). The lines that follow the panel are prefetched meanwhile,
// `prefetched` for every MR rows, and the result where it is added to.
template <class T>
struct PointTiles {
  const T* x;
  std::int64_t ldx;
  const T* b;
  std::int64_t ldb, k;
  T* y;
  std::int64_t ldy, count;
  bool accumulate;
  const T* ahead;
  std::int64_t prefetched;
};

template <class T, int MR, int NV, bool kTransposed>
__attribute__((noinline)) void point_tiles(const PointTiles<T>& g) {
  const std::int64_t row = kTransposed ? 1 : g.ldx, step = kTransposed ? g.ldx : 1;
  const T *x = g.x, *ahead = g.ahead;
  T* y = g.y;
  for (std::int64_t t = 0; t < g.count; ++t, x += MR * row, y += MR * g.ldy) {
    for (std::int64_t i = 0; i < g.prefetched; ++i, ahead += kCacheLine<T>)
      __builtin_prefetch(ahead);
    if (g.accumulate) {
      for (int i = 0; i < MR; ++i) {
        for (int j = 0; j < NV * kLanes<T>; j += kCacheLine<T>)
          __builtin_prefetch(y + i * g.ldy + j, 1);
      }
    }
    Vec<T> acc[MR][NV] = {};
    StridedA<T> rows_a{x, row, step};
    StridedB<T> rows_b{g.b, g.ldb};
    std::int64_t left = g.k;
    if constexpr (is_unrolled<MR, NV> && !kTransposed) {
      RowsOfA<T, MR> any_a;
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) any_a.rows[i] = opaque(x + i * row);
      Packed<T, NV * kLanes<T>> packed_b{g.b};
      left = add_products<kProductUnroll, T>(acc, any_a, packed_b, left);
      rows_a.a += any_a.p;
      rows_b.b = packed_b.p;
    }
    add_products<1, T>(acc, rows_a, rows_b, left);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        T* to = y + i * g.ldy + j * kLanes<T>;
        store<T>(to, g.accumulate ? load<T>(to) + acc[i][j] : acc[i][j]);
      }
    }
  }
}

template <class T, bool kTransposed>
struct PointFamily {
  using Tile = void (*)(const PointTiles<T>&);
  static constexpr int rows(int nv) { return rows_for(nv); }
  template <int MR, int NV>
  static constexpr Tile tile = point_tiles<T, MR, NV, kTransposed>;
};

// All `rows` of a panel of nv vectors, from g.x and g.y on.
template <class T, bool kTransposed>
void all_rows(PointTiles<T> g, std::int64_t rows, int nv, std::int64_t ahead) {
  const auto* kernels = tiles_of_width<PointFamily<T, kTransposed>>(nv);
  const std::int64_t tiles = RowCut(rows, rows_for(nv)).tiles();
  const std::int64_t least = rows / tiles, larger = rows % tiles;
  g.prefetched = ceil_div(ahead, kCacheLine<T> * tiles);
  if (larger > 0) {
    g.count = larger;
    kernels[least](g);
    g.x += larger * (least + 1) * (kTransposed ? 1 : g.ldx);
    g.y += larger * (least + 1) * g.ldy;
    g.ahead += larger * g.prefetched * kCacheLine<T>;
  }
  g.count = tiles - larger;
  kernels[least - 1](g);
}

template <class T>
void product(const WinogradProduct<T>& g) {
  const std::int64_t part = equal_part<1>(g.channels, kRound);
  PointTiles<T> tiles{};
  tiles.ldx = g.ldx;
  tiles.ldy = g.ldy;
  for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
    tiles.b = g.b + point * g.b_stride;
    for (std::int64_t j = 0; j < g.n; j += kTileColumns<T>) {
      const int nv = panel_vectors<T>(g.n - j);
      tiles.ldb = nv * kLanes<T>;
      tiles.y = g.y + point * g.y_stride + j;
      for (std::int64_t p = 0; p < g.channels; p += part) {
        tiles.k = min64(part, g.channels - p);
        tiles.x = g.x + point * g.x_stride + p;
        tiles.accumulate = p > 0;
        tiles.ahead = tiles.b + tiles.k * tiles.ldb;
        all_rows<T, false>(tiles, g.tiles, nv, tiles.k * tiles.ldb);
        tiles.b = tiles.b + tiles.k * tiles.ldb;
      }
    }
  }
}

template <class T>
void gradient(const WinogradProduct<T>& g) {
  PointTiles<T> tiles{};
  tiles.ldx = g.ldx;
  tiles.ldb = g.ldb;
  tiles.ldy = g.ldy;
  tiles.k = g.tiles;
  tiles.accumulate = g.accumulate;
  // The first panels prefetch X of the next point, the others B.
  const std::int64_t panels = ceil_div(g.n, kTileColumns<T>), half = ceil_div(panels, 2);
  const std::int64_t share_x = g.tiles * g.ldx / half;
  const std::int64_t share_b = panels > half ? g.tiles * g.ldb / (panels - half) : 0;
  for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
    tiles.x = g.x + point * g.x_stride;
    const T* b = g.b + point * g.b_stride;
    for (std::int64_t i = 0; i < panels; ++i) {
      const std::int64_t j = i * kTileColumns<T>;
      tiles.b = b + j;
      tiles.y = g.y + point * g.y_stride + j;
      tiles.ahead =
          i < half ? tiles.x + g.x_stride + i * share_x : b + g.b_stride + (i - half) * share_b;
      all_rows<T, true>(tiles, g.channels, panel_vectors<T>(g.n - j), i < half ? share_x : share_b);
    }
  }
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
