// Convolution over threads: y from x, dx from dy, and dkernel from both, each with fixed addresses,
// planned once and run any number of times.
//
// Images are channels-last, kernels (taps, channels / groups, filters). Each direction has an
// ordered list of algorithms (program/make_conv.cpp); the classes here are the algorithms. Their
// bits do not depend on the number of threads: a product is cut into pixels and columns of the
// result only, and the sums of the gradient into parts whose number follows from the shapes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/table.h"
#include "core/workspace.h"
#include "kernels/conv_kernels.h"
#include "kernels/kernel_table.h"
#include "ops/chunks.h"
#include "ops/gemm.h"
#include "ops/packed_weights.h"
#include "ops/window.h"

namespace dlnative {

// The weight gradient is summed in at most so many parts.
inline constexpr std::int64_t kMostParts = 16;

// Cycles of a tile besides those of its products, as measured on Zen 3 (2026-11).
inline constexpr double kTapChangeCycles = 15.0;  // pointers of a tile's rows
inline constexpr double kTileEndCycles = 40.0;    // call, epilogue, stores

enum class ConvDirection { kForward, kBackwardInput, kBackwardKernel };

struct ConvShape {
  Window window;  // from x to y
  std::int64_t filters = 0;
  std::int64_t groups = 1;

  std::int64_t batch() const { return window.batch; }
  std::int64_t channels() const { return window.channels; }
  std::int64_t group_channels() const { return window.channels / groups; }
  std::int64_t group_filters() const { return filters / groups; }
  std::int64_t taps() const { return window.h.window * window.w.window; }
  std::int64_t image() const { return window.h.in * window.w.in; }     // pixels of x
  std::int64_t places() const { return window.h.out * window.w.out; }  // pixels of y
  bool padded() const;  // a tap lies outside of the image
  double flops() const;
};

// Small images share one table of so many pixels, so that few tiles are cut short.
inline constexpr std::int64_t kTablePixels = 256;

// Images of so many pixels per table.
inline std::int64_t images_per_table(const ConvShape& shape, std::int64_t pixels) {
  const std::int64_t fit = kTablePixels / std::max<std::int64_t>(pixels, 1);
  return std::max<std::int64_t>(1, std::min(shape.batch(), fit));
}

// Elements up to the next multiple of what the widest vector holds.
inline std::int64_t whole_vectors(std::int64_t a) {
  return round_up(a, 16);
}

// What a convolution may do besides: all of it for an image that was just computed.
template <class T>
struct ConvExtras {
  GemmEpilogue<T> epilogue;  // saved and pre_activation are shaped like the result
  // Shaped like the result, perhaps the result itself: added before the epilogue. In an adjoint it
  // is the cotangent that x has from its other consumers.
  const T* residual = nullptr;
  // (blocks, 2, filters): mean and sum of squared deviations of blocks of so many pixels, whole
  // ones in every image.
  T* moments = nullptr;
  std::int64_t moment_pixels = 0;
  // y is normalised with these: the weights are scaled while they are packed, the rest is a bias.
  const T* mean = nullptr;
  const T* variance = nullptr;
  const T* gamma = nullptr;
  const T* beta = nullptr;
  double epsilon = 0.0;
  // The weights change between runs only: a convolution keeps them packed.
  bool keeps_weights = false;
};

// The epilogue of the part of the result that begins at this column, `at` values behind its
// beginning; pixels are `ld` values apart.
template <class T>
GemmEpilogue<T> epilogue_of_part(const ConvExtras<T>& e, const T* bias, std::int64_t column,
                                 std::int64_t at, std::int64_t ld) {
  GemmEpilogue<T> whole = e.epilogue;
  whole.bias = bias;
  whole.ld_saved = ld;
  return epilogue_of_part(whole, column, at, at);
}

// Copies what is added to the result there, unless it lies there already.
template <class T>
void place_residual(const ConvExtras<T>& e, std::int64_t size, T* result);

// Parts of the columns are multiples of this: of a panel of the packed weights, and where there are
// moments, of as many as give these the same bits in parts and whole.
template <class T>
std::int64_t column_step(const ConvExtras<T>& e);

// Moments of columns [column, column + columns) of an image of y.
template <class T>
void take_moments(const ConvExtras<T>& e, const ConvShape& shape, const T* y, std::int64_t image,
                  std::int64_t column, std::int64_t columns);

// Normalisation by e.mean and e.variance, y = scale (w * x) + bias per filter, where there is one:
// scale and bias lie behind the packed weights.
template <class T>
class FoldedNorm {
 public:
  FoldedNorm(const ConvExtras<T>& e, std::int64_t filters) : e_(e), filters_(filters) {}

