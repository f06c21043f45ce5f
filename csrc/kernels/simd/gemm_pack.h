// Copies of A and B in the order in which the micro-kernel reads them.
#pragma once

#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/transpose.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Packs up to kTileRows rows of A, contiguous along k, into [p][row]: squares are transposed in
// registers and stored whole; the lanes past kTileRows are overwritten by the next product, the
// last one is cut.
template <class T>
DLNATIVE_INLINE std::int64_t pack_a_squares(const T* a, std::int64_t rs, std::int64_t rows,
                                            std::int64_t kc, T* out) {
  std::int64_t p = 0;
  if constexpr (kLanes<T> >= kTileRows) {
    for (; p + 2 * kLanes<T> <= kc; p += kLanes<T>) {
      Vec<T> v[kLanes<T>] = {};
#pragma GCC unroll 16
      for (int i = 0; i < kTileRows; ++i) {
        if (i < rows) v[i] = load<T>(a + i * rs + p);
      }
      transpose_lanes<T>(v);
#pragma GCC unroll 16
      for (int l = 0; l < kLanes<T>; ++l) store<T>(out + (p + l) * kTileRows, v[l]);
    }
  }
  return p;
}

// Packs rows [0, mc) x products [0, kc) of A into one panel per tile: value (row, p) at p *
// kTileRows + row.
template <class T>
void pack_a(const T* a, std::int64_t rs, std::int64_t cs, std::int64_t mc, std::int64_t kc,
            T* out) {
  const RowCut cut(mc, kTileRows);
  for (std::int64_t t = 0; t < cut.tiles(); ++t) {
    const std::int64_t rows = cut.rows(t);
    std::int64_t p = 0;
    if (rs == 1 && rows == kTileRows) {
      for (; p < kc; ++p) __builtin_memcpy(out + p * kTileRows, a + p * cs, sizeof(T) * kTileRows);
    } else if (cs == 1) {
      p = pack_a_squares<T>(a, rs, rows, kc, out);
    }
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

// Packs columns [0, nc) of B into panels of kTileColumns columns, one after the other.
template <class T>
void pack_b_panels(const T* b, std::int64_t rs, std::int64_t cs, std::int64_t kc, std::int64_t nc,
                   T* out) {
  if (cs != 1) {
    for (std::int64_t j = 0; j < nc; j += kTileColumns<T>) {
      const std::int64_t columns = min64(kTileColumns<T>, nc - j);
      pack_b(b + j * cs, rs, cs, kc, columns, ceil_div(columns, kLanes<T>) * kLanes<T>,
             out + j * kc);
    }
    return;
  }
  // Whole rows of B at a time: the reads are one stream.
  const std::int64_t full = nc / kTileColumns<T> * kTileColumns<T>;
  for (std::int64_t p = 0; p < kc; ++p) {
    const T* row = b + p * rs;
    for (std::int64_t j = 0; j < full; j += kTileColumns<T>) {
      T* to = out + j * kc + p * kTileColumns<T>;
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; ++v)
        store<T>(to + v * kLanes<T>, load<T>(row + j + v * kLanes<T>));
    }
  }
  if (full < nc) {
    const std::int64_t columns = nc - full;
    pack_b(b + full, rs, cs, kc, columns, ceil_div(columns, kLanes<T>) * kLanes<T>,
           out + full * kc);
  }
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
