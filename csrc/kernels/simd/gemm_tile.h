// The micro-kernel of matrix products: a tile of C in registers.
//
// Register budget (MR x NV accumulators + NV of B + 1 of A):
//   avx512 6 x 4 + 4 + 1 = 29 of 32; avx2 6 x 2 + 2 + 1 = 15 of 16; baseline 4 x 2 + 2 + 1 (+1 for
//   the product where there is no fused multiply-add) = 12 of 16; NEON 4 x 4 + 4 + 1 = 21 of 32.
// On Zen 3 (AVX2) a 6 x 16 tile alone runs at 0.98 of the FMA peak with k = 256, with A streamed
// from the second-level cache too (2026-11).
#pragma once

#include "kernels/simd/products.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// The tile, the blocks of the three loops around it, and
//   kPanelK        products for which a panel of the weights of a convolution fits L1
//   kTilesInPlace  as many tiles read a panel of B where it lies
//   kRowsInPlace   as many panels meet rows of A where they lie
//   kUnprefetchedC bytes up to which a C is not prefetched
// On Zen 5 (AVX-512, 2026-11) a tile alone runs at the peak with a panel of B in the second-level
// cache, packed or not, and every line that is copied or prefetched costs two to three cycles.
#if defined(__AVX512F__)
constexpr int kTileRows = 6, kTileVectors = 4;
template <class T>
constexpr std::int64_t kBlockK = sizeof(T) == 4 ? 1024 : 640;
constexpr std::int64_t kBlockM = 144, kBlockN = 1024, kPanelK = 576;
constexpr int kTilesInPlace = 24, kRowsInPlace = 64;
constexpr std::int64_t kUnprefetchedC = 2 << 20;
#else
#if defined(__AVX2__)
constexpr int kTileRows = 6, kTileVectors = 2;
constexpr std::int64_t kBlockM = 144, kBlockN = 1024, kPanelK = 576;
#elif defined(__aarch64__)
constexpr int kTileRows = 4, kTileVectors = 4;
constexpr std::int64_t kBlockM = 192, kBlockN = 1024, kPanelK = 256;
#else
constexpr int kTileRows = 4, kTileVectors = 2;
constexpr std::int64_t kBlockM = 192, kBlockN = 1024, kPanelK = 256;
#endif
template <class T>
constexpr std::int64_t kBlockK = kPanelK;
constexpr int kTilesInPlace = 2, kRowsInPlace = 12;
constexpr std::int64_t kUnprefetchedC = 0;
#endif

template <class T>
constexpr std::int64_t kTileColumns = kTileVectors * kLanes<T>;

DLNATIVE_INLINE std::int64_t min64(std::int64_t a, std::int64_t b) {
  return a < b ? a : b;
}
DLNATIVE_INLINE std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Blocks cut their dimension into equal parts, so that no thin rest remains.
template <std::int64_t kMultiple>
DLNATIVE_INLINE std::int64_t equal_part(std::int64_t size, std::int64_t limit) {
  if (size <= kMultiple) return kMultiple;
  const std::int64_t part = size <= limit ? size : ceil_div(size, ceil_div(size, limit));
  return ceil_div(part, kMultiple) * kMultiple;
}

// Rows cut into tiles of at most `limit` rows, as equal as can be: 32 into 6, 6, 5, 5, 5, 5 and not
// into five times 6 and 2, as a tile of two rows is not faster than one of five.
class RowCut {
 public:
  RowCut(std::int64_t rows, std::int64_t limit) : tiles_(1), rows_(rows), larger_(0) {
    if (rows > limit) {
      tiles_ = ceil_div(rows, limit);
      rows_ = rows / tiles_;
      larger_ = rows - rows_ * tiles_;
    }
  }
  std::int64_t tiles() const { return tiles_; }
  std::int64_t rows(std::int64_t tile) const { return tile < larger_ ? rows_ + 1 : rows_; }
  std::int64_t most() const { return rows(0); }

 private:
  std::int64_t tiles_ = 0, rows_ = 0, larger_ = 0;
};

// What a tile interleaves with its products, one step for kProductUnroll of them: it packs rows of
// B for the next panel, or prefetches memory that is needed next. Neither costs time, as a tile
// leaves a third of the loads and nearly all stores of its cycles unused; before a tile, both
// stall.
enum class Interleave { kNothing, kCopy, kPrefetch };

