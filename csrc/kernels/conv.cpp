// Direct convolution on the register tile of matrix products.
//
// The product of a tile runs over taps and, inside, over channels; the rows of a tile are pixels
// anywhere in the image, found through a table. So tiles are full whatever the width of the image,
// and the padding costs a pointer to zeros. Taps that lie in the padding for all rows of a tile are
// skipped.
#include "kernels/conv_kernels.h"

#include "kernels/simd/col2im.h"
#include "kernels/simd/conv_gradient.h"
#include "kernels/simd/gemm_pack.h"
#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

// Bytes of one operand that stay in L2 while the panels of the other pass by.
constexpr std::int64_t kBlockBytes = 128 << 10;

// x + offset, or zeros where offset is negative, without a branch, which would be mispredicted at
// the edges of small images (0.85 of the FMA peak with branches at 8 x 8 pixels, Zen 3, 2026-11).
template <class T>
DLNATIVE_INLINE const T* at_offset(const T* x, std::int32_t offset, const T* zeros) {
  const std::int64_t wide = offset;
  const auto padding = static_cast<std::uintptr_t>(wide >> 63);
  const auto inside = reinterpret_cast<std::uintptr_t>(x) +
                      static_cast<std::uintptr_t>(wide * static_cast<std::int64_t>(sizeof(T)));
  return reinterpret_cast<const T*>((inside & ~padding) |
                                    (reinterpret_cast<std::uintptr_t>(zeros) & padding));
}

// Joining the taps that lie side by side in x into longer sums made no difference (Zen 3, 2026-11).
//
// A tile one vector wide would load seven values for six products. Its weights are packed in pairs
// of channels instead, filters side by side, and meet pairs of values of x: the sums over even and
// over odd channels are interleaved, in two vectors, and are added at the end. Measured:
// docs/performance.md, "Convolution".
template <class T, int MR>
DLNATIVE_INLINE void add_pairs(Vec<T> (&acc)[MR][2], const RowsOfA<T, MR>& a, const T* b,
                               std::int64_t channels) {
  PairsOfRows<T, MR> pairs{a};
  Packed<T, 2 * kLanes<T>> w{b};
  std::int64_t left = add_products<kProductUnroll, T>(acc, pairs, w, channels / 2);
  add_products<1, T>(acc, pairs, w, left);
  if (channels % 2 == 0) return;
  Vec<T> last[2];
  join_pairs<T>(load<T>(w.p), Vec<T>{}, last);
  // The odd lanes have no channel: an infinite x times their weight of 0 would be NaN.
  const Mask<T> is_odd = (lane_numbers<T>() & 1) != 0;
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    const Vec<T> value = is_odd ? Vec<T>{} : broadcast(a.rows[i][channels - 1]);
    add_product<T>(acc[i][0], value, last[0]);
    add_product<T>(acc[i][1], value, last[1]);
  }
}

// Larger weights do not fit L2: tiles prefetch the next panel, a line for every kProductUnroll
// products. Measured: docs/performance.md, "Convolution".
constexpr std::int64_t kL2Weights = 1 << 20;
template <class T>
DLNATIVE_INLINE bool exceed_l2(std::int64_t weights) {
  return weights * static_cast<std::int64_t>(sizeof(T)) > kL2Weights;
}
template <int MR, int NV>
constexpr bool can_prefetch = is_unrolled<MR, NV> && (kProductUnroll > 1);