  std::int64_t elements() const;
  void write(T* to) const;
  T* scale(T* at) const;             // null without a normalisation
  const T* bias(const T* at) const;  // that of the convolution without a normalisation
  void append_to(std::string& key) const;

 private:
  const ConvExtras<T>& e_;
  std::int64_t filters_ = 0;
};

// Pixels of the result times the taps that reach them; the inner loop is the register tile of
// matrix products over the channels of one tap after the other. Both directions, any strides,
// dilation, padding and groups. A strided dx falls into phases, of which each sees only the taps
// that meet it.
template <class T>
class DirectConv {
 public:
  static DirectConv forward(const ConvShape& shape, const T* x, const T* kernel, T* y,
                            const ConvExtras<T>& extras);
  static DirectConv backward_input(const ConvShape& shape, const T* dy, const T* kernel, T* dx,
                                   const ConvExtras<T>& extras);

  void run();

  // For weights that `run` packs itself.
  std::size_t set_workspace(void* workspace);
  // The same bytes, without the tables.
  static std::size_t workspace_bytes(const ConvShape& shape, ConvDirection direction,
                                     const ConvExtras<T>& extras);

  // Where it keeps its weights: `run` uses those that the last `pack` left, and packs none itself.
  bool keeps_weights() const { return extras_.keeps_weights; }
  void keep_packed();
  void pack(std::int64_t version);
  std::size_t kept_bytes() const { return weights_.kept_bytes(); }

 private:
  // Pixels of the result that the same taps reach, in `images_per_table_` images at a time.
  struct Phase {
    Table<std::int32_t> taps;    // where each begins in the kernel
    Table<std::int32_t> rows;    // see TapProduct
    Table<std::int32_t> out;     // likewise; empty where the pixels are all there are, in order
    std::int64_t pixels = 0;     // per image
    std::int64_t tile = 1;       // pixels of a tile
    std::int64_t packed_at = 0;  // in the packed weights of a group
    // How it is cut for the threads at hand.
    std::int64_t pixel_part = 0, pixel_parts = 0, column_part = 0, column_parts = 0, first_task = 0;
  };

  DirectConv(const ConvShape& shape, const T* in, const T* kernel, T* result,
             const ConvExtras<T>& extras);
  template <class Reach>
  void add_phase(std::int64_t row0, std::int64_t column0, std::int64_t row_step,
                 std::int64_t column_step, Reach reach);
  void finish_phases();
  void plan(int threads);
  std::size_t packed_bytes() const;
  void pack_weights(T* packed) const;
  void run_task(std::int64_t task, const T* packed, const T* bias) const;
  void run_images(const Phase& phase, std::int64_t group, std::int64_t first_image,
                  std::int64_t pixel, std::int64_t column, const T* packed, const T* bias) const;
  void finish_images(std::int64_t group, std::int64_t first_image) const;

