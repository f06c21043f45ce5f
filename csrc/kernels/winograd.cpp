// The transforms of Winograd's convolution: two passes of short sums over a square of vectors,
// whose lanes are channels.
#include "kernels/winograd_kernels.h"

#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

// The points are 0, +-kP, +-kQ and infinity.
constexpr double kP = 2.0 / 3.0, kQ = 3.0 / 2.0;
// The divisors of Lagrange's interpolation there; that of 0 is (kP kQ)^2 = 1.
constexpr double kOverP = 1.0 / (2.0 * kP * kP * (kP * kP - kQ * kQ));
constexpr double kOverQ = 1.0 / (2.0 * kQ * kQ * (kQ * kQ - kP * kP));

template <class T>
constexpr T constant(double value) {
  return static_cast<T>(value);
}

// Rows of B', which are the polynomials that vanish at all points but one.
struct InputLine {
  static constexpr int kIn = 6, kOut = 6;
  template <class T>
  DLNATIVE_INLINE void apply(const Vec<T> (&x)[kIn], Vec<T> (&y)[kOut]) {
    constexpr T p = constant<T>(kP), q = constant<T>(kQ), pp = constant<T>(kP * kP),
                qq = constant<T>(kQ * kQ), sum = constant<T>(kP * kP + kQ * kQ);
    const Vec<T> even_p = x[4] - qq * x[2], odd_p = x[3] - qq * x[1];
    const Vec<T> even_q = x[4] - pp * x[2], odd_q = x[3] - pp * x[1];
    y[0] = x[4] + x[0] - sum * x[2];
    y[1] = even_p + p * odd_p;
    y[2] = even_p - p * odd_p;
    y[3] = even_q + q * odd_q;
    y[4] = even_q - q * odd_q;
    y[5] = x[5] + x[1] - sum * x[3];
  }
};

// Rows of G: a polynomial of three coefficients at the points, over the divisors.
struct WeightsLine {
  static constexpr int kIn = 3, kOut = 6;
  template <class T>
  DLNATIVE_INLINE void apply(const Vec<T> (&g)[kIn], Vec<T> (&y)[kOut]) {
    const Vec<T> even_p = constant<T>(kOverP) * g[0] + constant<T>(kP * kP * kOverP) * g[2];
    const Vec<T> even_q = constant<T>(kOverQ) * g[0] + constant<T>(kQ * kQ * kOverQ) * g[2];
    constexpr T p = constant<T>(kP * kOverP), q = constant<T>(kQ * kOverQ);
    y[0] = g[0];
    y[1] = even_p + p * g[1];
    y[2] = even_p - p * g[1];
    y[3] = even_q + q * g[1];
    y[4] = even_q - q * g[1];
    y[5] = g[2];
  }
};

// Columns of G.
struct WeightsGradientLine {
  static constexpr int kIn = 6, kOut = 3;
  template <class T>
  DLNATIVE_INLINE void apply(const Vec<T> (&d)[kIn], Vec<T> (&g)[kOut]) {
    const Vec<T> even_p = d[1] + d[2], odd_p = d[1] - d[2];
    const Vec<T> even_q = d[3] + d[4], odd_q = d[3] - d[4];
    g[0] = d[0] + constant<T>(kOverP) * even_p + constant<T>(kOverQ) * even_q;
    g[1] = constant<T>(kP * kOverP) * odd_p + constant<T>(kQ * kOverQ) * odd_q;
    g[2] = d[5] + constant<T>(kP * kP * kOverP) * even_p + constant<T>(kQ * kQ * kOverQ) * even_q;
  }
};

// Rows of A': powers of the points.
struct OutputLine {
  static constexpr int kIn = 6, kOut = 4;
  template <class T>
  DLNATIVE_INLINE void apply(const Vec<T> (&m)[kIn], Vec<T> (&y)[kOut]) {
    const Vec<T> even_p = m[1] + m[2], odd_p = m[1] - m[2];
    const Vec<T> even_q = m[3] + m[4], odd_q = m[3] - m[4];
    y[0] = m[0] + even_p + even_q;
    y[1] = constant<T>(kP) * odd_p + constant<T>(kQ) * odd_q;
    y[2] = constant<T>(kP * kP) * even_p + constant<T>(kQ * kQ) * even_q;
    y[3] = m[5] + constant<T>(kP * kP * kP) * odd_p + constant<T>(kQ * kQ * kQ) * odd_q;
  }
};

// Columns of A'.
struct OutputGradientLine {
  static constexpr int kIn = 4, kOut = 6;
  template <class T>
  DLNATIVE_INLINE void apply(const Vec<T> (&dy)[kIn], Vec<T> (&z)[kOut]) {
    const Vec<T> even_p = dy[0] + constant<T>(kP * kP) * dy[2];
    const Vec<T> even_q = dy[0] + constant<T>(kQ * kQ) * dy[2];
    const Vec<T> odd_p = dy[1] + constant<T>(kP * kP) * dy[3];
    const Vec<T> odd_q = dy[1] + constant<T>(kQ * kQ) * dy[3];
    z[0] = dy[0];
    z[1] = even_p + constant<T>(kP) * odd_p;
    z[2] = even_p - constant<T>(kP) * odd_p;
    z[3] = even_q + constant<T>(kQ) * odd_q;
    z[4] = even_q - constant<T>(kQ) * odd_q;
    z[5] = dy[3];
  }
};

