// C (+)= A B for one block of C on one core.
//
// Five loops around a micro-kernel, as in BLIS (Van Zee and van de Geijn, 2015), with two changes.
// Only the first panel of B is packed beforehand: the last tiles that meet a panel copy the next
// one while they multiply. And A is packed only where enough columns share it.
//
//   for pc in K by kc          one block of products per element and round; C is read again after
//   the first
//     for jc in N by nc        the panels of B that several blocks of A share
//       for ic in M by mc      the block of A, mc x kc, stays in the second-level cache
//         for jr in nc by NR   the panel of B, kc x NR
//           for ir in mc by MR   micro-kernel: MR x NR accumulators in registers
//
// Where A is long and B fits L2, ir is the outer loop and jr the inner one: A is read once, or
// twice, and not once per panel. Large cubes lose 1 to 4 % that way (A packed or not, B copied in
// the first row of tiles), and an A that few rows of tiles cross gains nothing.
//
// What was tried, and what it brought: docs/performance.md, "GEMM".
#include "kernels/kernel_table.h"
#include "kernels/simd/gemm_few_rows.h"
#include "kernels/simd/gemm_one_column.h"
#include "kernels/simd/gemm_pack.h"
#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

// Packing A pays where more panels of B than these share the copy. Rows without gaps are read where
// they lie for more, unless they are so far apart that they fall onto the same lines of the
// first-level cache.
constexpr int kFewPanels = 6;
constexpr std::int64_t kSameLines = 4096;  // bytes

template <class T>
DLNATIVE_INLINE bool on_same_lines(std::int64_t stride) {
  return stride * static_cast<std::int64_t>(sizeof(T)) % kSameLines == 0;
}

template <class T>
DLNATIVE_INLINE bool may_pack_a(std::int64_t m, std::int64_t n) {
  return n > kFewPanels * kTileColumns<T> && m >= kTileRows;
}
template <class T>
DLNATIVE_INLINE bool packs_a(const GemmBlock<T>& g) {
  const bool in_place =
      g.cs_a == 1 && g.n <= kRowsInPlace * kTileColumns<T> && !on_same_lines<T>(g.rs_a);
  return may_pack_a<T>(g.m, g.n) && !in_place;
}

// Panels of B of this size fit L2; of fewer products each, one panel and the rows of A fit L1.
constexpr std::int64_t kL2PanelsBytes = 320 << 10, kLongProduct = 128;
constexpr int kL2Panels = 16, kMostTimes = 2;

// How one block is cut and where its scratch lies.
template <class T>
struct Blocking {
  std::int64_t kc, mc, nc;
  bool pack_a;
  bool rows_outer;  // A is long, and B a few panels, or few times the panels that fit L2
  bool keep_b;      // several blocks of A use the same panels of B, nc columns at a time
  std::int64_t b_elements, a_elements;

  Blocking(std::int64_t m, std::int64_t n, std::int64_t k, bool packs)
      : kc(equal_part<4>(k, kBlockK<T>)),
        mc(equal_part<kTileRows>(m, kBlockM)),
        nc(equal_part<kTileColumns<T>>(n, kBlockN)),
        pack_a(packs),
        rows_outer(kc >= kLongProduct && m > kBlockM * outside_from(n)),
        keep_b(m > mc),
        b_elements(kc * (keep_b ? nc : 2 * kTileColumns<T>)),
        a_elements(pack_a ? mc * kc + 2 * kLanes<T> : 0) {}

  // The blocks of rows from which on it pays to pack B beforehand and to have rows outside.
  std::int64_t outside_from(std::int64_t n) const {
    const std::int64_t times = ceil_div(n, l2_columns());
    if (times > kMostTimes) return std::int64_t{1} << 32;
    return n <= kFewPanels * kTileColumns<T> && times == 1 ? 1 : 2 * times;
  }

  // Columns of the panels that fit L2.
  std::int64_t l2_columns() const {
    const std::int64_t panel = kc * kTileColumns<T> * static_cast<std::int64_t>(sizeof(T));
    return min64(kL2Panels, kL2PanelsBytes / panel) * kTileColumns<T>;
  }
};

template <class T>
std::int64_t scratch_elements(std::int64_t m, std::int64_t n, std::int64_t k) {
  const Blocking<T> blocking(m, n, k, may_pack_a<T>(m, n));
  return blocking.b_elements + blocking.a_elements + 64;
}

