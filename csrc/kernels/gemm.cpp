// C (+)= A B for one block of C on one core.
//
// Five loops around a micro-kernel, as in BLIS (Van Zee and van de Geijn, 2015), with one change: the
// panel of B, k x NR, is packed right before its use into a buffer that stays in the first-level
// cache, so that no packed copy of all of B is written and read back. A is packed only where enough
// columns share it.
//
//   for pc in K by kc        one block of products per element and round; C is read again after the first
//     for ic in M by mc      the block of A, mc x kc, stays in the second-level cache
//       for jr in N by NR    the panel of B, kc x NR, stays in the first-level cache
//         for ir in mc by MR   micro-kernel: MR x NR accumulators in registers
//
// Register budget of the micro-kernel (MR x NV accumulators + NV of B + 1 of A):
//   avx512 6 x 4 + 4 + 1 = 29 of 32; avx2 6 x 2 + 2 + 1 = 15 of 16; baseline 4 x 2 + 2 + 1 (+1 for the
//   product where there is no fused multiply-add) = 12 of 16; NEON 4 x 4 + 4 + 1 = 21 of 32.
#include "kernels/kernel_table.h"
#include "kernels/simd/transpose.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

#if defined(__AVX512F__)
constexpr int kTileRows = 6, kTileVectors = 4;
constexpr std::int64_t kBlockK = 384, kBlockM = 240, kBlockN = 1024;
#elif defined(__AVX2__)
constexpr int kTileRows = 6, kTileVectors = 2;
constexpr std::int64_t kBlockK = 512, kBlockM = 144, kBlockN = 1024;
#elif defined(__aarch64__)
constexpr int kTileRows = 4, kTileVectors = 4;
constexpr std::int64_t kBlockK = 256, kBlockM = 192, kBlockN = 1024;
#else
constexpr int kTileRows = 4, kTileVectors = 2;
constexpr std::int64_t kBlockK = 256, kBlockM = 192, kBlockN = 1024;
#endif

template <class T>
constexpr std::int64_t kTileColumns = kTileVectors * kLanes<T>;