// L X L' of a square of vectors: read(r, s) gives one, write(r, s, v) takes one.
template <class T, class Line, class Read, class Write>
DLNATIVE_INLINE void transform(const Read& read, const Write& write) {
  Vec<T> half[Line::kOut][Line::kIn];
#pragma GCC unroll 6
  for (int s = 0; s < Line::kIn; ++s) {
    Vec<T> x[Line::kIn], y[Line::kOut];
#pragma GCC unroll 6
    for (int r = 0; r < Line::kIn; ++r) x[r] = read(r, s);
    Line::template apply<T>(x, y);
#pragma GCC unroll 6
    for (int r = 0; r < Line::kOut; ++r) half[r][s] = y[r];
  }
#pragma GCC unroll 6
  for (int r = 0; r < Line::kOut; ++r) {
    Vec<T> y[Line::kOut];
    Line::template apply<T>(half[r], y);
#pragma GCC unroll 6
    for (int s = 0; s < Line::kOut; ++s) write(r, s, y[s]);
  }
}

// Tiles in the order of their numbers.
class TileWalk {
 public:
  template <class Tiles>
  explicit TileWalk(const Tiles& tiles)
      : tile_rows_(tiles.tile_rows),
        tile_columns_(tiles.tile_columns),
        image(tiles.first / (tile_rows_ * tile_columns_)),
        row(tiles.first / tile_columns_ % tile_rows_),
        column(tiles.first % tile_columns_) {}

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

// Where the pixels of a patch begin.
template <class T, int kSize>
struct Patch {
  const T* at[kSize][kSize];

  void find(const WinogradTiles<T>& g, const TileWalk& tile, const T* x, const T* zeros) {
    const std::int64_t row = tile.row * kWinogradTile - g.before_row;
    const std::int64_t column = tile.column * kWinogradTile - g.before_column;
    const T* first = x + ((tile.image * g.height + row) * g.width + column) * g.ld;
    bool inside[kSize];
    for (int s = 0; s < kSize; ++s) inside[s] = column + s >= 0 && column + s < g.width;
    for (int r = 0; r < kSize; ++r, first += g.width * g.ld) {
      const bool row_inside = row + r >= 0 && row + r < g.height;
#pragma GCC unroll 6
      for (int s = 0; s < kSize; ++s) at[r][s] = row_inside & inside[s] ? first + s * g.ld : zeros;
    }
  }
};

// Where channel c is the first of a cache line: what is needed with the next tile is asked for, as
// the processor does not foresee it (64 channels from the third-level cache: 280 -> 170 cycles per
// vector and tile; Zen 3, 2026-11).
template <class T>
DLNATIVE_INLINE bool begins_line(std::int64_t c) {
  return c % (64 / static_cast<int>(sizeof(T))) == 0;
}

template <class T, class Line>
void transform_patches(const WinogradTiles<T>& g, const T* x, const T* zeros) {
  constexpr int kSize = Line::kIn;
  const std::int64_t whole = g.channels / kLanes<T> * kLanes<T>, rest = g.channels - whole;
  TileWalk tile(g);
  Patch<T, kSize> patches[2];
  patches[0].find(g, tile, x, zeros);
  for (std::int64_t i = 0; i < g.count; ++i) {
    const Patch<T, kSize>&patch = patches[i % 2], &next = patches[(i + 1) % 2];
    tile.next();
    if (i + 1 < g.count) patches[(i + 1) % 2].find(g, tile, x, zeros);
    T* to = g.transformed + i * g.tile_stride;
    const auto write = [&](int r, int s, Vec<T> v) {
      store<T>(to + (r * Line::kOut + s) * g.point_stride, v);
    };
    for (std::int64_t c = 0; c < whole; c += kLanes<T>, to += kLanes<T>) {
      if (begins_line<T>(c)) {
        for (int r = 0; r < kSize; ++r) {
          for (int s = kSize - kWinogradTile; s < kSize; ++s) __builtin_prefetch(next.at[r][s] + c);
        }
      }
      transform<T, Line>([&](int r, int s) { return load<T>(patch.at[r][s] + c); }, write);
    }
    if (rest > 0) {
      transform<T, Line>([&](int r, int s) { return load_first(patch.at[r][s] + whole, rest); },
                         write);
    }
  }
}

template <class T>
void input(const WinogradTiles<T>& tiles, const T* x, const T* zeros) {
  transform_patches<T, InputLine>(tiles, x, zeros);
}

template <class T>
void output_gradient(const WinogradTiles<T>& tiles, const T* dy, const T* zeros) {
  transform_patches<T, OutputGradientLine>(tiles, dy, zeros);
}

// The pixels of a tile of the result that lie in the image.
struct TilePixels {
  std::int64_t first, rows, columns;