// What a tile does after its products, and the memory that it interleaves.
template <class T>
struct TileEnd {
  T* c = nullptr;
  std::int64_t ldc = 0;
  const std::int32_t* rows = nullptr;  // where those of C begin, from c on, or null: every ldc
  std::int64_t columns = 0;            // 1 .. NV * lanes
  bool accumulate = false;
  bool plain = false;  // all columns, and neither bias nor relu nor relu_saved
  bool relu = false;
  const T* bias = nullptr;        // of this panel, or null
  const T* relu_saved = nullptr;  // of this tile, or null; with `rows` its rows lie as those of C
  std::int64_t ld_saved = 0;
  // Interleaved: k / kProductUnroll steps of NV * lanes values; a convolution prefetches a line.
  const T* ahead = nullptr;  // those of the first step, the others ld_ahead apart
  std::int64_t ld_ahead = 0;
  T* copy = nullptr;  // Interleave::kCopy: the place of the copies, one after the other

  std::int64_t row(std::int64_t i) const { return rows != nullptr ? rows[i] : i * ldc; }
  std::int64_t saved_row(std::int64_t i) const { return rows != nullptr ? rows[i] : i * ld_saved; }
};

template <class T>
DLNATIVE_INLINE Vec<T> finish_vector(Vec<T> v, const TileEnd<T>& end, const T* c, const T* bias,
                                     const T* saved) {
  if (end.accumulate) v += load<T>(c);
  if (end.bias != nullptr) v += load<T>(bias);
  if (end.relu) v = v > Vec<T>{} ? v : (v != v ? v : Vec<T>{});  // NaN stays
  if (end.relu_saved != nullptr) v = load<T>(saved) > Vec<T>{} ? v : Vec<T>{};
  return v;
}

// The same for a tile whose last columns lie past the edge: from a copy in memory, `width` values a
// row.
template <class T>
__attribute__((noinline)) void finish_partial(const T* tile, std::int64_t rows, std::int64_t width,
                                              const TileEnd<T>& end) {
  for (std::int64_t i = 0; i < rows; ++i, tile += width) {
    for (std::int64_t j = 0; j < end.columns; j += kLanes<T>) {
      const std::int64_t n = min64(kLanes<T>, end.columns - j);
      T* c = end.c + end.row(i) + j;
      Vec<T> v = load<T>(tile + j);
      if (end.accumulate) v += load_first(c, n);
      if (end.bias != nullptr) v += load_first(end.bias + j, n);
      if (end.relu) v = v > Vec<T>{} ? v : (v != v ? v : Vec<T>{});
      if (end.relu_saved != nullptr) {
        v = load_first(end.relu_saved + end.saved_row(i) + j, n) > Vec<T>{} ? v : Vec<T>{};
      }
      store_first(c, v, n);
    }
  }
}

// What follows the last product of a tile. With kBare neither bias nor relu nor relu_saved does.
template <class T, int MR, int NV, bool kBare = false>
DLNATIVE_INLINE void finish_tile(const Vec<T> (&acc)[MR][NV], const TileEnd<T>& end) {
  constexpr std::int64_t kWidth = NV * kLanes<T>;
  if (end.plain) {  // most tiles: nothing but C = or C +=
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      T* c = end.c + end.row(i);
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        store<T>(c + j * kLanes<T>,
                 end.accumulate ? acc[i][j] + load<T>(c + j * kLanes<T>) : acc[i][j]);
      }
    }
    return;
  }
  if (!kBare && end.columns == kWidth) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const std::int64_t row = end.row(i), saved = end.saved_row(i);
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        const int at = j * kLanes<T>;
        T* c = end.c + row + at;
        store<T>(c,
                 finish_vector<T>(acc[i][j], end, c, end.bias + at, end.relu_saved + saved + at));
      }
    }
    return;
  }
  if (!kBare && end.columns == end.ldc && end.rows == nullptr && !end.accumulate &&
      end.relu_saved == nullptr) {
    // Rows of C follow each other: what a row writes past its end, the next one overwrites.
    Vec<T> bias[NV] = {};
    if (end.bias != nullptr) {
#pragma GCC unroll 4
      for (int j = 0; j + 1 < NV; ++j) bias[j] = load<T>(end.bias + j * kLanes<T>);
      bias[NV - 1] =
          load_first(end.bias + (NV - 1) * kLanes<T>, end.columns - (NV - 1) * kLanes<T>);
    }
    const std::int64_t size = MR * end.ldc;
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        Vec<T> v = acc[i][j] + bias[j];
        if (end.relu) v = v > Vec<T>{} ? v : (v != v ? v : Vec<T>{});  // NaN stays
        const std::int64_t at = i * end.ldc + j * kLanes<T>;
        if (at + kLanes<T> <= size) {
          store<T>(end.c + at, v);
        } else if (at < size) {
          store_first(end.c + at, v, size - at);
        }
      }
    }
    return;
  }
  alignas(64) T copy[MR * kWidth];
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) store<T>(copy + i * kWidth + j * kLanes<T>, acc[i][j]);
  }
  finish_partial<T>(copy, MR, kWidth, end);
}