DLNATIVE_INLINE std::int64_t min64(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
DLNATIVE_INLINE std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Blocks cut their dimension into equal parts, so that no thin rest remains.
template <std::int64_t kLimit, std::int64_t kMultiple>
DLNATIVE_INLINE std::int64_t equal_part(std::int64_t size) {
  if (size <= kMultiple) return kMultiple;
  const std::int64_t part = size <= kLimit ? size : ceil_div(size, ceil_div(size, kLimit));
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

 private:
  std::int64_t tiles_, rows_, larger_;
};

// What a tile does after its products.
template <class T>
struct TileEnd {
  T* c;
  std::int64_t ldc;
  std::int64_t columns;  // 1 .. NV * lanes
  bool accumulate;
  bool plain;            // all columns, and neither bias nor relu nor relu_saved
  bool relu;
  const T* bias;         // of this panel, or null
  const T* relu_saved;   // of this tile, or null
  std::int64_t ld_saved;
};

template <class T>
DLNATIVE_INLINE Vec<T> finish_vector(Vec<T> v, const TileEnd<T>& end, const T* c, const T* bias, const T* saved) {
  if (end.accumulate) v += load<T>(c);
  if (end.bias != nullptr) v += load<T>(bias);
  if (end.relu) v = v > Vec<T>{} ? v : (v != v ? v : Vec<T>{});  // NaN stays
  if (end.relu_saved != nullptr) v = load<T>(saved) > Vec<T>{} ? v : Vec<T>{};
  return v;
}

// The same for a tile whose last columns lie past the edge: from a copy in memory, `width` values a row.
template <class T>
__attribute__((noinline)) void finish_partial(const T* tile, std::int64_t rows, std::int64_t width,
                                              const TileEnd<T>& end) {
  for (std::int64_t i = 0; i < rows; ++i, tile += width) {
    for (std::int64_t j = 0; j < end.columns; j += kLanes<T>) {
      const std::int64_t n = min64(kLanes<T>, end.columns - j);
      T* c = end.c + i * end.ldc + j;
      Vec<T> v = load<T>(tile + j);
      if (end.accumulate) v += load_first(c, n);
      if (end.bias != nullptr) v += load_first(end.bias + j, n);
      if (end.relu) v = v > Vec<T>{} ? v : (v != v ? v : Vec<T>{});
      if (end.relu_saved != nullptr) {
        v = load_first(end.relu_saved + i * end.ld_saved + j, n) > Vec<T>{} ? v : Vec<T>{};
      }
      store_first(c, v, n);
    }
  }
}

// The micro-kernel. Assumes ldb >= NV * lanes readable values per row of b. With kUnitRow the MR
// values of A for one product lie side by side (packed A, or A transposed).
template <class T, int MR, int NV, bool kUnitRow>
__attribute__((noinline)) void tile(const T* __restrict a, std::int64_t rs_a, std::int64_t cs_a, const T* __restrict b,
                                    std::int64_t ldb, std::int64_t k, const TileEnd<T>& end) {
  Vec<T> acc[MR][NV] = {};
  const std::int64_t rs = kUnitRow ? 1 : rs_a;
#pragma GCC unroll 1
  for (std::int64_t p = 0; p < k; ++p) {
    Vec<T> bv[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) bv[j] = load<T>(b + j * kLanes<T>);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const T value = a[i * rs];
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] += value * bv[j];
    }
    a += cs_a;
    b += ldb;
  }
  constexpr std::int64_t kWidth = NV * kLanes<T>;
  if (end.plain) {  // most tiles: nothing but C = or C +=
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      T* c = end.c + i * end.ldc;
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        store<T>(c + j * kLanes<T>, end.accumulate ? acc[i][j] + load<T>(c + j * kLanes<T>) : acc[i][j]);
      }
    }
    return;
  }
  if (end.columns == kWidth) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        const int at = j * kLanes<T>;
        T* c = end.c + i * end.ldc + at;
        store<T>(c, finish_vector<T>(acc[i][j], end, c, end.bias + at, end.relu_saved + i * end.ld_saved + at));
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

// 0, 1, ..., n - 1 as template arguments (std::integer_sequence would bring in the standard library).
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
using Tile = void (*)(const T*, std::int64_t, std::int64_t, const T*, std::int64_t, std::int64_t, const TileEnd<T>&);

// Rows of a tile that is NV vectors wide: narrow tiles are taller, so that enough products are in
// flight to hide the latency of the units.
constexpr int rows_for(int nv) {
  return nv == kTileVectors ? kTileRows : (kTileRows * kTileVectors / nv > 12 ? 12 : kTileRows * kTileVectors / nv);
}

constexpr int kMaxRows = rows_for(1) > rows_for(2) ? rows_for(1) : rows_for(2);

// Every tile there is, by [rows - 1].
template <class T, int NV, bool kUnitRow>
struct TilesOfWidth {
  Tile<T> of_rows[kMaxRows];

  template <int... kRows>
  static constexpr TilesOfWidth make(Sequence<kRows...>) {
    return {{(kRows < rows_for(NV) ? tile<T, (kRows < rows_for(NV) ? kRows + 1 : 1), NV, kUnitRow> : nullptr)...}};
  }
};

template <class T, int NV, bool kUnitRow>
constexpr TilesOfWidth<T, NV, kUnitRow> kTiles = TilesOfWidth<T, NV, kUnitRow>::make(Counting<kMaxRows>{});

template <class T, bool kUnitRow>
DLNATIVE_INLINE Tile<T> find_tile(std::int64_t rows, int nv) {
  if (kTileVectors > 1 && nv == kTileVectors) return kTiles<T, kTileVectors, kUnitRow>.of_rows[rows - 1];
  if (kTileVectors > 2 && nv == 3) return kTiles<T, (kTileVectors > 2 ? 3 : 1), kUnitRow>.of_rows[rows - 1];
  if (kTileVectors > 2 && nv == 2) return kTiles<T, (kTileVectors > 2 ? 2 : 1), kUnitRow>.of_rows[rows - 1];
  return kTiles<T, 1, kUnitRow>.of_rows[rows - 1];
}

