// Winograd's convolution: patches of the input and tiles of the result to points and back, and the
// products between them. Lanes of vectors are channels, or filters.
#include "kernels/winograd_kernels.h"

#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/vec.h"
#include "kernels/simd/winograd_lines.h"
#include "kernels/simd/winograd_products.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

// Tiles in the order of their numbers, from the i-th of some tiles on.
class TileWalk {
 public:
  template <class Tiles>
  explicit TileWalk(const Tiles& tiles, std::int64_t i = 0)
      : tile_rows_(tiles.tile_rows),
        tile_columns_(tiles.tile_columns),
        image((tiles.first + i) / (tile_rows_ * tile_columns_)),
        row((tiles.first + i) / tile_columns_ % tile_rows_),
        column((tiles.first + i) % tile_columns_) {}

  void next() {
    if (++column < tile_columns_) return;
    column = 0;
    if (++row < tile_rows_) return;
    row = 0;
    ++image;
  }

 private:
  std::int64_t tile_rows_, tile_columns_;

 public:
  std::int64_t image, row, column;  // of the tile
};

// Where the pixels of a patch begin; tiles are kTile pixels apart.
template <class T, int kSize, int kTile>
struct Patch {
  const T* at[kSize][kSize];

  // Unrolled it is longer than a transform.
  __attribute__((noinline)) void find(const WinogradTiles<T>& g, const TileWalk& tile, const T* x,
                                      const T* zeros) {
    const std::int64_t row = tile.row * kTile - g.before_row;
    const std::int64_t column = tile.column * kTile - g.before_column;
    const T* first = x + ((tile.image * g.height + row) * g.width + column) * g.ld;
    bool inside[kSize];
    for (int s = 0; s < kSize; ++s) inside[s] = column + s >= 0 && column + s < g.width;
    for (int r = 0; r < kSize; ++r, first += g.width * g.ld) {
      const bool row_inside = row + r >= 0 && row + r < g.height;
#pragma GCC unroll 6
      for (int s = 0; s < kSize; ++s)
        at[r][s] = (row_inside & inside[s]) ? first + s * g.ld : zeros;
    }
  }
};

// Whether a pixel is zero in all channels. One that is not mostly shows it in the first vector.
template <class T>
bool is_zero(const T* pixel, std::int64_t channels) {
  std::int64_t c = 0;
  for (; c + kLanes<T> <= channels; c += kLanes<T>) {
    if (any_nonzero<T>(load<T>(pixel + c))) return false;
  }
  return c == channels || !any_nonzero<T>(load_first(pixel + c, channels - c));
}

// Bit (r * 6 + s) for the pixels of a patch of so many rows and columns that are not zero in all
// channels. Seldom used: a Patch would take 3,000 instructions.
template <class T, int kTile>
__attribute__((noinline)) std::uint64_t nonzero_pixels(const WinogradTiles<T>& g,
                                                       const TileWalk& tile, const T* x, int size) {
  std::uint64_t bits = 0;
  for (int r = 0; r < size; ++r) {
    const std::int64_t row = tile.row * kTile - g.before_row + r;
    if (row < 0 || row >= g.height) continue;
    for (int s = 0; s < size; ++s) {
      const std::int64_t column = tile.column * kTile - g.before_column + s;
      if (column < 0 || column >= g.width) continue;
      const T* pixel = x + ((tile.image * g.height + row) * g.width + column) * g.ld;
      if (!is_zero(pixel, g.channels)) bits |= std::uint64_t{1} << (r * 6 + s);
    }
  }
  return bits;
}

// A square of `size` by `size` pixels at the upper left of a patch.
constexpr std::uint64_t square_bits(int size) {
  std::uint64_t bits = 0;
  for (int r = 0; r < size; ++r) bits |= ((std::uint64_t{1} << size) - 1) << (r * 6);
  return bits;
}

// WinogradTiles::empty of one tile. Each window contains the middle pixel of the window of an even
// row and column of the tile: where those middles are nonzero, four pixels or one, none is empty.
template <class T, int kTile>
__attribute__((noinline)) std::uint16_t look_closely(const Patch<T, 6, kTile>& patch,
                                                     const WinogradTiles<T>& g, std::int64_t i,
                                                     const T* x) {
  constexpr int kTaps = 7 - kTile;
  const TileWalk tile(g, i);
  const std::int64_t rows = min64(kTile, g.result_height - tile.row * kTile);
  const std::int64_t columns = min64(kTile, g.result_width - tile.column * kTile);
  bool dense = true;
  for (int r = 0; r < rows; r += 2) {
    for (int s = 0; s < columns; s += 2)
      dense = dense && !is_zero(patch.at[r + kTaps / 2][s + kTaps / 2], g.channels);
  }
  if (dense) return 0;
  const std::uint64_t nonzero = nonzero_pixels<T, kTile>(g, tile, x, 6);
  unsigned empty = 0;
  for (int r = 0; r < kTile; ++r) {
    for (int s = 0; s < kTile; ++s) {
      const bool zero = (nonzero >> (r * 6 + s) & square_bits(kTaps)) == 0;
      empty |= (zero ? 1u : 0u) << (r * kTile + s);
    }
  }
  return static_cast<std::uint16_t>(empty);
}

