// The gradient of a direct convolution's weights, and what its tiles share with those of planes.
#pragma once

#include "kernels/conv_kernels.h"
#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/transpose.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Pixels per round of the gradient: a panel of dy and a packed tile of channels fit L1, and the
// tile of the result is read and written once per round. Measured, with the constants below:
// docs/performance.md, "The gradient of a convolution's weights".
constexpr int kGradientPixels = 256;
constexpr int kGradientPanels = 16 / kTileVectors;  // packed at a time: 128 KB with AVX2
// Values of packed tiles of channels, which stay in L2 while the panels pass by: some tiles at a
// time, and neither one nor all channels, of which a stride of 2 reads four times the pixels.
template <class T>
constexpr std::int64_t kPackedValues = (std::int64_t{64} << 10) / static_cast<int>(sizeof(T));
constexpr int kPackBlock = 16;  // pixels, or rows of weights

// The MR values of X for one product lie side by side: neighbouring channels of one tap, or
// neighbouring pixels of a plane. `at` says where those of product p begin, and which row of B they
// meet.
template <class T, class At>
struct UnitRowsOfA {
  const T* x;
  At at_product;
  std::int64_t p = 0;
  DLNATIVE_MEMBER T at(int i, int u) const { return x[at_product.x(p + u) + i]; }
  DLNATIVE_MEMBER void next(int u, int unroll) { p += u + 1 == unroll ? unroll : 0; }
};
template <class T, class At, int kWidth>
struct RowsOfB {
  const T* b;
  At at_product;
  std::int64_t p = 0;
  DLNATIVE_MEMBER const T* row(int u) const { return b + at_product.row(p + u) * kWidth; }
  DLNATIVE_MEMBER void next(int u, int unroll) { p += u + 1 == unroll ? unroll : 0; }
};
template <int kUnroll, class T, int MR, int NV, class At, class Step = Nothing>
DLNATIVE_INLINE void add_unit_rows(Vec<T> (&acc)[MR][NV], const T* x, const T* b,
                                   std::int64_t count, const At& at, const Step& interleaved = {}) {
  UnitRowsOfA<T, At> rows_a{x, at};
  RowsOfB<T, At, NV * kLanes<T>> rows_b{b, at};
  count = add_products<kUnroll, T>(acc, rows_a, rows_b, count, interleaved);
  if constexpr (kUnroll > 1) add_products<1, T>(acc, rows_a, rows_b, count);
}

// What tiles prefetch between their products, a line at a time: rows of memory, `ld` apart.
template <class T>
struct PrefetchedLines {
  const T* at;
  const T* row_end;
  std::int64_t step;  // a line, or 0
  std::int64_t gap;   // from past the last line of a row to the next row
  std::int64_t ld;

  DLNATIVE_MEMBER void prefetch() {
    __builtin_prefetch(at);
    at += step;
    if (at < row_end) return;
    at += gap;
    row_end += ld;
  }
};

struct AtPixels {
  const TapPixel* entries;
  std::int64_t x(std::int64_t p) const { return entries[p].x; }
  std::int64_t row(std::int64_t p) const { return entries[p].pixel; }
};
// Of a panel of dY one vector wide, every value lies there twice, and meets a pair of channels.
template <class T>
struct PairsOfChannels {
  const T* x;
  const TapPixel* entries;
  DLNATIVE_MEMBER PairAt<T> at(int i, int u) const { return {x + entries[u].x + 2 * i}; }
  DLNATIVE_MEMBER void next(int u, int unroll) { entries += u + 1 == unroll ? unroll : 0; }
};
template <class T, int MR, class Step>
DLNATIVE_INLINE void pairs_tile(const T* x, const TapPixel* entries, const T* b, std::int64_t count,
                                const TileEnd<T>& end, const Step& interleaved) {
  constexpr int kPairs = (MR + 1) / 2;
  Vec<T> acc[kPairs][2] = {};
  PairsOfChannels<T> pairs{x, entries};
  RowsOfB<T, AtPixels, 2 * kLanes<T>> rows_b{b, AtPixels{entries}};
  count = add_products<kProductUnroll, T>(acc, pairs, rows_b, count, interleaved);
  add_products<1, T>(acc, pairs, rows_b, count);
  Vec<T> sums[2 * kPairs][1];
#pragma GCC unroll 16
  for (int i = 0; i < kPairs; ++i) split_pairs<T>(acc[i], sums[2 * i][0], sums[2 * i + 1][0]);
  Vec<T> rows[MR][1];
#pragma GCC unroll 32
  for (int i = 0; i < MR; ++i) rows[i][0] = sums[i][0];
  finish_tile<T, MR, 1, true>(rows, end);
}

// Products by which the loop is unrolled. All tiles of 32 channels and 32 filters are two vectors
// wide with AVX-512, and gain 2 to 4 % by it.
template <int MR, int NV>
constexpr int kGradientUnroll = MR * NV >= (kTileRows - 2) * kTileVectors ? kProductUnroll : 1;