// Applies what does not stay in registers to rows [row, row + rows) and n columns of C. `column` is
// where these columns begin in the arrays of the epilogue. Rows without gaps are done in one call.
template <class T>
void finish_rows(const GemmEpilogue<T>& e, T* c, std::int64_t ldc, std::int64_t column,
                 std::int64_t row, std::int64_t rows, std::int64_t n) {
  if (e.activation == nullptr && e.activation_backward == nullptr && e.pre_activation == nullptr)
    return;
  std::int64_t calls = rows, size = n;
  if (ldc == n && (e.saved == nullptr || e.ld_saved == n)) {
    calls = 1;
    size = rows * n;
  }
  for (std::int64_t i = row; i < row + calls; ++i) {
    T* y = c + i * ldc;
    if (e.pre_activation != nullptr) {
      __builtin_memcpy(e.pre_activation + i * ldc + column, y,
                       sizeof(T) * static_cast<std::size_t>(size));
    }
    if (e.activation != nullptr) e.activation(y, y, size, e.params);
    if (e.activation_backward != nullptr) {
      e.activation_backward(y, e.saved + i * e.ld_saved + column, y, size, e.params);
    }
  }
}

// Products by which tiles of nearly all rows and all vectors are unrolled; few of the smaller tiles
// run, and they are many. Without an instruction for a product and a sum (or one that add_product()
// names) compilers need more registers for an unroll by four than there are.
#if defined(__FMA__)
constexpr int kProductUnroll = 4;
#else
constexpr int kProductUnroll = 1;
#endif
constexpr int kCopyAhead = 24;  // rows that are prefetched before they are copied
template <int MR, int NV>
constexpr bool is_unrolled = NV == kTileVectors && MR >= kTileRows - 2;

// The micro-kernel. Assumes ldb >= NV * lanes readable values per row of b. With kUnitRow the MR
// values of A for one product lie side by side (packed A, or A transposed). Interleaving assumes a
// packed b, and cs_a = 1 without kUnitRow.
template <class T, int MR, int NV, bool kUnitRow, Interleave kInterleave>
__attribute__((noinline)) void tile(const T* __restrict a, std::int64_t rs_a, std::int64_t cs_a,
                                    const T* __restrict b, std::int64_t ldb, std::int64_t k,
                                    const TileEnd<T>& end) {
  constexpr int kWidth = NV * kLanes<T>;
  Vec<T> acc[MR][NV] = {};
  [[maybe_unused]] const T* ahead = end.ahead;
  [[maybe_unused]] T* copy = end.copy;
  const auto interleaved = [&]() __attribute__((always_inline)) {
    if constexpr (kInterleave == Interleave::kCopy) {
      prefetch(ahead + kCopyAhead * end.ld_ahead, kWidth);
#pragma GCC unroll 4
      for (int j = 0; j < kWidth; j += kLanes<T>) store<T>(copy + j, load<T>(ahead + j));
      copy += kWidth;
    }
    if constexpr (kInterleave == Interleave::kPrefetch) prefetch(ahead, kWidth);
    if constexpr (kInterleave != Interleave::kNothing) ahead += end.ld_ahead;
  };
  StridedA<T> rows_a{a, kUnitRow ? 1 : rs_a, cs_a};
  StridedB<T> rows_b{b, ldb};
  if constexpr (is_unrolled<MR, NV>) {
    if (ldb == kWidth && (kUnitRow || cs_a == 1)) {
      Packed<T, kWidth> packed_b{b};
      if (!kUnitRow) {
        RowsOfA<T, MR> any_a;
#pragma GCC unroll 16
        for (int i = 0; i < MR; ++i) any_a.rows[i] = opaque(a + i * rs_a);
        k = add_products<kProductUnroll, T>(acc, any_a, packed_b, k, interleaved);
        rows_a.a += any_a.p;
      } else if (cs_a == kTileRows) {
        Packed<T, kTileRows> packed_a{a};
        k = add_products<kProductUnroll, T>(acc, packed_a, packed_b, k, interleaved);
        rows_a.a = packed_a.p;
      } else {
        k = add_products<kProductUnroll, T>(acc, rows_a, packed_b, k, interleaved);
      }
      rows_b.b = packed_b.p;
    }
  }
  add_products<1, T>(acc, rows_a, rows_b, k);
  finish_tile<T, MR, NV>(acc, end);
}