  const ConvKernels<T>* kernels_ = nullptr;
  ConvShape shape_;
  const T* in_ = nullptr;
  const T* kernel_ = nullptr;
  T* result_ = nullptr;
  ConvExtras<T> extras_;
  bool backward_ = false;
  std::int64_t in_pixels_ = 0, in_channels_ = 0;  // of an image, all groups
  std::int64_t result_height_ = 0, result_width_ = 0, result_channels_ = 0;
  std::int64_t channels_ = 0, columns_ = 0;  // of a group
  std::int64_t images_per_table_ = 1;        // images per table
  std::int64_t packed_ = 0;                  // elements per group
  Table<Phase> phases_;
  Table<T> zeros_;
  PackedWeights<T> weights_;
  T* workspace_ = nullptr;
  int planned_for_ = 0, threads_ = 0;
  std::int64_t tasks_ = 0;
  // A task is all phases of its images, whose activation then runs over pixels without gaps.
  bool whole_images_ = false;
};

// How the sums of a gradient are cut: into parts of the batch, whose sums are added afterwards, and
// into columns.
template <class T>
struct GradientParts {
  explicit GradientParts(const ConvShape& shape);

  std::int64_t tasks(const ConvShape& shape) const { return splits * shape.groups * column_parts; }
  // Of the sums of all parts; 0 where there is one part, which needs none of its own.
  std::int64_t elements() const { return splits > 1 ? splits * partial_elements : 0; }

  std::int64_t images = 1;            // images per table
  std::int64_t partial_elements = 0;  // of a part: dkernel, then dbias
  std::int64_t splits = 1, batches_per_split = 1;
  std::int64_t column_part = 0, column_parts = 1;  // of the filters of a group
};

// dkernel, and dbias where it is not null.
template <class T>
class ConvGradient {
 public:
  ConvGradient(const ConvShape& shape, const T* x, const T* dy, T* dkernel, T* dbias, int threads);

  void run();
  std::size_t set_workspace(void* workspace);
  // The same bytes, without the tables.
  static std::size_t workspace_bytes(const ConvShape& shape, int threads);

 private:
  // The pieces of the workspace.
  struct Memory {
    Memory(const ConvShape& shape, const GradientParts<T>& parts, int threads, void* workspace);
    T* partial = nullptr;  // null where there is one part
    ThreadScratch<T> scratch;
    std::size_t bytes = 0;
  };
  void run_task(std::int64_t task, T* partial, T* scratch) const;

  const ConvKernels<T>* kernels_ = nullptr;
  ConvShape shape_;
  const T* x_ = nullptr;
  const T* dy_ = nullptr;
  T* dkernel_ = nullptr;
  T* dbias_ = nullptr;
  // See TapGradient.
  Table<std::int32_t> sources_, source_starts_, source_ends_, starts_;
  Table<TapPixel> entries_;
  std::int64_t rows_ = 0;
  GradientParts<T> parts_;
  int threads_ = 0;
  Memory memory_;
};

// Few channels, no groups: each image, padded, is taken apart into planes of one channel (and,
// where the stride is w, of every w-th column), so that neighbouring pixels of the result read
// neighbouring values. Channels times taps are one sum, of k() values.
template <class T>
class Planes {
 public:
  explicit Planes(const ConvShape& shape);

  // Those that rows [first_row, first_row + rows) of y read, at most band(); elements() values.
  void fill(const T* image, std::int64_t first_row, std::int64_t rows, T* planes) const;

  std::int64_t k() const { return static_cast<std::int64_t>(offsets_.size()); }
  std::int64_t band() const { return band_; }
  std::int64_t elements() const { return elements_; }
  std::int64_t row_step() const;                                   // from a row of y to the next
  const Table<std::int32_t>& offsets() const { return offsets_; }  // of each of the k values

 private:
  ConvShape shape_;
  std::int64_t line_ = 0;                  // values of a row of a plane
  std::int64_t band_ = 0;                  // rows of y whose planes are made at a time
  std::int64_t plane_ = 0, elements_ = 0;  // values of one plane for a band, and of all
  Table<std::int32_t> offsets_;
};

template <class T>
class PlanarConv {
 public:
  PlanarConv(const ConvShape& shape, const T* x, const T* kernel, T* y, const ConvExtras<T>& extras,
             int threads);