// Rows of a TapProduct's tile are pointers in registers, so a narrow tile is not taller.
template <class T, int MR, int NV, bool kPrefetches>
__attribute__((noinline)) void tap_tile(const T* x, const std::int32_t* rows, const T* zeros,
                                        const T* b, std::int64_t taps, std::int64_t channels,
                                        std::int64_t tap_stride, const TileEnd<T>& end) {
  constexpr bool kInPairs = NV == 1;
  [[maybe_unused]] const T* ahead = end.ahead;
  const auto interleaved = [&]() __attribute__((always_inline)) {
    if constexpr (kPrefetches) {
      __builtin_prefetch(ahead);
      ahead += kCacheLine<T>;
    }
  };
  Vec<T> acc[MR][kInPairs ? 2 : NV] = {};
  for (std::int64_t t = 0; t < taps; ++t, rows += kTileRows) {
    RowsOfA<T, MR> a;
    std::int32_t any = 0;
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const std::int32_t offset = rows[i];
      any |= ~offset;  // its sign bit is set where the offset is not negative
      a.rows[i] = at_offset(x, offset, zeros);
    }
    if (any >= 0) {
      b += tap_stride;
      continue;
    }
    if constexpr (kInPairs) {
      add_pairs<T, MR>(acc, a, b, channels);
    } else {
      Packed<T, NV * kLanes<T>> w{b};
      std::int64_t left = channels;
      if constexpr (is_unrolled<MR, NV>)
        left = add_products<kProductUnroll, T>(acc, a, w, left, interleaved);
      add_products<1, T>(acc, a, w, left);
    }
    b += tap_stride;
  }
  if constexpr (kInPairs) {
    Vec<T> sums[MR][1];
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      Vec<T> odd;
      split_pairs<T>(acc[i], sums[i][0], odd);
      sums[i][0] += odd;
    }
    finish_tile<T, MR, 1>(sums, end);
  } else {
    finish_tile<T, MR, NV>(acc, end);
  }
}

struct AtOffsets {
  const std::int32_t* offsets;
  std::int64_t x(std::int64_t p) const { return offsets[p]; }
  std::int64_t row(std::int64_t p) const { return p; }
};
template <class T, int MR, int NV>
__attribute__((noinline)) void planar_tile(const T* x, const std::int32_t* offsets, const T* b,
                                           std::int64_t count, const TileEnd<T>& end) {
  Vec<T> acc[MR][NV] = {};
  add_unit_rows<is_unrolled<MR, NV> ? kProductUnroll : 1, T>(acc, x, b, count, AtOffsets{offsets});
  finish_tile<T, MR, NV>(acc, end);
}

template <class T, bool kPrefetches>
struct TapTiles {
  using Tile = void (*)(const T*, const std::int32_t*, const T*, const T*, std::int64_t,
                        std::int64_t, std::int64_t, const TileEnd<T>&);
  static constexpr int rows(int) { return kTileRows; }
  template <int MR, int NV>
  static constexpr Tile tile = tap_tile<T, MR, NV, kPrefetches && can_prefetch<MR, NV>>;
};
template <class T>
struct PlanarTiles {
  using Tile = void (*)(const T*, const std::int32_t*, const T*, std::int64_t, const TileEnd<T>&);
  static constexpr int rows(int nv) { return rows_for(nv); }
  template <int MR, int NV>
  static constexpr Tile tile = planar_tile<T, MR, NV>;
};

template <class T>
std::int64_t packed_elements(std::int64_t taps, std::int64_t channels, std::int64_t n) {
  return taps * channels * ceil_div(n, kLanes<T>) * kLanes<T>;
}

template <class T>
void pack(const TapWeights<T>& weights, std::int64_t first_tap, std::int64_t taps,
          std::int64_t first, std::int64_t columns, T* out) {
  // Rows of few columns lie far apart in large weights: a few rows of all panels, then the next,
  // which are prefetched before: the whole convolution of 512 channels at 4 x 4 gains 3 % with
  // AVX-512, 15 % with AVX2 (Zen 5, 2026-11).
  const std::int64_t block_rows = weights.cs == 1 ? kPackBlock : weights.channels;
  const bool prefetches =
      weights.cs == 1 && exceed_l2<T>(weights.count * weights.channels * weights.n);
  for (std::int64_t t = first_tap; t < first_tap + taps; ++t) {
    for (std::int64_t p = 0; p < weights.channels; p += block_rows) {
      const std::int64_t rows = min64(block_rows, weights.channels - p);
      for (std::int64_t j = first; j < first + columns; j += kTileColumns<T>) {
        const std::int64_t width = panel_vectors<T>(weights.n - j) * kLanes<T>;
        const std::int64_t valid = min64(width, weights.n - j);
        const T* w = weights.w + weights.taps[t] + p * weights.rs + j * weights.cs;
        T* to = out + j * weights.count * weights.channels + (t * weights.channels + p) * width;
        if (prefetches) {
          for (std::int64_t i = 0; i < rows; ++i)
            prefetch(w + (kPackBlock + i) * weights.rs, valid);
        }
        pack_b(w, weights.rs, weights.cs, rows, valid, width, to);
        if (weights.scale != nullptr) {
          for (std::int64_t i = 0; i < rows; ++i) {
            for (std::int64_t l = 0; l < valid; ++l) to[i * width + l] *= weights.scale[j + l];
          }
        }
        if (!weights.for_taps || width != kLanes<T>) continue;
        for (std::int64_t i = 0; i + 1 < rows; i += 2) {
          Vec<T> joined[2];
          join_pairs<T>(load<T>(to + i * width), load<T>(to + (i + 1) * width), joined);
          store<T>(to + i * width, joined[0]);
          store<T>(to + (i + 1) * width, joined[1]);
        }
      }
    }
  }
}