// 0, 1, ..., n - 1 as template arguments (std::integer_sequence would bring in the standard
// library).
template <int... kValues>
struct Sequence {};
template <int n, int... kValues>
struct CountingOf : CountingOf<n - 1, n - 1, kValues...> {};
template <int... kValues>
struct CountingOf<0, kValues...> {
  using Type = Sequence<kValues...>;
};
template <int n>
using Counting = typename CountingOf<n>::Type;

template <class T>
using Tile = void (*)(const T*, std::int64_t, std::int64_t, const T*, std::int64_t, std::int64_t,
                      const TileEnd<T>&);

// Rows of a tile that is NV vectors wide: narrow tiles are taller, so that enough products are in
// flight to hide the latency of the units.
constexpr int rows_for(int nv) {
  return nv == kTileVectors
             ? kTileRows
             : (kTileRows * kTileVectors / nv > 12 ? 12 : kTileRows * kTileVectors / nv);
}

constexpr int kMaxRows = kTileRows * kTileVectors;

// The tiles of a family, for every size there is: Family::tile<MR, NV> for rows 1 to
// Family::rows(NV) and 1 to kTileVectors vectors.
template <class Family, int NV>
struct TilesOfWidth {
  using Tile = typename Family::Tile;
  Tile of_rows[kMaxRows];

  template <int... kRows>
  static constexpr TilesOfWidth make(Sequence<kRows...>) {
    return {{(kRows < Family::rows(NV)
                  ? Family::template tile<(kRows < Family::rows(NV) ? kRows + 1 : 1), NV>
                  : nullptr)...}};
  }
};

template <class Family, int NV>
constexpr TilesOfWidth<Family, NV> kTiles = TilesOfWidth<Family, NV>::make(Counting<kMaxRows>{});

// Those of nv vectors, by [rows - 1].
template <class Family>
DLNATIVE_INLINE const typename Family::Tile* tiles_of_width(int nv) {
  if (kTileVectors > 1 && nv == kTileVectors) return kTiles<Family, kTileVectors>.of_rows;
  if (kTileVectors > 2 && nv == 3) return kTiles<Family, (kTileVectors > 2 ? 3 : 1)>.of_rows;
  if (kTileVectors > 2 && nv == 2) return kTiles<Family, (kTileVectors > 2 ? 2 : 1)>.of_rows;
  return kTiles<Family, 1>.of_rows;
}

// Vectors of a panel where `columns` columns are left.
template <class T>
DLNATIVE_INLINE int panel_vectors(std::int64_t columns) {
  return static_cast<int>(ceil_div(min64(kTileColumns<T>, columns), kLanes<T>));
}

template <class T, bool kUnitRow>
struct GemmTiles {
  using Tile = DLNATIVE_ISA_NAMESPACE::Tile<T>;
  static constexpr int rows(int nv) { return rows_for(nv); }
  template <int MR, int NV>
  static constexpr Tile tile =
      DLNATIVE_ISA_NAMESPACE::tile<T, MR, NV, kUnitRow, Interleave::kNothing>;
};

template <class T, bool kUnitRow>
DLNATIVE_INLINE Tile<T> find_tile(std::int64_t rows, int nv) {
  return tiles_of_width<GemmTiles<T, kUnitRow>>(nv)[rows - 1];
}

// Tiles that interleave are whole in columns, and at most one row is missing: cuts of more than a
// few tiles have no others.
DLNATIVE_INLINE bool can_interleave(std::int64_t rows, int nv) {
  return nv == kTileVectors && rows >= kTileRows - 1;
}

template <class T, bool kUnitRow, Interleave kInterleave>
DLNATIVE_INLINE Tile<T> find_tile_with(std::int64_t rows) {
  return rows == kTileRows ? tile<T, kTileRows, kTileVectors, kUnitRow, kInterleave>
                           : tile<T, kTileRows - 1, kTileVectors, kUnitRow, kInterleave>;
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