  void run();
  std::size_t set_workspace(void* workspace);
  bool keeps_weights() const { return extras_.keeps_weights; }  // see DirectConv
  void keep_packed();
  void pack(std::int64_t version);
  std::size_t kept_bytes() const { return weights_.kept_bytes(); }

 private:
  std::size_t packed_bytes() const;
  void pack_weights(T* packed) const;

  const ConvKernels<T>* kernels_ = nullptr;
  ConvShape shape_;
  Planes<T> planes_;
  const T* x_ = nullptr;
  const T* kernel_ = nullptr;
  T* y_ = nullptr;
  ConvExtras<T> extras_;
  std::int64_t packed_ = 0;  // elements of the packed weights
  PackedWeights<T> weights_;
  T* workspace_ = nullptr;
  int threads_ = 0;
  std::int64_t part_ = 0, parts_ = 0;  // rows of a task, and tasks per image
  ThreadScratch<T> scratch_;           // planes
};

// dkernel, and dbias where it is not null.
template <class T>
class PlanarGradient {
 public:
  PlanarGradient(const ConvShape& shape, const T* x, const T* dy, T* dkernel, T* dbias,
                 int threads);

  void run();
  std::size_t set_workspace(void* workspace);

 private:
  void run_part(std::int64_t part, T* partial, T* planes) const;

  const ConvKernels<T>* kernels_ = nullptr;
  ConvShape shape_;
  Planes<T> planes_;
  const T* x_ = nullptr;
  const T* dy_ = nullptr;
  T* dkernel_ = nullptr;
  T* dbias_ = nullptr;
  Table<std::int32_t> rows_;   // see TapProduct
  Table<std::int32_t> lines_;  // where the rows of dy begin
  std::int64_t tile_ = 0;
  std::int64_t parts_ = 0;  // of the sum
  std::int64_t partial_elements_ = 0;
  int threads_ = 0;
  T* partial_ = nullptr;      // null where there is one part
  ThreadScratch<T> scratch_;  // planes, then packed rows of dy
};

// The adjoint where x has few channels, no groups: the products of all pixels of dy with the
// weights of each tap and channel, which fill vectors of pixels, are added up where the taps put
// them.
template <class T>
class Col2ImConv {
 public:
  Col2ImConv(const ConvShape& shape, const T* dy, const T* kernel, T* dx,
             const ConvExtras<T>& extras, int threads);

  void run();
  std::size_t set_workspace(void* workspace);

 private:
  // An axis with its tables.
  struct Axis {
    explicit Axis(const WindowAxis& of);
    PhaseAxis phases() const;
    WindowAxis axis;
    Table<TapShift> taps;
    Table<std::int32_t> starts;
  };
  // Rows [first, last) of places that a band of dx needs; all of them where it is the whole image.
  std::pair<std::int64_t, std::int64_t> places(std::int64_t row, std::int64_t rows) const;
  // The products of `places` places from row `first` of image `image` on.
  void multiply(std::int64_t image, std::int64_t first, std::int64_t places, T* columns,
                T* scratch) const;
  void add_up(std::int64_t image, std::int64_t row, std::int64_t rows, std::int64_t first,
              const T* columns, T* scratch) const;

  const ConvKernels<T>* kernels_ = nullptr;
  ConvShape shape_;
  const T* dy_ = nullptr;
  const T* kernel_ = nullptr;
  T* dx_ = nullptr;
  ConvExtras<T> extras_;
  Axis h_, w_;
  int threads_ = 0;
  std::int64_t images_ = 1;            // of a task
  std::int64_t band_ = 0, bands_ = 0;  // rows of dx of a task, and tasks per image
  std::int64_t plane_ = 0;             // values of a column
  std::int64_t columns_ = 0, products_ = 0, lines_ = 0;  // values of the pieces of the scratch
  ThreadScratch<T> scratch_;
};

// out[i] = sum over s of parts[s * stride + i], in the order of s; at least two parts.
template <class T>
void sum_parts(const T* parts, std::int64_t count, std::int64_t stride, std::int64_t size, T* out);

}  // namespace dlnative