// Rows of B are read where they lie if few tiles would share a copy.
template <class T>
DLNATIVE_INLINE bool reads_b_in_place(const GemmBlock<T>& g, std::int64_t rows) {
  return g.cs_b == 1 && rows <= (on_same_lines<T>(g.rs_b) ? 2 : kTilesInPlace) * kTileRows;
}

// A panel of B: kc rows that are ldb apart, nv vectors wide.
template <class T>
struct PanelB {
  const T* b;
  std::int64_t ldb;
  int nv;
};

// The panel of `columns` columns that begins at b. `rows` of A meet it, and its packed copy belongs
// at `place`, where a later block of A finds it if `keep`.
template <class T>
PanelB<T> panel_of_b(const GemmBlock<T>& g, const T* b, std::int64_t kc, std::int64_t columns,
                     std::int64_t rows, bool keep, T* place) {
  const int nv = static_cast<int>(ceil_div(columns, kLanes<T>));
  const std::int64_t width = nv * kLanes<T>;
  if (columns == width && !keep && reads_b_in_place(g, rows)) return {b, g.rs_b, nv};
  pack_b(b, g.rs_b, g.cs_b, kc, columns, width, place);
  return {place, width, nv};
}

// The panel of a packed B that begins at a column, from product pc on.
template <class T>
PanelB<T> packed_panel(const GemmBlock<T>& g, std::int64_t column, std::int64_t pc) {
  const int nv = panel_vectors<T>(g.n - column);
  return {g.packed_b + column * g.k + pc * nv * kLanes<T>, nv * kLanes<T>, nv};
}

// A large C is prefetched tile by tile; for one that fits L2 that costs 1 to 3 % (Zen 5).
template <class T>
DLNATIVE_INLINE void prefetch_c(const GemmBlock<T>& g, const T* c, std::int64_t rows) {
  if (g.m * g.ldc * static_cast<std::int64_t>(sizeof(T)) <= kUnprefetchedC) return;
  for (std::int64_t i = 0; i < rows; ++i) prefetch(c + i * g.ldc, kTileColumns<T>);
}

// One panel of B against mc rows of A.
template <class T>
struct Stripe {
  const T* a;
  std::int64_t rs_a, cs_a;
  bool packed_a;
  std::int64_t mc, kc;
  PanelB<T> b;
  T* c;                 // of this stripe's first row and column
  const T* relu_saved;  // likewise, or null
  const T* next_b;      // the panel that follows, or null
  std::int64_t next_ldb = 0;
  T* next_copy;     // where it is copied to, or null: then it is prefetched
  bool first_pass;  // no panel of B met these rows of A before: they may not be cached

  RowCut cut() const { return RowCut(mc, packed_a ? kTileRows : rows_for(b.nv)); }
};

template <class T, bool kUnitRow>
void run_stripe(const GemmBlock<T>& g, const Stripe<T>& s, TileEnd<T> end) {
  const RowCut cut = s.cut();
  Tile<T> run = nullptr, run_interleaved = nullptr;
  std::int64_t run_rows = 0, ir = 0, next_rows = 0;
  // The last tiles copy or prefetch the next panel, so that both fit L1.
  const std::int64_t steps = s.next_b != nullptr ? s.kc / kProductUnroll : 0;
  const std::int64_t first_interleaved = cut.tiles() - (steps > 0 ? ceil_div(s.kc, steps) : 0);
  end.ld_ahead = s.next_ldb;
  for (std::int64_t t = 0; t < cut.tiles(); ++t) {
    const std::int64_t rows = cut.rows(t);
    if (rows != run_rows) {
      run = find_tile<T, kUnitRow>(rows, s.b.nv);
      if (steps > 0) {
        run_interleaved = s.next_copy != nullptr
                              ? find_tile_with<T, kUnitRow, Interleave::kCopy>(rows)
                              : find_tile_with<T, kUnitRow, Interleave::kPrefetch>(rows);
      }
      run_rows = rows;
    }
    if (!s.packed_a && s.cs_a == 1 && t + 1 < cut.tiles()) {
      // Where a panel of B met these rows before, the hardware prefetcher follows once it has seen
      // the beginning of a row: 512 cubed gains 0.5 to 3 % (Zen 3, 2026-11).
      const std::int64_t wanted = s.first_pass ? s.kc : min64(s.kc, 2 * kCacheLine<T>);
      for (std::int64_t i = 0; i < cut.rows(t + 1); ++i)
        prefetch(s.a + (ir + rows + i) * s.rs_a, wanted);
    }
    end.c = s.c + ir * end.ldc;
    prefetch_c(g, end.c, rows);
    if (s.relu_saved != nullptr) end.relu_saved = s.relu_saved + ir * end.ld_saved;
    Tile<T> now = run;
    if (steps > 0 && t >= first_interleaved) {
      // The last one ends with the panel, and does some rows again.
      const std::int64_t first = min64(next_rows, s.kc - steps);
      end.ahead = s.next_b + first * s.next_ldb;
      if (s.next_copy != nullptr) end.copy = s.next_copy + first * kTileColumns<T>;
      next_rows = first + steps;
      now = run_interleaved;
    }
    if (s.packed_a) {
      now(s.a + t * kTileRows * s.kc, 1, kTileRows, s.b.b, s.b.ldb, s.kc, end);
    } else {
      now(s.a + ir * s.rs_a, s.rs_a, s.cs_a, s.b.b, s.b.ldb, s.kc, end);
    }
    ir += rows;
  }
  if (s.next_copy != nullptr && next_rows < s.kc) {  // too few tiles
    pack_b(s.next_b + next_rows * s.next_ldb, s.next_ldb, 1, s.kc - next_rows, kTileColumns<T>,
           kTileColumns<T>, s.next_copy + next_rows * kTileColumns<T>);
  }
}