  template <class T>
  TilePixels(const WinogradTiles<T>& g, const TileWalk& tile) {
    const std::int64_t row = tile.row * kWinogradTile, column = tile.column * kWinogradTile;
    first = (tile.image * g.height + row) * g.width + column;
    rows = min64(kWinogradTile, g.height - row);
    columns = min64(kWinogradTile, g.width - column);
  }
};

// One tile, `whole` channels of it. kPlain: all pixels are in the image, and nothing is asked for
// but Y = or Y +=.
template <class T, bool kPlain>
DLNATIVE_INLINE void output_tile(const WinogradTiles<T>& g, const T* from, T* y,
                                 const TilePixels& pixels, const TilePixels& next,
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
    transform<T, OutputLine>(
        [&](int r, int s) { return load<T>(from + (r * OutputLine::kIn + s) * g.point_stride); },
        [&](int r, int s, Vec<T> v) {
          T* to = first + r * line + s * g.ld;
          if (kPlain) return store<T>(to, end.accumulate ? v + load<T>(to) : v);
          if (r >= pixels.rows || s >= pixels.columns) return;
          store<T>(to, finish_vector<T>(v, end, to, end.bias + c, end.relu_saved + (to - y)));
        });
  }
}

template <class T>
void output(const WinogradTiles<T>& g, T* y, bool accumulate, const GemmEpilogue<T>& e) {
  const std::int64_t whole = g.channels / kLanes<T> * kLanes<T>, rest = g.channels - whole;
  TileEnd<T> end;
  end.accumulate = accumulate;
  end.relu = e.relu;
  end.bias = e.bias;
  end.relu_saved = e.relu_saved;
  const bool plain = !e.relu && e.bias == nullptr && e.relu_saved == nullptr;
  TileWalk tile(g);
  TilePixels next(g, tile);
  for (std::int64_t i = 0; i < g.count; ++i) {
    const TilePixels pixels = next;
    tile.next();
    if (i + 1 < g.count) next = TilePixels(g, tile);
    const T* from = g.transformed + i * g.tile_stride;
    if (plain && pixels.rows == kWinogradTile && pixels.columns == kWinogradTile) {
      output_tile<T, true>(g, from, y, pixels, next, whole, end);
    } else {
      output_tile<T, false>(g, from, y, pixels, next, whole, end);
    }
    if (rest > 0) {
      TileEnd<T> part = end;
      part.columns = rest;
      if (end.bias != nullptr) part.bias += whole;
      transform<T, OutputLine>(
          [&](int r, int s) {
            return load<T>(from + whole + (r * OutputLine::kIn + s) * g.point_stride);
          },
          [&](int r, int s, Vec<T> v) {
            if (r >= pixels.rows || s >= pixels.columns) return;
            const std::int64_t at = (pixels.first + r * g.width + s) * g.ld + whole;
            alignas(kVectorBytes) T values[kLanes<T>];
            store<T>(values, v);
            part.c = y + at;
            if (end.relu_saved != nullptr) part.relu_saved = end.relu_saved + at;
            finish_partial<T>(values, 1, kLanes<T>, part);
          });
    }
    for (std::int64_t r = 0; r < pixels.rows; ++r)
      finish_rows(e, y, g.ld, 0, pixels.first + r * g.width, pixels.columns, g.channels);
  }
}

template <class T>
void weights(const T* taps, std::int64_t tap_stride, T* points, std::int64_t point_stride,
             std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += kLanes<T>) {
    transform<T, WeightsLine>(
        [&](int r, int s) { return load<T>(taps + (r * 3 + s) * tap_stride + i); },
        [&](int r, int s, Vec<T> v) { store<T>(points + (r * 6 + s) * point_stride + i, v); });
  }
}

template <class T>
void weights_gradient(const T* sums, std::int64_t parts, std::int64_t part_stride,
                      std::int64_t point_stride, T* dkernel, std::int64_t tap_stride,
                      std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += kLanes<T>) {
    const std::int64_t lanes = min64(kLanes<T>, n - i);
    transform<T, WeightsGradientLine>(
        [&](int r, int s) {
          const T* from = sums + (r * 6 + s) * point_stride + i;
          Vec<T> sum = load_first(from, lanes);
          for (std::int64_t p = 1; p < parts; ++p) sum += load_first(from + p * part_stride, lanes);
          return sum;
        },
        [&](int r, int s, Vec<T> v) {
          store_first(dkernel + (r * 3 + s) * tap_stride + i, v, lanes);
        });
  }
}

}  // namespace

extern const WinogradKernels<float> winograd_f32;
extern const WinogradKernels<double> winograd_f64;
const WinogradKernels<float> winograd_f32 = {weights<float>, input<float>, output<float>,
                                             output_gradient<float>, weights_gradient<float>};
const WinogradKernels<double> winograd_f64 = {weights<double>, input<double>, output<double>,
                                              output_gradient<double>, weights_gradient<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