// Packs up to kTileRows rows of A, contiguous along k, into [p][row]: squares are transposed in registers and
// stored whole; the lanes past kTileRows are overwritten by the next product, the last one is cut.
template <class T>
DLNATIVE_INLINE std::int64_t pack_a_squares(const T* a, std::int64_t rs, std::int64_t rows, std::int64_t kc, T* out) {
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

// Packs rows [0, mc) x products [0, kc) of A into one panel per tile: value (row, p) at p * kTileRows + row.
template <class T>
void pack_a(const T* a, std::int64_t rs, std::int64_t cs, std::int64_t mc, std::int64_t kc, T* out) {
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
void pack_b(const T* b, std::int64_t rs, std::int64_t cs, std::int64_t kc, std::int64_t columns, std::int64_t width,
            T* out) {
  if (cs == 1) {
    for (std::int64_t p = 0; p < kc; ++p, b += rs, out += width) {
      for (std::int64_t j = 0; j < width; j += kLanes<T>) {
        const std::int64_t left = columns - j;
        store<T>(out + j, left >= kLanes<T> ? load<T>(b + j) : load_first(b + j, left > 0 ? left : 0));
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
      for (std::int64_t l = 0; l < kLanes<T>; ++l) to[l] = l < lanes ? b[(j + l) * cs + p * rs] : T(0);
    }
  }
}

// Packs columns [0, nc) of B into panels of kTileColumns columns, one after the other.
template <class T>
void pack_b_panels(const T* b, std::int64_t rs, std::int64_t cs, std::int64_t kc, std::int64_t nc, T* out) {
  if (cs != 1) {
    for (std::int64_t j = 0; j < nc; j += kTileColumns<T>) {
      const std::int64_t columns = min64(kTileColumns<T>, nc - j);
      pack_b(b + j * cs, rs, cs, kc, columns, ceil_div(columns, kLanes<T>) * kLanes<T>, out + j * kc);
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
      for (int v = 0; v < kTileVectors; ++v) store<T>(to + v * kLanes<T>, load<T>(row + j + v * kLanes<T>));
    }
  }
  if (full < nc) {
    const std::int64_t columns = nc - full;
    pack_b(b + full, rs, cs, kc, columns, ceil_div(columns, kLanes<T>) * kLanes<T>, out + full * kc);
  }
}

// Applies what does not stay in registers to rows [row, row + rows) and n columns of C. `column` is
// where these columns begin in the arrays of the epilogue. Rows without gaps are done in one call.
template <class T>
void finish_rows(const GemmEpilogue<T>& e, T* c, std::int64_t ldc, std::int64_t column, std::int64_t row,
                 std::int64_t rows, std::int64_t n) {
  if (e.activation == nullptr && e.activation_backward == nullptr && e.pre_activation == nullptr) return;
  std::int64_t calls = rows, size = n;
  if (ldc == n && (e.saved == nullptr || e.ld_saved == n)) {
    calls = 1;
    size = rows * n;
  }
  for (std::int64_t i = row; i < row + calls; ++i) {
    T* y = c + i * ldc;
    if (e.pre_activation != nullptr) {
      __builtin_memcpy(e.pre_activation + i * ldc + column, y, sizeof(T) * static_cast<std::size_t>(size));
    }
    if (e.activation != nullptr) e.activation(y, y, size, e.params);
    if (e.activation_backward != nullptr) {
      e.activation_backward(y, e.saved + i * e.ld_saved + column, y, size, e.params);
    }
  }
}

// Columns from which on packing A pays: 7 panels of B share the packed copy.
template <class T>
DLNATIVE_INLINE bool packs_a(std::int64_t m, std::int64_t n) {
  return n >= 7 * kTileColumns<T> && m >= kTileRows;
}

// How one block is cut and where its scratch lies.
template <class T>
struct Blocking {
  std::int64_t kc, mc, nc;
  bool pack_a;
  bool pack_whole_b;  // several blocks of A use the same panels of B: they are packed once, nc columns at a time
  std::int64_t b_elements, a_elements;

  Blocking(std::int64_t m, std::int64_t n, std::int64_t k)
      : kc(equal_part<kBlockK, 4>(k)),
        mc(equal_part<kBlockM, kTileRows>(m)),
        nc(equal_part<kBlockN, kTileColumns<T>>(n)),
        pack_a(packs_a<T>(m, n)),
        pack_whole_b(m > mc),
        b_elements(kc * (pack_whole_b ? nc : kTileColumns<T>)),
        a_elements(pack_a ? mc * kc + 2 * kLanes<T> : 0) {}
};

template <class T>
std::int64_t scratch_elements(std::int64_t m, std::int64_t n, std::int64_t k) {
  const Blocking<T> blocking(m, n, k);
  return blocking.b_elements + blocking.a_elements + 64;
}

// One panel of B against mc rows of A.
template <class T>
struct Stripe {
  const T* a;
  std::int64_t rs_a, cs_a;
  bool packed_a;
  const T* b;
  std::int64_t ldb;
  std::int64_t mc, kc;
  int nv;
  T* c;                  // of this stripe's first row and column
  const T* relu_saved;   // likewise, or null
  const T* next_b;       // rows of the panel that is packed next, or null
  std::int64_t next_ldb;
  bool first_pass;       // no panel of B met these rows of A before: they come from far away
};

template <class T>
void run_stripe(const Stripe<T>& s, TileEnd<T> end) {
  const RowCut cut(s.mc, s.packed_a ? kTileRows : rows_for(s.nv));
  const bool unit_row = s.packed_a || s.rs_a == 1;
  // Rows of the next panel of B that are asked for per tile: all of them by the last tile.
  const std::int64_t ahead = s.next_b != nullptr ? ceil_div(s.kc, cut.tiles()) : 0;
  const T* next_b = s.next_b;
  Tile<T> run = nullptr;
  std::int64_t run_rows = 0, ir = 0;
  for (std::int64_t t = 0; t < cut.tiles(); ++t) {
    const std::int64_t rows = cut.rows(t);
    if (rows != run_rows) {
      run = unit_row ? find_tile<T, true>(rows, s.nv) : find_tile<T, false>(rows, s.nv);
      run_rows = rows;
    }
    for (std::int64_t p = 0; p < ahead; ++p, next_b += s.next_ldb) {
      for (int line = 0; line < (kVectorBytes * kTileVectors + 63) / 64; ++line) {
        __builtin_prefetch(next_b + line * (64 / static_cast<int>(sizeof(T))));
      }
    }
    if (s.first_pass && !s.packed_a && s.cs_a == 1 && t + 1 < cut.tiles()) {
      for (std::int64_t i = 0; i < cut.rows(t + 1); ++i) {
        const T* row = s.a + (ir + rows + i) * s.rs_a;
        for (std::int64_t p = 0; p < s.kc; p += 64 / static_cast<int>(sizeof(T))) __builtin_prefetch(row + p);
      }
    }
    end.c = s.c + ir * end.ldc;
    for (std::int64_t i = 0; i < rows; ++i) __builtin_prefetch(end.c + i * end.ldc, 1);
    if (s.relu_saved != nullptr) end.relu_saved = s.relu_saved + ir * end.ld_saved;
    if (s.packed_a) {
      run(s.a + t * kTileRows * s.kc, 1, kTileRows, s.b, s.ldb, s.kc, end);
    } else {
      run(s.a + ir * s.rs_a, s.rs_a, s.cs_a, s.b, s.ldb, s.kc, end);
    }
    ir += rows;
  }
}

// What becomes of a panel of C that begins at (row, column), after this block of products.
template <class T>
DLNATIVE_INLINE TileEnd<T> panel_end(const GemmBlock<T>& g, std::int64_t column, std::int64_t columns,
                                     std::int64_t width, bool first, bool last) {
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
  const T* b = g.b;
  std::int64_t ldb = g.rs_b;
  if (g.cs_b != 1 || g.n != width) {
    pack_b(b, g.rs_b, g.cs_b, g.k, g.n, width, g.scratch);
    b = g.scratch;
    ldb = width;
  }
  const TileEnd<T> end = panel_end(g, 0, g.n, width, true, true);
  const Tile<T> run = g.rs_a == 1 ? find_tile<T, true>(g.m, nv) : find_tile<T, false>(g.m, nv);
  run(g.a, g.rs_a, g.cs_a, b, ldb, g.k, end);
  finish_rows(*g.epilogue, g.c, g.ldc, 0, 0, g.m, g.n);
}

template <class T>
void block(const GemmBlock<T>& g) {
  if (g.m <= 0 || g.n <= 0) return;
  if (g.n <= kTileColumns<T> && g.k <= kBlockK) {
    const int nv = static_cast<int>(ceil_div(g.n, kLanes<T>));
    if (g.m <= rows_for(nv)) return single_tile(g, nv);
  }
  const GemmEpilogue<T>& e = *g.epilogue;
  const Blocking<T> size(g.m, g.n, g.k);
  T* packed_b = g.scratch;
  T* packed_a = g.scratch + size.b_elements;
  std::int64_t pc = 0;
  do {
    const std::int64_t kc = min64(size.kc, g.k - pc);
    const bool last = pc + kc >= g.k;
    const std::int64_t nc_step = size.pack_whole_b ? size.nc : g.n;
    for (std::int64_t jc = 0; jc < g.n; jc += nc_step) {
      const std::int64_t nc = min64(nc_step, g.n - jc);
      const T* b_block = g.b + pc * g.rs_b + jc * g.cs_b;
      if (size.pack_whole_b) pack_b_panels(b_block, g.rs_b, g.cs_b, kc, nc, packed_b);
      for (std::int64_t ic = 0; ic < g.m; ic += size.mc) {
        Stripe<T> s;
        s.mc = min64(size.mc, g.m - ic);
        s.kc = kc;
        s.packed_a = size.pack_a;
        s.a = g.a + ic * g.rs_a + pc * g.cs_a;
        s.rs_a = g.rs_a;
        s.cs_a = g.cs_a;
        if (size.pack_a) {
          pack_a(s.a, g.rs_a, g.cs_a, s.mc, kc, packed_a);
          s.a = packed_a;
        }
        for (std::int64_t jr = 0; jr < nc; jr += kTileColumns<T>) {
          const std::int64_t columns = min64(kTileColumns<T>, nc - jr);
          s.nv = static_cast<int>(ceil_div(columns, kLanes<T>));
          s.ldb = s.nv * kLanes<T>;
          s.next_b = nullptr;
          s.first_pass = jr == 0;
          s.next_ldb = g.rs_b;
          if (size.pack_whole_b) {
            s.b = packed_b + jr * kc;
          } else if (g.cs_b != 1 || columns != s.ldb || s.mc > 2 * kTileRows) {
            pack_b(b_block + jr * g.cs_b, g.rs_b, g.cs_b, kc, columns, s.ldb, packed_b);
            s.b = packed_b;
            if (g.cs_b == 1 && jr + kTileColumns<T> < nc) s.next_b = b_block + jr + kTileColumns<T>;
          } else {  // too few tiles would use a packed copy: rows of B are read where they lie
            s.b = b_block + jr;
            s.ldb = g.rs_b;
          }
          const TileEnd<T> end = panel_end(g, jc + jr, columns, s.nv * kLanes<T>, pc == 0, last);
          s.c = end.c + ic * g.ldc;
          s.relu_saved = end.relu_saved != nullptr ? end.relu_saved + ic * e.ld_saved : nullptr;
          run_stripe(s, end);
        }
        if (last) finish_rows(e, g.c + jc, g.ldc, jc, ic, s.mc, nc);
      }
    }
    pc += size.kc;
  } while (pc < g.k);
}

}  // namespace

extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
const GemmKernels<float> gemm_f32 = {kTileRows, static_cast<int>(kTileColumns<float>), block<float>,
                                     scratch_elements<float>};
const GemmKernels<double> gemm_f64 = {kTileRows, static_cast<int>(kTileColumns<double>), block<double>,
                                      scratch_elements<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
