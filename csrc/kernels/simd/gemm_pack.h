// Copies of A and B in the order in which the micro-kernel reads them.
#pragma once

#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/transpose.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Packs kRows rows of A, contiguous along k, into [p][row]: squares are transposed in registers and
// stored whole; the lanes past kTileRows are overwritten by the next product, the last ones are
// left. Returns how many products were packed.
template <class T, int kRows>
DLNATIVE_INLINE std::int64_t pack_a_squares(const T* a, std::int64_t rs, std::int64_t kc, T* out) {
  constexpr int kSquares = (kTileRows + kLanes<T> - 1) / kLanes<T>;  // one above the other
  constexpr int kMargin = (kSquares * kLanes<T> + kTileRows - 1) / kTileRows;
  std::int64_t p = 0;
  for (; p + kLanes<T> + kMargin <= kc; p += kLanes<T>) {
#pragma GCC unroll 4
    for (int first = (kSquares - 1) * kLanes<T>; first >= 0; first -= kLanes<T>) {
      Vec<T> v[kLanes<T>] = {};
#pragma GCC unroll 16
      for (int i = 0; i < kLanes<T>; ++i) {
        if (first + i < kRows) v[i] = load<T>(a + (first + i) * rs + p);
      }
      transpose_lanes<T>(v);
#pragma GCC unroll 16
      for (int l = 0; l < kLanes<T>; ++l) store<T>(out + (p + l) * kTileRows + first, v[l]);
    }
  }
  return p;
}

// The same for the rows of a tile: a cut into several has none of fewer than kTileRows - 3.
template <class T>
std::int64_t pack_a_squares(const T* a, std::int64_t rs, std::int64_t rows, std::int64_t kc,
                            T* out) {
  if (rows == kTileRows) return pack_a_squares<T, kTileRows>(a, rs, kc, out);
  if (rows == kTileRows - 1) return pack_a_squares<T, kTileRows - 1>(a, rs, kc, out);
  if (rows == kTileRows - 2) return pack_a_squares<T, kTileRows - 2>(a, rs, kc, out);
  if (rows == kTileRows - 3) return pack_a_squares<T, kTileRows - 3>(a, rs, kc, out);
  return 0;
}

// Packs rows [0, mc), contiguous for each product, products [0, kc): a few products at a time, so
// that the line that two or three panels share is read once. With all products at a time it
// took 1.2 to 3 times as long (2026-11, Zen 3; the most where rows are 4096 bytes apart).
template <class T>
void pack_a_transposed(const T* a, std::int64_t cs, std::int64_t mc, std::int64_t kc, T* out) {
  constexpr int kProducts = 8;
  const RowCut cut(mc, kTileRows);
  for (std::int64_t p = 0; p < kc; p += kProducts) {
    const std::int64_t products = min64(kProducts, kc - p);
    const T* from = a + p * cs;
    for (std::int64_t t = 0; t < cut.tiles(); ++t) {
      const std::int64_t rows = cut.rows(t);
      T* to = out + (t * kc + p) * kTileRows;
      if (rows == kTileRows && products == kProducts) {
#pragma GCC unroll 8
        for (int q = 0; q < kProducts; ++q)
          __builtin_memcpy(to + q * kTileRows, from + q * cs, sizeof(T) * kTileRows);
      } else {
        for (std::int64_t q = 0; q < products; ++q) {
          for (std::int64_t r = 0; r < rows; ++r) to[q * kTileRows + r] = from[q * cs + r];
        }
      }
      from += rows;
    }
  }
}

// Packs rows [0, mc) x products [0, kc) of A into one panel per tile: value (row, p) at p *
// kTileRows + row.
template <class T>
void pack_a(const T* a, std::int64_t rs, std::int64_t cs, std::int64_t mc, std::int64_t kc,
            T* out) {
  if (rs == 1) return pack_a_transposed(a, cs, mc, kc, out);
  const RowCut cut(mc, kTileRows);
  for (std::int64_t t = 0; t < cut.tiles(); ++t) {
    const std::int64_t rows = cut.rows(t);
    std::int64_t p = cs == 1 ? pack_a_squares(a, rs, rows, kc, out) : 0;
    for (; p < kc; ++p) {
      for (std::int64_t r = 0; r < rows; ++r) out[p * kTileRows + r] = a[r * rs + p * cs];
    }
    a += rows * rs;
    out += kTileRows * kc;
  }
}

// Packs products [0, kc) x columns [0, columns) of B into [p][width], zeros past the columns.
template <class T>
void pack_b(const T* b, std::int64_t rs, std::int64_t cs, std::int64_t kc, std::int64_t columns,
            std::int64_t width, T* out) {
  if (cs == 1) {
    for (std::int64_t p = 0; p < kc; ++p, b += rs, out += width) {
      for (std::int64_t j = 0; j < width; j += kLanes<T>) {
        const std::int64_t left = columns - j;
        store<T>(out + j,
                 left >= kLanes<T> ? load<T>(b + j) : load_first(b + j, left > 0 ? left : 0));
      }
    }
    return;
  }
  for (std::int64_t j = 0; j < width; j += kLanes<T>) {
    const std::int64_t lanes = min64(kLanes<T>, columns - j);
    std::int64_t p = 0;
    if (rs == 1 && lanes == kLanes<T>) {
      for (; p + kLanes<T> <= kc; p += kLanes<T>) {
        transpose_block<T>(b + j * cs + p, cs, out + p * width + j, width);
      }
    }
    for (; p < kc; ++p) {
      T* to = out + p * width + j;
      for (std::int64_t l = 0; l < kLanes<T>; ++l)
        to[l] = l < lanes ? b[(j + l) * cs + p * rs] : T(0);
    }
  }
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