// One round of a product: some taps, or some channels of one tap.
struct Round {
  std::int64_t tap, taps, channel, channels;
};

// Pixels [begin, end) x all columns, one round.
template <class T>
void run_round(const TapProduct<T>& g, const Round& r, std::int64_t begin, std::int64_t stop,
               bool first, bool last) {
  const GemmEpilogue<T>& e = *g.epilogue;
  const bool large = exceed_l2<T>(g.taps * g.channels * g.n);
  // The weights of product p, of all taps and channels, in the panel of column j.
  const auto panel = [&](std::int64_t j, std::int64_t p) {
    return g.b + j * g.taps * g.channels + p * panel_vectors<T>(g.n - j) * kLanes<T>;
  };
  const std::int64_t first_product = r.tap * g.channels + r.channel, products = r.taps * r.channels;
  for (std::int64_t j = 0; j < g.n; j += kTileColumns<T>) {
    const int nv = panel_vectors<T>(g.n - j);
    const std::int64_t width = nv * kLanes<T>;
    const auto* tiles = tiles_of_width<TapTiles<T, false>>(nv);
    const auto* prefetching = tiles_of_width<TapTiles<T, true>>(nv);
    const T* b = panel(j, first_product);
    TileEnd<T> end;
    end.ldc = g.ldy;
    end.columns = min64(width, g.n - j);
    end.accumulate = g.accumulate || !first;
    end.relu = last && e.relu;
    end.bias = last && e.bias != nullptr ? e.bias + j : nullptr;
    end.ld_saved = g.ldy;
    const T* saved = last && e.relu_saved != nullptr ? e.relu_saved + j : nullptr;
    end.plain = end.columns == width && !end.relu && end.bias == nullptr && saved == nullptr;
    // The panel that is next: of this round, or the first of the next round.
    end.ahead =
        j + width < g.n ? panel(j + width, first_product) : panel(0, first_product + products);
    const T* const prefetch_end = end.ahead + (large ? products * width : 0);
    for (std::int64_t i = begin; i < stop; i += g.tile) {
      const bool prefetches = end.ahead < prefetch_end;
      const std::int64_t at = g.out != nullptr ? 0 : i * g.ldy;
      end.c = g.y + at + j;
      end.rows = g.out != nullptr ? g.out + i : nullptr;
      end.relu_saved = saved != nullptr ? saved + at : nullptr;
      const std::int32_t* rows = g.rows + (i / g.tile * g.taps + r.tap) * kTileRows;
      (prefetches ? prefetching : tiles)[min64(g.tile, stop - i) - 1](
          g.x + r.channel, rows, g.zeros, b, r.taps, r.channels, g.channels * width, end);
      if (prefetches) end.ahead += products / kProductUnroll * kCacheLine<T>;
    }
  }
}

// Activations that do not stay in registers, and copies of what goes into them.
template <class T>
void finish_pixels(const TapProduct<T>& g, std::int64_t begin, std::int64_t stop) {
  if (g.out == nullptr) {
    finish_rows(*g.epilogue, g.y, g.ldy, 0, begin, stop - begin, g.n);
    return;
  }
  for (std::int64_t i = begin; i < stop; ++i)
    finish_rows(*g.epilogue, g.y + g.out[i], g.ldy, g.out[i], 0, 1, g.n);
}