// Products [pc, pc + kc), columns [jc, jc + nc) and rows [ic, ic + mc).
struct Part {
  std::int64_t pc, kc, jc, nc, ic, mc;
};

// All rows of A against a few panels of B, which are packed first. The tiles of a row of tiles
// prefetch the next row of A's tiles, a share each.
template <class T, bool kUnitRow>
void run_rows(const GemmBlock<T>& g, const Part& part, T* packed_b) {
  const std::int64_t kc = part.kc;
  const bool last = part.pc + kc >= g.k;
  struct Panel {
    const T* b;
    std::int64_t ldb;
    int nv;
    TileEnd<T> end;
  } panels[kL2Panels];
  int count = 0;
  for (std::int64_t jr = 0; jr < part.nc; jr += kTileColumns<T>, ++count) {
    const std::int64_t column = part.jc + jr, columns = min64(kTileColumns<T>, part.nc - jr);
    const int nv = static_cast<int>(ceil_div(columns, kLanes<T>));
    const T* b = packed_b + jr * kc;
    if (g.packed_b != nullptr) {
      b = packed_panel(g, column, part.pc).b;
    } else {
      pack_b(g.b + part.pc * g.rs_b + column * g.cs_b, g.rs_b, g.cs_b, kc, columns, nv * kLanes<T>,
             packed_b + jr * kc);
    }
    panels[count] = {b, nv * kLanes<T>, nv,
                     panel_end(g, column, columns, nv * kLanes<T>, part.pc == 0, last)};
  }
  const RowCut cut(part.mc, kTileRows);
  // The next rows are one piece, or a row is a tile's share.
  const bool one_piece = g.rs_a == kc;
  const std::int64_t steps = kc / kProductUnroll;
  const bool follow = g.cs_a == 1 && steps > 0 && (one_piece || count >= cut.rows(0));
  const std::int64_t prefetching = one_piece ? count : cut.rows(0);
  const std::int64_t share = one_piece ? cut.rows(0) * kc / count : kc;
  const std::int64_t ld_ahead = follow ? ceil_div(share, steps) : 0;
  const T* a = g.a + part.pc * g.cs_a;
  for (std::int64_t t = 0; t < cut.tiles(); ++t) {
    const std::int64_t rows = cut.rows(t);
    const T* next = t + 1 < cut.tiles() && follow ? a + rows * g.rs_a : nullptr;
    for (int i = 0; i < count; ++i) {
      TileEnd<T>& end = panels[i].end;
      prefetch_c(g, end.c, rows);
      Tile<T> run = find_tile<T, kUnitRow>(rows, panels[i].nv);
      if (next != nullptr && i < prefetching && can_interleave(rows, panels[i].nv)) {
        run = find_tile_with<T, kUnitRow, Interleave::kPrefetch>(rows);
        end.ahead = next + i * (one_piece ? share : g.rs_a);
        end.ld_ahead = ld_ahead;
      }
      run(a, g.rs_a, g.cs_a, panels[i].b, panels[i].ldb, kc, end);
      end.c += rows * end.ldc;
      if (end.relu_saved != nullptr) end.relu_saved += rows * end.ld_saved;
    }
    a += rows * g.rs_a;
  }
  if (last) finish_rows(*g.epilogue, g.c + part.jc, g.ldc, part.jc, 0, part.mc, part.nc);
}

