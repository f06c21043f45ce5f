// Convolution: the contract between ops and kernels.
//
// Both products read one operand where it lies, through a table of offsets, so that strides,
// dilation, padding and groups are the table's business and no copy of the input is made.
#pragma once

#include "kernels/kernel_table.h"

namespace dlnative {

// Y[i, j] = sum over taps t and channels p of X_t,i[p] B[t, p, j]: a batch-reduce product
// (Georganas et al., 2020, "Harnessing deep learning via a single building block"). i counts
// pixels.
template <class T>
struct TapProduct {
  const T* x;
  // Where the channels of tap t of pixel i begin, from x on: rows[((i / tile) * taps + t) *
  // tile_rows + i % tile], negative where the tap lies in the padding.
  const std::int32_t* rows;
  const T* zeros;  // `channels` zeros
  const T* b;      // as `pack` wrote it
  T* y;
  const std::int32_t* out;  // where the row of pixel i begins, from y on, or null: i * ldy
  std::int64_t ldy;
  std::int64_t pixels, taps, channels, n;
  std::int64_t tile;  // pixels of a tile, at most tile_rows; fewer where that gives equal tiles
  bool accumulate;    // Y += instead of Y =
  // Arrays of the epilogue that are indexed like C begin where y begins, and their rows lie as y's
  // do.
  const GemmEpilogue<T>* epilogue;
  Stop stop;
};

// Weights of the taps as the product reads them: value (p, j) of tap t at w[taps[t] + p * rs + j *
// cs], times scale[j] where scale is not null.
template <class T>
struct TapWeights {
  const T* w;
  const std::int32_t* taps;
  std::int64_t count, channels, n, rs, cs;
  const T* scale;
  bool for_taps;  // for a TapProduct
};

// A pixel of the result whose tap reads a pixel of the input: the `pixel`-th of its round, and its
// values begin at `x` in a packed tile of channels.
struct TapPixel {
  std::int32_t x, pixel;
};

// D[t, c, j] (+)= sum over pixels i of X_t,i[c] dY[i, j]: the gradient of the weights. The sum is
// over rounds of gradient_pixels pixels, and in each over those whose tap t does not lie in the
// padding. The pixels of the input that a round reads are packed first, `rows` channels to a tile:
// all taps and columns find them side by side.
template <class T>
struct TapGradient {
  const T* x;
  std::int64_t ldx, input_pixels;
  const std::int32_t* sources;        // pixels of the input, image by image
  const std::int32_t* source_starts;  // of round r: sources[source_starts[r]] up to those of r + 1
  const std::int32_t* source_ends;    // behind the last pixel that round r reads
  const TapPixel* entries;            // x counts in packed values
  const std::int32_t* starts;  // of round r, tap t: entries[starts[r * taps + t]] up to the next
  std::int64_t rows;           // gradient_rows(channels and columns of a group)
  const T* dy;                 // row of pixel i at dy + i * lddy
  std::int64_t lddy;
  T* d;  // (t, c, j) at d + t * tap_stride + c * ldd + j
  std::int64_t tap_stride, ldd;
  std::int64_t pixels, taps, channels, n;  // fewer pixels than the table has may be asked for
  bool accumulate;
  bool more;   // pixels of x and dY follow behind these, and are next
  T* scratch;  // gradient_scratch(sources of a round, rows) values, 64-byte aligned
  Stop stop;
};

// Y[r, i, j] = sum over p of x[r * row_step + i + offsets[p]] B[p, j]: neighbouring pixels i of a
// row r lie side by side in x, which holds planes of one channel each.
template <class T>
struct PlanarProduct {
  const T* x;
  std::int64_t row_step;
  const std::int32_t* offsets;  // not negative
  std::int64_t k;
  const T* b;  // as `pack` wrote it, one tap of k channels
  T* y;        // pixel (r, i) at y + (r * columns + i) * ldy
  std::int64_t ldy, rows, columns, n;
  bool accumulate;                  // Y +=
  const GemmEpilogue<T>* epilogue;  // as in TapProduct
};

// One axis of a window that is slid back, from places to pixels: pixel i is met by the taps of
// phase i % stride, taps[starts[phase]] up to those of the next, at places i / stride + shift.
struct TapShift {
  std::int32_t tap, shift;
};
struct PhaseAxis {
  std::int64_t in, out, window, stride;  // pixels, places, taps
  const TapShift* taps;
  const std::int32_t* starts;
};

// X[i, j, c] = sum over taps (a, b) of the column of (a, b, c) at the place whose tap (a, b) reads
// pixel (i, j), for rows [row, row + rows) of X.
template <class T>
struct Col2Im {
  PhaseAxis h, w;
  std::int64_t channels;
  // Place (o, p) of tap (a, b) and channel c at ((a * w.window + b) * channels + c) * plane + (o -
  // first) * w.out + p. A vector more before and behind may be read.
  const T* columns;
  std::int64_t plane, first;
  std::int64_t row, rows;
  T* x;                             // where row `row` begins
  bool accumulate;                  // X +=
  const GemmEpilogue<T>* epilogue;  // as in TapProduct
  T* scratch;                       // col2im_scratch(w, channels) values
};

template <class T>
struct ConvKernels {
  int tile_rows;        // of the table of a TapProduct
  int panel;            // columns of a full panel of packed weights
  int gradient_pixels;  // per round of a TapGradient
  std::int64_t (*packed_elements)(std::int64_t taps, std::int64_t channels, std::int64_t n);
  // Packs taps [first_tap, first_tap + taps), columns [first, first + columns) of all n; `first` is
  // a multiple of `panel`. `out` is where column 0 of tap 0 begins.
  void (*pack)(const TapWeights<T>& weights, std::int64_t first_tap, std::int64_t taps,
               std::int64_t first, std::int64_t columns, T* out);
  void (*product)(const TapProduct<T>& product);
  std::int64_t (*gradient_rows)(std::int64_t channels, std::int64_t n);
  std::int64_t (*gradient_scratch)(std::int64_t sources, std::int64_t rows);
  void (*gradient)(const TapGradient<T>& gradient);
  void (*planar)(const PlanarProduct<T>& product);
  std::int64_t (*col2im_scratch)(const PhaseAxis& w, std::int64_t channels);
  void (*col2im)(const Col2Im<T>& columns);
};

}  // namespace dlnative