// The same: most tiles show it in the first vectors of those middles.
template <class T, int kTile>
DLNATIVE_INLINE std::uint16_t empty_windows(const Patch<T, 6, kTile>& patch,
                                            const WinogradTiles<T>& g, std::int64_t i, const T* x) {
  constexpr int kMiddle = (7 - kTile) / 2;
  bool unsure = false;
#pragma GCC unroll 2
  for (int r = kMiddle; r < kMiddle + kTile; r += 2) {
#pragma GCC unroll 2
    for (int s = kMiddle; s < kMiddle + kTile; s += 2) {
      unsure |= !any_nonzero<T>(load_upto(patch.at[r][s], g.channels));
    }
  }
  return unsure ? look_closely<T, kTile>(patch, g, i, x) : std::uint16_t{0};
}

// Where channel c is the first of a cache line: then the line that a later tile needs is
// prefetched, as the hardware prefetcher does not find it (docs/performance.md, "Winograd's
// transforms"). Behind the last tile what is prefetched may not be there, which does no harm.
template <class T>
DLNATIVE_INLINE bool begins_line(std::int64_t c) {
  return c % (64 / static_cast<int>(sizeof(T))) == 0;
}

// How many tiles later: three where a pixel is one line; with more lines, further tiles gain
// nothing.
constexpr int kMostAhead = 3;
template <class T>
DLNATIVE_INLINE int tiles_ahead(std::int64_t channels) {
  return channels <= 64 / static_cast<int>(sizeof(T)) ? kMostAhead : 1;
}

// `each` is called with the number, the place and the patch of every tile.
template <class T, class Line, int kTile, class Each>
DLNATIVE_INLINE void transform_patches(const WinogradTiles<T>& g, const T* x, const T* zeros,
                                       const Each& each) {
  constexpr int kSize = Line::kIn;
  const std::int64_t whole = g.channels / kLanes<T> * kLanes<T>, rest = g.channels - whole;
  const int ahead = tiles_ahead<T>(g.channels);
  TileWalk tile(g);
  Patch<T, kSize, kTile> patches[kMostAhead + 1];  // those of tile i at i modulo their number
  for (int i = 0; i < ahead; ++i, tile.next()) patches[i].find(g, tile, x, zeros);
  for (std::int64_t i = 0; i < g.count; ++i, tile.next()) {
    const Patch<T, kSize, kTile>& patch = patches[i % (kMostAhead + 1)];
    Patch<T, kSize, kTile>& next = patches[(i + ahead) % (kMostAhead + 1)];
    next.find(g, tile, x, zeros);
    T* to = g.transformed + i * g.tile_stride;
    const auto write = [&](int r, int s, Vec<T> v) {
      store<T>(to + (r * 6 + s) * g.point_stride, v);
    };
    for (std::int64_t c = 0; c < whole; c += kLanes<T>, to += kLanes<T>) {
      if (begins_line<T>(c)) {
        for (int r = 0; r < kSize; ++r) {
          for (int s = kSize - kTile; s < kSize; ++s) __builtin_prefetch(next.at[r][s] + c);
        }
      }
      transform<T, Line>([&](int r, int s) { return load<T>(patch.at[r][s] + c); }, write);
    }
    if (rest > 0) {
      transform<T, Line>([&](int r, int s) { return load_first(patch.at[r][s] + whole, rest); },
                         write);
    }
    each(i, patch);
  }
}

template <class T, int kTile>
bool input(const WinogradTiles<T>& tiles, const T* x, const T* zeros) {
  unsigned any = 0;
  transform_patches<T, InputLine, kTile>(
      tiles, x, zeros, [&](std::int64_t i, const Patch<T, 6, kTile>& patch) {
        if (tiles.empty == nullptr) return;
        any |= tiles.empty[i] = empty_windows<T, kTile>(patch, tiles, i, x);
      });
  return any != 0;
}