template <class T, int MR, int NV>
__attribute__((noinline)) void gradient_tile(const T* x, const TapPixel* entries, const T* b,
                                             std::int64_t count, const TileEnd<T>& end,
                                             PrefetchedLines<T>& ahead) {
  PrefetchedLines<T> lines = ahead;
  const auto interleaved = [&]() __attribute__((always_inline)) { lines.prefetch(); };
  if constexpr (NV == 1) {
    pairs_tile<T, MR>(x, entries, b, count, end, interleaved);
  } else {
    Vec<T> acc[MR][NV] = {};
    add_unit_rows<kGradientUnroll<MR, NV>, T>(acc, x, b, count, AtPixels{entries}, interleaved);
    finish_tile<T, MR, NV, true>(acc, end);
  }
  ahead = lines;
}

template <class T>
struct GradientTiles {
  using Tile = void (*)(const T*, const TapPixel*, const T*, std::int64_t, const TileEnd<T>&,
                        PrefetchedLines<T>&);
  static constexpr int rows(int nv) { return nv == 1 ? kTileRows * kTileVectors : rows_for(nv); }
  template <int MR, int NV>
  static constexpr Tile tile = gradient_tile<T, MR, NV>;
};

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
  for (std::int64_t begin = 0; begin < count; begin += kPackBlock) {
    const std::int64_t end = min64(begin + kPackBlock, count);
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

// Prefetches the pixels of a round, interleaved with the tiles of the one before: 3 to 5 % faster
// than in bursts between tiles where x and dY do not fit L2 (Zen 5, 2026-11).
template <class T>
class PrefetchRound {
 public:
  // The round after the last is the first of the pixels behind these.
  PrefetchRound(const TapGradient<T>& g, std::int64_t round)
      : lines_{g.x, g.x, 0, 0, 0}, stop_(g.x) {
    const std::int64_t begin = round * kGradientPixels;
    const bool inside = begin < g.pixels;
    if (!inside && !g.more) return;
    const std::int64_t first = inside ? g.source_ends[round - 1] : g.input_pixels;
    const std::int64_t end = inside ? g.source_ends[round] : g.input_pixels + g.source_ends[0];
    const std::int64_t dy_begin = min64(begin, g.pixels);
    const std::int64_t pixels = inside ? min64(kGradientPixels, g.pixels - begin) : kGradientPixels;
    add(g.x, g.ldx, g.channels, first, end);
    add(g.dy, g.lddy, g.n, dy_begin, dy_begin + pixels);
    next();
  }

  PrefetchedLines<T>& lines() { return lines_; }

  // After a tile.
  void next() {
    if (lines_.at < stop_) return;
    if (left_ > 0) {
      lines_ = parts_[--left_];
      stop_ = stops_[left_];
    } else {
      lines_.step = lines_.gap = lines_.ld = 0;
    }
  }

 private:
  // Rows [begin, end) of `values` values each.
  void add(const T* p, std::int64_t ld, std::int64_t values, std::int64_t begin, std::int64_t end) {
    if (begin >= end) return;
    const T* const first = p + begin * ld;
    stops_[left_] = p + (end - 1) * ld + values;
    const T* const row_end = ld == values ? stops_[left_] : first + values;
    const std::int64_t gap = ld - ceil_div(values, kCacheLine<T>) * kCacheLine<T>;
    parts_[left_++] = {first, row_end, kCacheLine<T>, gap, ld};
  }

  PrefetchedLines<T> lines_;
  const T* stop_ = nullptr;
  PrefetchedLines<T> parts_[2];
  const T* stops_[2];
  int left_ = 0;
};

template <class T>
void gradient(const TapGradient<T>& g) {
  constexpr std::int64_t kColumns = kGradientPanels * kTileColumns<T>;
  T* const packed_x = g.scratch + kGradientPixels * kColumns;
  const RowCut cut(g.channels, g.rows);
  for (std::int64_t begin = 0, round = 0; begin < g.pixels; begin += kGradientPixels, ++round) {
    if (begin > 0 && g.stop != nullptr && g.stop()) return;
    const std::int64_t pixels = min64(kGradientPixels, g.pixels - begin);
    const std::int32_t* sources = g.sources + g.source_starts[round];
    std::int64_t read = g.source_starts[round + 1] - g.source_starts[round];
    // A group of images may be cut short: what lies behind it is not there.
    while (read > 0 && sources[read - 1] >= g.input_pixels) --read;
    PrefetchRound<T> ahead(g, round + 1);
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
        tile(x, entries, dy, count, end, ahead.lines());
        ahead.next();
      }
    };
    const std::int64_t packed = packed_tile<T>(read, g.rows);
    const std::int64_t block_tiles = packed < kPackedValues<T> ? kPackedValues<T> / packed : 1;
    for (std::int64_t j = 0; j < g.n; j += kColumns) {
      const std::int64_t columns = min64(kColumns, g.n - j);
      pack_panels(g.dy + begin * g.lddy + j, g.lddy, pixels, columns, g.scratch);
      std::int64_t channel = 0;
      for (std::int64_t i = 0, tiles; i < cut.tiles(); i += tiles) {
        tiles = min64(block_tiles, cut.tiles() - i);
        std::int64_t c = channel;
        for (std::int64_t k = 0; k < tiles; c += cut.rows(i + k), ++k) {
          pack_pixels(g.x + c, g.channels - c, g.ldx, sources, read, cut.rows(i + k), g.rows,
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

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
