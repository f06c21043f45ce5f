// Winograd's convolutions F(4 x 4, 3 x 3) and F(2 x 2, 5 x 5): the contract between ops and
// kernels.
//
// A tile of 4 x 4 pixels of the result follows from 6 x 6 of the input with 36 products per channel
// and filter instead of 144, and one of 2 x 2 pixels with windows of 5 x 5 taps with 36 instead of
// 100:  Y = A' [(G g G') . (B' d B)] A.  The matrices (Winograd, 1980, "Arithmetic complexity of
// computations"; Lavin and Gray, 2016, "Fast algorithms for convolutional neural networks")
// evaluate polynomials at the points 0, +-2/3, +-3/2 and infinity, whose rounding errors are half
// those of the usual points 0, +-1, +-2 (docs/performance.md, "Winograd's transforms"). The
// gradient of the weights is the transpose,  dg = G' [(A dY A') . (B' d B)] G.
//
// Rounding must not take the place of an exact zero: ReLU's gradient at 0 is 0, at 1e-9 it is 1,
// and Adam divides a gradient by its own size. So the pixels of Y whose window is zero in all
// channels are noted while the input is transformed, and are exactly 0 before the epilogue,
// whatever else the tile holds; and so are the taps of dg that meet no pair of pixels of which both
// are nonzero.
#pragma once

#include "kernels/kernel_table.h"

namespace dlnative {

inline constexpr int kWinogradPoints = 36;  // products per tile, channel and filter
inline constexpr int kWinogradSizes = 2;

// Tiles [first, first + count) of images that lie one after the other, each cut into tile_rows x
// tile_columns of them. Value c of tile i at point p is transformed[p * point_stride + (i - first)
// * tile_stride + c], in rows of whole vectors.
template <class T>
struct WinogradTiles {
  std::int64_t height, width;              // of an image
  std::int64_t ld;                         // from a pixel to the next
  std::int64_t channels;                   // of which as many are read or written
  std::int64_t before_row, before_column;  // how far a patch begins before its tile
  std::int64_t tile_rows, tile_columns;
  std::int64_t first, count;
  T* transformed;
  std::int64_t point_stride, tile_stride;
  std::int64_t result_height, result_width;  // of the image that the tiles cut
  // Of each tile, bit (row * tile + column) for the pixels of the result whose window is zero in
  // all channels: `input` writes them, `output` makes those pixels zero. Null: not wanted.
  std::uint16_t* empty;
};

// Y_p = X_p B_p for all points p, or the gradient's Y_p (+)= X_p' B_p, whose sum is over tiles. Row
// i of X_p (a tile) begins at x + p * x_stride + i * ldx, and so with b and y.
template <class T>
struct WinogradProduct {
  const T* x;
  const T* b;  // packed (ldb = 0): as ConvKernels::pack writes one tap; or in rows of whole vectors
  T* y;        // in rows of whole vectors
  std::int64_t x_stride, b_stride, y_stride, ldx, ldb, ldy;
  std::int64_t tiles, channels, n;
  bool accumulate;  // the gradient's
};

template <class T>
struct WinogradKernels {
  int tile;  // rows and columns of a tile of the result
  int taps;  // rows and columns of the window
  // G g G' of n weights, whose taps are tap_stride apart, and whose points will be point_stride
  // apart. n is a multiple of the lanes of a vector.
  void (*weights)(const T* taps, std::int64_t tap_stride, T* points, std::int64_t point_stride,
                  std::int64_t n);
  // B' d B of patches of 6 x 6 pixels; pixels outside of the image are zero. `zeros`: as many as
  // there are channels. Returns whether a bit of tiles.empty is set.
  bool (*input)(const WinogradTiles<T>& tiles, const T* x, const T* zeros);
  void (*product)(const WinogradProduct<T>& product);
  void (*gradient)(const WinogradProduct<T>& product);
  // Y = A' M A, or Y +=, and the epilogue, whose arrays lie as y does.
  void (*output)(const WinogradTiles<T>& tiles, T* y, bool accumulate,
                 const GemmEpilogue<T>& epilogue);
  // A dY A' of the pixels of a tile; those outside of the image are zero.
  void (*output_gradient)(const WinogradTiles<T>& tiles, const T* dy, const T* zeros);
  // `met` and bit (row * taps + column) of each tap that meets, in one of the tiles, a nonzero
  // pixel of x where one of dy is nonzero. Looks no further once all taps do: mostly at a single
  // tile.
  std::uint32_t (*taps_met)(const WinogradTiles<T>& x_tiles, const T* x,
                            const WinogradTiles<T>& dy_tiles, const T* dy, std::uint32_t met);
  // dg = G' D G, where D is the sum of `parts` arrays, part_stride apart; n weights whose taps are
  // tap_stride apart. Zero for the taps that are not in `met`.
  void (*weights_gradient)(const T* sums, std::int64_t parts, std::int64_t part_stride,
                           std::int64_t point_stride, std::uint32_t met, T* dkernel,
                           std::int64_t tap_stride, std::int64_t n);
};

}  // namespace dlnative
