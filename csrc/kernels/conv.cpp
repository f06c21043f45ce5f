// Direct convolution on the register tile of matrix products.
//
// The product of a tile runs over taps and, inside, over channels; the rows of a tile are pixels
// anywhere in the image, found through a table. So tiles are full whatever the width of the image,
// and the padding costs a pointer to zeros. Taps that lie in the padding for all rows of a tile are
// skipped.
#include "kernels/conv_kernels.h"

#include "kernels/simd/gemm_pack.h"
#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

// Bytes of one operand that stay in the second-level cache while the panels of the other pass by.
constexpr std::int64_t kBlockBytes = 128 << 10;
// Pixels per round of the gradient: a panel of dy and a packed tile of channels stay in the
// first-level cache, and the tile of the result is read and written once per round. With 128 pixels
// 64 channels at 32 x 32 run at 0.85 of the FMA peak instead of 0.88; with x read where it lies,
// 0.86 (Zen 3, 2026-11).
constexpr int kGradientPixels = 256;
constexpr int kGradientPanels = 16 / kTileVectors;  // packed at a time: 128 KB with AVX2
// Values of packed tiles of channels, which stay in the second-level cache while the panels pass
// by. A stride of 2 reads four times the pixels, and packing all channels at once (270 KB of 64)
// ran at 0.79 of the FMA peak instead of 0.82; one tile at a time cost a stride of 1 up to 2 %.
// Asking for the next pixels while packing made no difference.
template <class T>
constexpr std::int64_t kPackedValues = (std::int64_t{64} << 10) / static_cast<int>(sizeof(T));
constexpr int kPackedTogether = 16;  // pixels, or rows of weights

// x + offset, or zeros where offset is negative, without a branch: at the edges of small images the
// processor guesses wrong (0.85 of the FMA peak with branches at 8 x 8 pixels, Zen 3, 2026-11).
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
// over odd channels lie in turns, in two vectors, and are added at the end. One core, share of the
// FMA peak: 16 channels with AVX-512 0.70 -> 0.90 (Zen 5), 8 channels with AVX2 up to 1.2 times as
// fast (2026-11).
template <class T, int MR>
DLNATIVE_INLINE void add_pairs(Vec<T> (&acc)[MR][2], const RowsOfA<T, MR>& a, const T* b,
                               std::int64_t channels) {
  PairsOfRows<T, MR> pairs{a};
  Packed<T, 2 * kLanes<T>> w{b};
  std::int64_t left = add_products<kTogether, T>(acc, pairs, w, channels / 2);
  add_products<1, T>(acc, pairs, w, left);
  if (channels % 2 == 0) return;
  Vec<T> last[2];
  join_pairs<T>(load<T>(w.p), Vec<T>{}, last);
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    const Vec<T> value = broadcast(a.rows[i][channels - 1]);
    add_product<T>(acc[i][0], value, last[0]);
    add_product<T>(acc[i][1], value, last[1]);
  }
}