template <class T, int kTile>
void output_gradient(const WinogradTiles<T>& tiles, const T* dy, const T* zeros) {
  transform_patches<T, EvaluationLine<kTile, false>, kTile>(
      tiles, dy, zeros, [](std::int64_t, const Patch<T, kTile, kTile>&) {});
}

template <class T, int kTile>
std::uint32_t taps_met(const WinogradTiles<T>& x_tiles, const T* x,
                       const WinogradTiles<T>& dy_tiles, const T* dy, std::uint32_t met) {
  constexpr int kTaps = 7 - kTile;
  constexpr std::uint32_t kAll = (std::uint32_t{1} << (kTaps * kTaps)) - 1;
  TileWalk tile(x_tiles);
  for (std::int64_t i = 0; i < x_tiles.count && met != kAll; ++i, tile.next()) {
    const std::uint64_t results = nonzero_pixels<T, kTile>(dy_tiles, tile, dy, kTile);
    if (results == 0) continue;
    const std::uint64_t pixels = nonzero_pixels<T, kTile>(x_tiles, tile, x, 6);
    for (int r = 0; r < kTaps; ++r) {
      for (int s = 0; s < kTaps; ++s) {
        const bool meets = (pixels >> (r * 6 + s) & results) != 0;
        met |= (meets ? 1u : 0u) << (r * kTaps + s);
      }
    }
  }
  return met;
}

// The pixels of a tile of the result that lie in the image.
template <int kTile>
struct TilePixels {
  std::int64_t first, rows, columns;

  template <class T>
  void find(const WinogradTiles<T>& g, const TileWalk& tile) {
    const std::int64_t row = tile.row * kTile, column = tile.column * kTile;
    first = (tile.image * g.height + row) * g.width + column;
    rows = min64(kTile, g.height - row);
    columns = min64(kTile, g.width - column);
  }
};

// One tile, `whole` channels of it. kPlain: all pixels are in the image, and there is no epilogue:
// Y = or Y +=.
template <class T, int kTile, bool kPlain>
DLNATIVE_INLINE void output_tile(const WinogradTiles<T>& g, const T* from, T* y,
                                 const TilePixels<kTile>& pixels, const TilePixels<kTile>& next,
                                 std::int64_t whole, const TileEnd<T>& end) {
  const std::int64_t line = g.width * g.ld;
  for (std::int64_t c = 0; c < whole; c += kLanes<T>, from += kLanes<T>) {
    if (begins_line<T>(c)) {
      for (std::int64_t r = 0; r < next.rows; ++r) {
        for (std::int64_t s = 0; s < next.columns; ++s) {
          const std::int64_t at = next.first * g.ld + r * line + s * g.ld + c;
          __builtin_prefetch(y + at, 1);
          if (!kPlain && end.relu_saved != nullptr) __builtin_prefetch(end.relu_saved + at);
        }
      }
    }
    T* const first = y + pixels.first * g.ld + c;
    transform<T, InterpolationLine<kTile, false>>(
        [&](int r, int s) { return load<T>(from + (r * 6 + s) * g.point_stride); },
        [&](int r, int s, Vec<T> v) {
          T* to = first + r * line + s * g.ld;
          if (kPlain) return store<T>(to, end.accumulate ? v + load<T>(to) : v);
          if (r >= pixels.rows || s >= pixels.columns) return;
          store<T>(to, finish_vector<T>(v, end, to, end.bias + c, end.relu_saved + (to - y)));
        });
  }
}

// Channels [c, c + n) of one tile, n <= lanes, by way of memory: where they are no whole vector, or
// where pixels are `empty`.
template <class T, int kTile>
__attribute__((noinline)) void output_part(const WinogradTiles<T>& g, const T* from, T* y,
                                           const TilePixels<kTile>& pixels, unsigned empty,
                                           std::int64_t c, std::int64_t n, const TileEnd<T>& end) {
  alignas(64) T values[kTile * kTile * kLanes<T>];
  transform<T, InterpolationLine<kTile, false>>(
      [&](int r, int s) { return load<T>(from + c + (r * 6 + s) * g.point_stride); },
      [&](int r, int s, Vec<T> v) {
        const bool zero = (empty >> (r * kTile + s) & 1u) != 0;
        store<T>(values + (r * kTile + s) * kLanes<T>, zero ? Vec<T>{} : v);
      });
  TileEnd<T> part = end;
  part.columns = n;
  part.ldc = part.ld_saved = g.ld;
  if (end.bias != nullptr) part.bias += c;
  for (std::int64_t r = 0; r < pixels.rows; ++r) {
    const std::int64_t at = (pixels.first + r * g.width) * g.ld + c;
    part.c = y + at;
    if (end.relu_saved != nullptr) part.relu_saved = end.relu_saved + at;
    finish_partial<T>(values + r * kTile * kLanes<T>, pixels.columns, kLanes<T>, part);
  }
}