// All panels of B against one block of A.
template <class T>
void run_block(const GemmBlock<T>& g, const Blocking<T>& size, const Part& part, T* packed_b,
               T* packed_a) {
  const std::int64_t kc = part.kc;
  const T* b = g.b + part.pc * g.rs_b + part.jc * g.cs_b;
  Stripe<T> s;
  s.a = g.a + part.ic * g.rs_a + part.pc * g.cs_a;
  s.rs_a = g.rs_a;
  s.cs_a = g.cs_a;
  s.packed_a = size.pack_a;
  s.mc = part.mc;
  s.kc = kc;
  if (size.pack_a) {
    pack_a(s.a, g.rs_a, g.cs_a, s.mc, kc, packed_a);
    s.a = packed_a;
  }
  // A panel whose rows are whole is copied by the last tiles of the one before it. Of panels that
  // are not kept there are two places.
  const bool kept = g.packed_b != nullptr || (size.keep_b && part.ic > 0);
  bool copied = false;
  for (std::int64_t jr = 0; jr < part.nc; jr += kTileColumns<T>) {
    const std::int64_t columns = min64(kTileColumns<T>, part.nc - jr), next = jr + kTileColumns<T>;
    const auto place = [&](std::int64_t column) {
      const std::int64_t places = g.cs_b == 1 ? 2 * kTileColumns<T> : kTileColumns<T>;
      return packed_b + (size.keep_b ? column : column % places) * kc;
    };
    if (g.packed_b != nullptr) {
      s.b = packed_panel(g, part.jc + jr, part.pc);
    } else if (kept || copied) {
      const int nv = static_cast<int>(ceil_div(columns, kLanes<T>));
      s.b = {place(jr), nv * kLanes<T>, nv};
    } else {
      s.b = panel_of_b(g, b + jr * g.cs_b, kc, columns, s.mc, size.keep_b, place(jr));
    }
    const RowCut cut = s.cut();
    const bool interleaved = next < part.nc && s.b.ldb == kTileColumns<T> &&
                             (s.packed_a || s.rs_a == 1 || s.cs_a == 1) &&
                             can_interleave(cut.rows(cut.tiles() - 1), s.b.nv);
    copied = interleaved && !kept && g.cs_b == 1 && part.nc - next >= kTileColumns<T>;
    s.next_b = nullptr;
    s.next_copy = nullptr;
    if (copied) s.next_copy = place(next);
    if (interleaved && (kept || g.cs_b == 1)) {
      s.next_b = b + next;
      if (kept) s.next_b = place(next);
      if (g.packed_b != nullptr) s.next_b = packed_panel(g, part.jc + next, part.pc).b;
      s.next_ldb = kept ? kTileColumns<T> : g.rs_b;
    }
    s.first_pass = jr == 0;
    TileEnd<T> end =
        panel_end(g, part.jc + jr, columns, s.b.nv * kLanes<T>, part.pc == 0, part.pc + kc >= g.k);
    s.c = end.c + part.ic * g.ldc;
    s.relu_saved = end.relu_saved != nullptr ? end.relu_saved + part.ic * end.ld_saved : nullptr;
    s.packed_a || s.rs_a == 1 ? run_stripe<T, true>(g, s, end) : run_stripe<T, false>(g, s, end);
  }
  if (part.pc + kc >= g.k)
    finish_rows(*g.epilogue, g.c + part.jc, g.ldc, part.jc, part.ic, part.mc, part.nc);
}

// One row of A and kPanels panels of a packed B side by side: as many sums as hide the latency.
template <class T, int kPanels>
void run_panels(const GemmBlock<T>& g, std::int64_t column, std::int64_t pc, std::int64_t kc) {
  Vec<T> acc[kPanels][1][kTileVectors] = {};
  const T* panels[kPanels];
#pragma GCC unroll 8
  for (int i = 0; i < kPanels; ++i)
    panels[i] = opaque(packed_panel(g, column + i * kTileColumns<T>, pc).b);
  const T* a = g.a + pc * g.cs_a;
  for (std::int64_t at = 0; at < kc * kTileColumns<T>; at += kTileColumns<T>, a += g.cs_a) {
    const Vec<T> x = broadcast(*a);
#pragma GCC unroll 8
    for (int i = 0; i < kPanels; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; ++v)
        add_product<T>(acc[i][0][v], x, load<T>(panels[i] + at + v * kLanes<T>));
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kPanels; ++i) {
    finish_tile<T, 1, kTileVectors>(
        acc[i], panel_end(g, column + i * kTileColumns<T>, kTileColumns<T>, kTileColumns<T>,
                          pc == 0, pc + kc >= g.k));
  }
}