// Rows of a TapProduct's tile are pointers in registers, so a narrow tile is not taller.
template <class T, int MR, int NV>
__attribute__((noinline)) void tap_tile(const T* x, const std::int32_t* rows, const T* zeros,
                                        const T* b, std::int64_t taps, std::int64_t channels,
                                        std::int64_t tap_stride, const TileEnd<T>& end) {
  constexpr bool kInPairs = NV == 1;
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
      if constexpr (has_company<MR, NV>) left = add_products<kTogether, T>(acc, a, w, left);
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

// The MR values of X for one product lie side by side: neighbouring channels of one tap, or
// neighbouring pixels of a plane. `at` says where those of product p begin, and which row of B they
// meet.
template <class T, class At>
struct UnitRowsOfA {
  const T* x;
  At at_product;
  std::int64_t p = 0;
  DLNATIVE_MEMBER T at(int i, int u) const { return x[at_product.x(p + u) + i]; }
  DLNATIVE_MEMBER void next(int u, int many) { p += u + 1 == many ? many : 0; }
};
template <class T, class At, int kWidth>
struct RowsOfB {
  const T* b;
  At at_product;
  std::int64_t p = 0;
  DLNATIVE_MEMBER const T* row(int u) const { return b + at_product.row(p + u) * kWidth; }
  DLNATIVE_MEMBER void next(int u, int many) { p += u + 1 == many ? many : 0; }
};
template <class T, int MR, int NV, bool kBare, class At>
DLNATIVE_INLINE void unit_row_tile(const T* x, const T* b, std::int64_t count, const At& at,
                                   const TileEnd<T>& end) {
  Vec<T> acc[MR][NV] = {};
  UnitRowsOfA<T, At> rows_a{x, at};
  RowsOfB<T, At, NV * kLanes<T>> rows_b{b, at};
  if constexpr (has_company<MR, NV>) count = add_products<kTogether, T>(acc, rows_a, rows_b, count);
  add_products<1, T>(acc, rows_a, rows_b, count);
  finish_tile<T, MR, NV, kBare>(acc, end);
}

struct AtPixels {
  const TapPixel* entries;
  std::int64_t x(std::int64_t p) const { return entries[p].x; }
  std::int64_t row(std::int64_t p) const { return entries[p].pixel; }
};
// Of a panel of dY one vector wide, every value lies there twice, and meets a pair of channels: one
// core, 16 channels with AVX-512 0.60 -> 0.80 of the FMA peak (Zen 5), 8 channels with AVX2 1.4
// times as fast (2026-11).
template <class T>
struct PairsOfChannels {
  const T* x;
  const TapPixel* entries;
  DLNATIVE_MEMBER PairAt<T> at(int i, int u) const { return {x + entries[u].x + 2 * i}; }
  DLNATIVE_MEMBER void next(int u, int many) { entries += u + 1 == many ? many : 0; }
};
template <class T, int MR>
DLNATIVE_INLINE void pairs_tile(const T* x, const TapPixel* entries, const T* b, std::int64_t count,
                                const TileEnd<T>& end) {
  constexpr int kPairs = (MR + 1) / 2;
  Vec<T> acc[kPairs][2] = {};
  PairsOfChannels<T> pairs{x, entries};
  RowsOfB<T, AtPixels, 2 * kLanes<T>> rows_b{b, AtPixels{entries}};
  count = add_products<kTogether, T>(acc, pairs, rows_b, count);
  add_products<1, T>(acc, pairs, rows_b, count);
  Vec<T> sums[2 * kPairs][1];
#pragma GCC unroll 16
  for (int i = 0; i < kPairs; ++i) split_pairs<T>(acc[i], sums[2 * i][0], sums[2 * i + 1][0]);
  Vec<T> rows[MR][1];
#pragma GCC unroll 32
  for (int i = 0; i < MR; ++i) rows[i][0] = sums[i][0];
  finish_tile<T, MR, 1, true>(rows, end);
}

template <class T, int MR, int NV>
__attribute__((noinline)) void gradient_tile(const T* x, const TapPixel* entries, const T* b,
                                             std::int64_t count, const TileEnd<T>& end) {
  if constexpr (NV == 1) {
    pairs_tile<T, MR>(x, entries, b, count, end);
  } else {
    unit_row_tile<T, MR, NV, true>(x, b, count, AtPixels{entries}, end);
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
  unit_row_tile<T, MR, NV, false>(x, b, count, AtOffsets{offsets}, end);
}

template <class T>
struct TapTiles {
  using Tile = void (*)(const T*, const std::int32_t*, const T*, const T*, std::int64_t,
                        std::int64_t, std::int64_t, const TileEnd<T>&);
  static constexpr int rows(int) { return kTileRows; }
  template <int MR, int NV>
  static constexpr Tile tile = tap_tile<T, MR, NV>;
};
template <class T>
struct GradientTiles {
  using Tile = void (*)(const T*, const TapPixel*, const T*, std::int64_t, const TileEnd<T>&);
  static constexpr int rows(int nv) { return nv == 1 ? kTileRows * kTileVectors : rows_for(nv); }
  template <int MR, int NV>
  static constexpr Tile tile = gradient_tile<T, MR, NV>;
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
void pack(const TapWeights<T>& weights, std::int64_t first, std::int64_t columns, T* out) {
  // Rows of few columns lie far apart in large weights: a few rows of all panels, then the next.
  const std::int64_t together = weights.cs == 1 ? kPackedTogether : weights.channels;
  for (std::int64_t t = 0; t < weights.count; ++t) {
    for (std::int64_t p = 0; p < weights.channels; p += together) {
      const std::int64_t rows = min64(together, weights.channels - p);
      for (std::int64_t j = first; j < first + columns; j += kTileColumns<T>) {
        const std::int64_t width = panel_vectors<T>(weights.n - j) * kLanes<T>;
        const std::int64_t valid = min64(width, weights.n - j);
        const T* w = weights.w + weights.taps[t] + p * weights.rs + j * weights.cs;
        T* to = out + j * weights.count * weights.channels + (t * weights.channels + p) * width;
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
  for (std::int64_t j = 0; j < g.n; j += kTileColumns<T>) {
    const int nv = panel_vectors<T>(g.n - j);
    const std::int64_t width = nv * kLanes<T>;
    const auto* tiles = tiles_of_width<TapTiles<T>>(nv);
    const T* b = g.b + j * g.taps * g.channels + (r.tap * g.channels + r.channel) * width;
    TileEnd<T> end;
    end.ldc = g.ldy;
    end.columns = min64(width, g.n - j);
    end.accumulate = g.accumulate || !first;
    end.relu = last && e.relu;
    end.bias = last && e.bias != nullptr ? e.bias + j : nullptr;
    end.ld_saved = g.ldy;
    const T* saved = last && e.relu_saved != nullptr ? e.relu_saved + j : nullptr;
    end.plain = end.columns == width && !end.relu && end.bias == nullptr && saved == nullptr;
    for (std::int64_t i = begin; i < stop; i += g.tile) {
      const std::int64_t at = g.out != nullptr ? 0 : i * g.ldy;
      end.c = g.y + at + j;
      end.rows = g.out != nullptr ? g.out + i : nullptr;
      end.relu_saved = saved != nullptr ? saved + at : nullptr;
      const std::int32_t* rows = g.rows + (i / g.tile * g.taps + r.tap) * kTileRows;
      tiles[min64(g.tile, stop - i) - 1](g.x + r.channel, rows, g.zeros, b, r.taps, r.channels,
                                         g.channels * width, end);
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
  // As many pixels at a time as keep their input close.
  const std::int64_t bytes = g.channels * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t block =
      ceil_div(min64(1 << 12, kBlockBytes / (bytes > 0 ? bytes : 1) + 1), g.tile) * g.tile;
  // Products per round, so that a panel of the weights stays in the first-level cache.
  constexpr std::int64_t kRound = kPanelK + kPanelK / 4;
  const std::int64_t taps_per_round =
      g.channels > 0 && g.channels <= kRound ? kRound / g.channels : 1;
  const std::int64_t rounds_per_tap = g.channels > kRound ? ceil_div(g.channels, kPanelK) : 1;
  const std::int64_t share = ceil_div(g.channels, 2 * rounds_per_tap) * 2;  // pairs stay together
  for (std::int64_t begin = 0; begin < g.pixels; begin += block) {
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

// Channels of the tiles of the first panel, as equal as can be.
template <class T>
std::int64_t gradient_rows(std::int64_t channels, std::int64_t n) {
  return RowCut(channels, GradientTiles<T>::rows(panel_vectors<T>(n > 0 ? n : 1))).most();
}

// Values of a packed tile of channels, which is written in whole vectors.
template <class T>
DLNATIVE_INLINE std::int64_t packed_tile(std::int64_t sources, std::int64_t rows) {
  return sources * rows + kLanes<T>;
}

// Some panels of dy, then some packed tiles of channels.
template <class T>
std::int64_t gradient_scratch(std::int64_t sources, std::int64_t rows) {
  const std::int64_t tile = packed_tile<T>(sources, rows);
  return kGradientPixels * kGradientPanels * kTileColumns<T> +
         (tile > kPackedValues<T> ? tile : kPackedValues<T>);
}

// Packs the first `channels` values of pixels, those of pixel q to out + q * rows. What a vector
// writes past them, the next pixel overwrites. x holds `left` more values of every pixel.
template <class T>
void pack_pixels(const T* x, std::int64_t left, std::int64_t ldx, const std::int32_t* sources,
                 std::int64_t count, std::int64_t channels, std::int64_t rows, T* out) {
  constexpr std::int64_t kHalf = kLanes<T> / 2;
  for (std::int64_t begin = 0; begin < count; begin += kPackedTogether) {
    const std::int64_t end = min64(begin + kPackedTogether, count);
    if (channels <= kHalf && left >= kHalf) {  // a stride of 2 gains 3 %
      T* to = out + begin * rows;
      for (std::int64_t q = begin; q < end; ++q, to += rows)
        __builtin_memcpy(to, x + sources[q] * ldx, kHalf * sizeof(T));
      continue;
    }
    for (std::int64_t v = (channels - 1) / kLanes<T> * kLanes<T>; v >= 0; v -= kLanes<T>) {
      T* to = out + begin * rows + v;
      if (left - v >= kLanes<T>) {
        for (std::int64_t q = begin; q < end; ++q, to += rows)
          store<T>(to, load<T>(x + sources[q] * ldx + v));
      } else {
        for (std::int64_t q = begin; q < end; ++q, to += rows)
          store<T>(to, load_first(x + sources[q] * ldx + v, left - v));
      }
    }
  }
}

// Packs n columns of dy into panels, one after the other, pixel by pixel; in a panel one vector
// wide every value twice.
template <class T>
void pack_panels(const T* dy, std::int64_t lddy, std::int64_t pixels, std::int64_t n, T* out) {
  for (std::int64_t p = 0; p < pixels; ++p, dy += lddy) {
    T* to = out;
    for (std::int64_t j = 0; j < n; j += kTileColumns<T>) {
      const std::int64_t columns = min64(kTileColumns<T>, n - j);
      const std::int64_t width = panel_vectors<T>(n - j) * kLanes<T>;
      const auto value = [&](std::int64_t v) {
        return v + kLanes<T> <= columns ? load<T>(dy + j + v) : load_first(dy + j + v, columns - v);
      };
      if (width == kLanes<T>) {
        Vec<T> twice[2];
        join_pairs<T>(value(0), value(0), twice);
        store<T>(to + p * 2 * width, twice[0]);
        store<T>(to + p * 2 * width + kLanes<T>, twice[1]);
      } else {
        for (std::int64_t v = 0; v < width; v += kLanes<T>) store<T>(to + p * width + v, value(v));
      }
      to += pixels * width;
    }
  }
}

// What a round of the gradient reads: some pixels of x and of dY. A round past the last has none.
struct RoundPixels {
  const std::int32_t* sources = nullptr;
  std::int64_t read = 0;               // of x
  std::int64_t begin = 0, pixels = 0;  // of dY

  template <class T>
  RoundPixels(const TapGradient<T>& g, std::int64_t round) : begin(round * kGradientPixels) {
    if (begin >= g.pixels) return;
    pixels = min64(kGradientPixels, g.pixels - begin);
    sources = g.sources + g.source_starts[round];
    read = g.source_starts[round + 1] - g.source_starts[round];
    // A group of images may be cut short: what lies behind it is not there.
    while (read > 0 && sources[read - 1] >= g.input_pixels) --read;
  }
  std::int64_t all() const { return read + pixels; }
};

// Asks for the pixels of a round while the tiles of the one before run, a share each. One core, x
// and dY out of the second-level cache: 32 and 64 channels gain 8 and 3 % (Zen 5), 64 channels 3 %
// with AVX2 (2026-11); asked to the second-level cache only, 2 % less.
template <class T>
class AskForRound {
 public:
  AskForRound(const TapGradient<T>& g, std::int64_t round, std::int64_t tiles)
      : g_(g), round_(g, round), share_(tiles > 0 ? ceil_div(round_.all(), tiles) : 0) {}

  void step() {
    for (const std::int64_t end = min64(asked_ + share_, round_.all()); asked_ < end; ++asked_) {
      if (asked_ < round_.read) {
        ask_for(g_.x + round_.sources[asked_] * g_.ldx, g_.channels);
      } else {
        ask_for(g_.dy + (round_.begin + asked_ - round_.read) * g_.lddy, g_.n);
      }
    }
  }

 private:
  const TapGradient<T>& g_;
  const RoundPixels round_;
  const std::int64_t share_;
  std::int64_t asked_ = 0;
};

template <class T>
void gradient(const TapGradient<T>& g) {
  constexpr std::int64_t kColumns = kGradientPanels * kTileColumns<T>;
  T* const packed_x = g.scratch + kGradientPixels * kColumns;
  const RowCut cut(g.channels, g.rows);
  for (std::int64_t begin = 0, round = 0; begin < g.pixels; begin += kGradientPixels, ++round) {
    const RoundPixels now(g, round);
    const std::int64_t pixels = now.pixels, read = now.read;
    AskForRound<T> next(g, round + 1, g.taps * cut.tiles() * ceil_div(g.n, kTileColumns<T>));
    // The products of one tile of channels with one panel of dy, for all taps.
    const auto multiply = [&](std::int64_t c, std::int64_t rows, std::int64_t j, const T* x,
                              const T* dy) {
      const int nv = panel_vectors<T>(g.n - j);
      const auto tile = tiles_of_width<GradientTiles<T>>(nv)[rows - 1];
      TileEnd<T> end;
      end.ldc = g.ldd;
      end.columns = min64(kTileColumns<T>, g.n - j);
      end.accumulate = g.accumulate || begin > 0;
      end.plain = end.columns == nv * kLanes<T>;
      for (std::int64_t t = 0; t < g.taps; ++t) {
        const std::int32_t* starts = g.starts + round * g.taps + t;
        const TapPixel* entries = g.entries + starts[0];
        std::int64_t count = starts[1] - starts[0];
        while (count > 0 && entries[count - 1].pixel >= pixels) --count;
        end.c = g.d + t * g.tap_stride + c * g.ldd + j;
        next.step();
        tile(x, entries, dy, count, end);
      }
    };
    const std::int64_t packed = packed_tile<T>(read, g.rows);
    const std::int64_t together = packed < kPackedValues<T> ? kPackedValues<T> / packed : 1;
    for (std::int64_t j = 0; j < g.n; j += kColumns) {
      const std::int64_t columns = min64(kColumns, g.n - j);
      pack_panels(g.dy + begin * g.lddy + j, g.lddy, pixels, columns, g.scratch);
      std::int64_t channel = 0;
      for (std::int64_t i = 0, tiles; i < cut.tiles(); i += tiles) {
        tiles = min64(together, cut.tiles() - i);
        std::int64_t c = channel;
        for (std::int64_t k = 0; k < tiles; c += cut.rows(i + k), ++k) {
          pack_pixels(g.x + c, g.channels - c, g.ldx, now.sources, read, cut.rows(i + k), g.rows,
                      packed_x + k * packed);
        }
        for (std::int64_t at = 0; at < columns; at += kTileColumns<T>) {
          c = channel;
          for (std::int64_t k = 0; k < tiles; c += cut.rows(i + k), ++k)
            multiply(c, cut.rows(i + k), j + at, packed_x + k * packed, g.scratch + at * pixels);
        }
        channel = c;
      }
    }
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
                                     planar<float>};
const ConvKernels<double> conv_f64 = {kTileRows,
                                      static_cast<int>(kTileColumns<double>),
                                      kGradientPixels,
                                      packed_elements<double>,
                                      pack<double>,
                                      product<double>,
                                      gradient_rows<double>,
                                      gradient_scratch<double>,
                                      gradient<double>,
                                      planar<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
