// C (+)= A B for one block of C on one core.
//
// Five loops around a micro-kernel, as in BLIS (Van Zee and van de Geijn, 2015), with one change:
// where one block of A is all there is, a panel of B is packed right before its use into a buffer
// that stays in the first-level cache, and the rows of the next panel are asked for meanwhile; no
// packed copy of all of B is written and read back. A is packed only where enough columns share it.
//
//   for pc in K by kc          one block of products per element and round; C is read again after
//   the first
//     for jc in N by nc        where several blocks of A follow, all of B, kc x nc, is packed here
//       for ic in M by mc      the block of A, mc x kc, stays in the second-level cache
//         for jr in nc by NR   the panel of B, kc x NR, stays in the first-level cache
//           for ir in mc by MR   micro-kernel: MR x NR accumulators in registers
//
// Blocking on Zen 3, ratio to OpenBLAS's time in the same run (2026-11): kc = 256 loses 7 % at 2048
// cubed against 512, whose tiles are begun and ended half as often; mc between 96 and 240 is all
// the same.
#include "kernels/kernel_table.h"
#include "kernels/simd/gemm_pack.h"
#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

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
  bool pack_whole_b;  // several blocks of A use the same panels of B: they are packed once, nc
                      // columns at a time
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
  T* c;                 // of this stripe's first row and column
  const T* relu_saved;  // likewise, or null
  const T* next_b;      // rows of the panel that is packed next, or null
  std::int64_t next_ldb;
  bool first_pass;  // no panel of B met these rows of A before: they come from far away
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
        for (std::int64_t p = 0; p < s.kc; p += 64 / static_cast<int>(sizeof(T)))
          __builtin_prefetch(row + p);
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
DLNATIVE_INLINE TileEnd<T> panel_end(const GemmBlock<T>& g, std::int64_t column,
                                     std::int64_t columns, std::int64_t width, bool first,
                                     bool last) {
  const GemmEpilogue<T>& e = *g.epilogue;
  TileEnd<T> end;
  end.c = g.c + column;
  end.ldc = g.ldc;
  end.rows = nullptr;
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
const GemmKernels<double> gemm_f64 = {kTileRows, static_cast<int>(kTileColumns<double>),
                                      block<double>, scratch_elements<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