// Rows of A that are one tile, against a packed B.
template <class T>
void run_packed_tile(const GemmBlock<T>& g, std::int64_t block_k) {
  constexpr int kPanels = kTileVectors >= 4 ? 2 : 4;
  std::int64_t pc = 0;
  do {
    const std::int64_t kc = min64(block_k, g.k - pc);
    std::int64_t j = 0;
    if (g.m == 1) {
      for (; j + kPanels * kTileColumns<T> <= g.n; j += kPanels * kTileColumns<T>)
        run_panels<T, kPanels>(g, j, pc, kc);
    }
    for (; j < g.n; j += kTileColumns<T>) {
      const PanelB<T> b = packed_panel(g, j, pc);
      const Tile<T> run =
          g.rs_a == 1 ? find_tile<T, true>(g.m, b.nv) : find_tile<T, false>(g.m, b.nv);
      run(g.a + pc * g.cs_a, g.rs_a, g.cs_a, b.b, b.ldb, kc,
          panel_end(g, j, min64(kTileColumns<T>, g.n - j), b.ldb, pc == 0, pc + kc >= g.k));
    }
    pc += block_k;
  } while (pc < g.k);
  finish_rows(*g.epilogue, g.c, g.ldc, 0, 0, g.m, g.n);
}

template <class T>
std::int64_t packed_elements(std::int64_t n, std::int64_t k) {
  return ceil_div(n, kLanes<T>) * kLanes<T> * k;
}

template <class T>
void pack(const GemmBlock<T>& g, std::int64_t first, std::int64_t last, T* packed) {
  for (std::int64_t j = first * kTileColumns<T>; j < min64(last * kTileColumns<T>, g.n);
       j += kTileColumns<T>) {
    const std::int64_t columns = min64(kTileColumns<T>, g.n - j);
    pack_b(g.b + j * g.cs_b, g.rs_b, g.cs_b, g.k, columns, panel_vectors<T>(columns) * kLanes<T>,
           packed + j * g.k);
  }
}

template <class T>
void block(const GemmBlock<T>& g) {
  if (g.m <= 0 || g.n <= 0) return;
  if (is_one_column(g)) return one_column(g);
  if (!g.in_order && g.n <= kTileColumns<T> && g.k <= kBlockK<T>) {
    const int nv = static_cast<int>(ceil_div(g.n, kLanes<T>));
    if (g.m <= rows_for(nv)) return single_tile(g, nv);
  }
  if (g.in_order && g.packed_b == nullptr)
    return g.rs_a == 1 ? run_in_order<T, true>(g) : run_in_order<T, false>(g);
  const Blocking<T> size(g.m, g.n, g.k, packs_a(g));
  if (g.packed_b != nullptr && g.m <= kTileRows) return run_packed_tile(g, size.kc);
  T* packed_b = g.scratch;
  T* packed_a = g.scratch + size.b_elements;
  // A that is packed for many panels stays packed.
  const bool rows_outer = size.rows_outer && (g.cs_a == 1 || !size.pack_a);
  const std::int64_t mc = rows_outer ? g.m : size.mc;
  const std::int64_t nc = rows_outer    ? equal_part<kTileColumns<T>>(g.n, size.l2_columns())
                          : size.keep_b ? size.nc
                                        : g.n;
  std::int64_t pc = 0;
  do {
    const std::int64_t kc = min64(size.kc, g.k - pc);
    for (std::int64_t jc = 0; jc < g.n; jc += nc) {
      for (std::int64_t ic = 0; ic < g.m; ic += mc) {
        if (pc + jc + ic > 0 && g.stop != nullptr && g.stop()) return;
        const Part part{pc, kc, jc, min64(nc, g.n - jc), ic, min64(mc, g.m - ic)};
        if (!rows_outer) {
          run_block<T>(g, size, part, packed_b, packed_a);
        } else if (g.rs_a == 1) {
          run_rows<T, true>(g, part, packed_b);
        } else {
          run_rows<T, false>(g, part, packed_b);
        }
      }
    }
    pc += size.kc;
  } while (pc < g.k);
}

}  // namespace

extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
const GemmKernels<float> gemm_f32 = {kTileRows,
                                     static_cast<int>(kTileColumns<float>),
                                     block<float>,
                                     scratch_elements<float>,
                                     packed_elements<float>,
                                     pack<float>};
const GemmKernels<double> gemm_f64 = {kTileRows,
                                      static_cast<int>(kTileColumns<double>),
                                      block<double>,
                                      scratch_elements<double>,
                                      packed_elements<double>,
                                      pack<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