template <class T>
void product(const TapProduct<T>& g) {
  // As many pixels at a time as have an input that fits L2.
  const std::int64_t bytes = g.channels * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t block =
      ceil_div(min64(1 << 12, kBlockBytes / (bytes > 0 ? bytes : 1) + 1), g.tile) * g.tile;
  // Products per round, so that a panel of the weights fits L1.
  constexpr std::int64_t kRound = kPanelK + kPanelK / 4;
  const std::int64_t taps_per_round =
      g.channels > 0 && g.channels <= kRound ? kRound / g.channels : 1;
  const std::int64_t rounds_per_tap = g.channels > kRound ? ceil_div(g.channels, kPanelK) : 1;
  const std::int64_t share = ceil_div(g.channels, 2 * rounds_per_tap) * 2;  // pairs stay together
  for (std::int64_t begin = 0; begin < g.pixels; begin += block) {
    if (begin > 0 && g.stop != nullptr && g.stop()) return;
    const std::int64_t stop = min64(begin + block, g.pixels);
    if (g.taps == 0) run_round(g, Round{0, 0, 0, 0}, begin, stop, true, true);
    for (std::int64_t t = 0; t < g.taps; t += taps_per_round) {
      const std::int64_t taps = min64(taps_per_round, g.taps - t);
      for (std::int64_t c = 0; c < g.channels; c += share) {
        const std::int64_t channels = min64(share, g.channels - c);
        const bool last = t + taps >= g.taps && c + channels >= g.channels;
        run_round(g, Round{t, taps, c, channels}, begin, stop, t == 0 && c == 0, last);
      }
    }
    finish_pixels(g, begin, stop);
  }
}

template <class T>
void planar(const PlanarProduct<T>& g) {
  const GemmEpilogue<T>& e = *g.epilogue;
  for (std::int64_t j = 0; j < g.n; j += kTileColumns<T>) {
    const int nv = panel_vectors<T>(g.n - j);
    const std::int64_t width = nv * kLanes<T>;
    const auto* tiles = tiles_of_width<PlanarTiles<T>>(nv);
    const RowCut cut(g.columns, rows_for(nv));
    TileEnd<T> end;
    end.ldc = g.ldy;
    end.columns = min64(width, g.n - j);
    end.accumulate = g.accumulate;
    end.relu = e.relu;
    end.bias = e.bias != nullptr ? e.bias + j : nullptr;
    end.ld_saved = g.ldy;
    end.plain = end.columns == width && !end.relu && end.bias == nullptr && e.relu_saved == nullptr;
    for (std::int64_t r = 0; r < g.rows; ++r) {
      std::int64_t i = 0;
      for (std::int64_t t = 0; t < cut.tiles(); ++t) {
        const std::int64_t at = (r * g.columns + i) * g.ldy + j;
        end.c = g.y + at;
        end.relu_saved = e.relu_saved != nullptr ? e.relu_saved + at : nullptr;
        tiles[cut.rows(t) - 1](g.x + r * g.row_step + i, g.offsets, g.b + j * g.k, g.k, end);
        i += cut.rows(t);
      }
    }
  }
  finish_rows(e, g.y, g.ldy, 0, 0, g.rows * g.columns, g.n);
}

}  // namespace

extern const ConvKernels<float> conv_f32;
extern const ConvKernels<double> conv_f64;
const ConvKernels<float> conv_f32 = {kTileRows,
                                     static_cast<int>(kTileColumns<float>),
                                     kGradientPixels,
                                     packed_elements<float>,
                                     pack<float>,
                                     product<float>,
                                     gradient_rows<float>,
                                     gradient_scratch<float>,
                                     gradient<float>,
                                     planar<float>,
                                     col2im_scratch<float>,
                                     col2im<float>};
const ConvKernels<double> conv_f64 = {kTileRows,
                                      static_cast<int>(kTileColumns<double>),
                                      kGradientPixels,
                                      packed_elements<double>,
                                      pack<double>,
                                      product<double>,
                                      gradient_rows<double>,
                                      gradient_scratch<double>,
                                      gradient<double>,
                                      planar<double>,
                                      col2im_scratch<double>,
                                      col2im<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