template <class T, int kTile>
void output(const WinogradTiles<T>& g, T* y, bool accumulate, const GemmEpilogue<T>& e) {
  const std::int64_t whole = g.channels / kLanes<T> * kLanes<T>, rest = g.channels - whole;
  TileEnd<T> end;
  end.accumulate = accumulate;
  end.relu = e.relu;
  end.bias = e.bias;
  end.relu_saved = e.relu_saved;
  const bool plain = !e.relu && e.bias == nullptr && e.relu_saved == nullptr;
  const int ahead = tiles_ahead<T>(g.channels);
  TileWalk tile(g);
  TilePixels<kTile> found[kMostAhead + 1];  // those of tile i at i modulo their number
  for (int i = 0; i < ahead; ++i, tile.next()) found[i].find(g, tile);
  for (std::int64_t i = 0; i < g.count; ++i, tile.next()) {
    const TilePixels<kTile>& pixels = found[i % (kMostAhead + 1)];
    TilePixels<kTile>& next = found[(i + ahead) % (kMostAhead + 1)];
    next.find(g, tile);
    const T* from = g.transformed + i * g.tile_stride;
    const unsigned empty = g.empty == nullptr ? 0 : g.empty[i];
    if (empty != 0) {
      for (std::int64_t c = 0; c < whole; c += kLanes<T>)
        output_part<T, kTile>(g, from, y, pixels, empty, c, kLanes<T>, end);
    } else if (plain && pixels.rows == kTile && pixels.columns == kTile) {
      output_tile<T, kTile, true>(g, from, y, pixels, next, whole, end);
    } else {
      output_tile<T, kTile, false>(g, from, y, pixels, next, whole, end);
    }
    if (rest > 0) output_part<T, kTile>(g, from, y, pixels, empty, whole, rest, end);
    for (std::int64_t r = 0; r < pixels.rows; ++r)
      finish_rows(e, y, g.ld, 0, pixels.first + r * g.width, pixels.columns, g.channels);
  }
}

template <class T, int kTaps>
void weights(const T* taps, std::int64_t tap_stride, T* points, std::int64_t point_stride,
             std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += kLanes<T>) {
    transform<T, EvaluationLine<kTaps, true>>(
        [&](int r, int s) { return load<T>(taps + (r * kTaps + s) * tap_stride + i); },
        [&](int r, int s, Vec<T> v) { store<T>(points + (r * 6 + s) * point_stride + i, v); });
  }
}

template <class T, int kTaps>
void weights_gradient(const T* sums, std::int64_t parts, std::int64_t part_stride,
                      std::int64_t point_stride, std::uint32_t met, T* dkernel,
                      std::int64_t tap_stride, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += kLanes<T>) {
    const std::int64_t lanes = min64(kLanes<T>, n - i);
    transform<T, InterpolationLine<kTaps, true>>(
        [&](int r, int s) {
          const T* from = sums + (r * 6 + s) * point_stride + i;
          Vec<T> sum = load_first(from, lanes);
          for (std::int64_t p = 1; p < parts; ++p) sum += load_first(from + p * part_stride, lanes);
          return sum;
        },
        [&](int r, int s, Vec<T> v) {
          store_first(dkernel + (r * kTaps + s) * tap_stride + i, v, lanes);
        });
  }
  for (int tap = 0; tap < kTaps * kTaps; ++tap) {
    if ((met >> tap & 1u) != 0) continue;
    for (std::int64_t i = 0; i < n; ++i) dkernel[tap * tap_stride + i] = T(0);
  }
}

template <class T, int kTile>
constexpr WinogradKernels<T> make_kernels() {
  constexpr int kTaps = 7 - kTile;
  return {kTile,
          kTaps,
          weights<T, kTaps>,
          input<T, kTile>,
          product<T>,
          gradient<T>,
          output<T, kTile>,
          output_gradient<T, kTile>,
          taps_met<T, kTile>,
          weights_gradient<T, kTaps>};
}

}  // namespace

extern const WinogradKernels<float> winograd_f32[kWinogradSizes];
extern const WinogradKernels<double> winograd_f64[kWinogradSizes];
const WinogradKernels<float> winograd_f32[] = {make_kernels<float, 4>(), make_kernels<float, 2>()};
const WinogradKernels<double> winograd_f64[] = {make_kernels<double, 4>(),
                                                make_kernels<double, 2>()};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
