#include "ops/conv_cost.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "dispatch/dispatch.h"
#include "ops/winograd.h"

namespace dlnative {

namespace {

constexpr double kImpossible = std::numeric_limits<double>::infinity();

constexpr double kPlaneValue = 1.6;  // cycles per value that is written to a plane (Zen 3, 2026-11)

// Cycles per value of dy that is transposed, per vector of a column that is added to a line, per
// vector of a line, and per value of more than two lines that are interleaved (Zen 5, 2026-11).
constexpr double kTransposedValue = 0.5, kColumnVector = 3.0, kLineEndCycles = 12.0,
                 kInterleavedValue = 2.5;

enum class Choice { kAuto, kDirect, kWinograd };
std::atomic<Choice> choice{Choice::kAuto};

// Cycles of one product step of a tile: two products of vectors or two loads per cycle.
double step(double rows, double vectors) {
  return std::max(rows * vectors, rows + vectors) / 2.0;
}

struct Tile {
  double rows, lanes, vectors;
  explicit Tile(const ConvCase& c) {
    const ConvKernels<float>& kernels = *dlnative::kernels<float>().conv;
    rows = kernels.tile_rows;
    vectors = kernels.panel / (kernel_table().vector_bytes / static_cast<double>(sizeof(float)));
    lanes = static_cast<double>(kernel_table().vector_bytes) / static_cast<double>(c.value_bytes);
  }
};

// 1 x 1 windows on every pixel, or one window that is the whole image: the product alone.
double dense(const ConvCase& c) {
  const ConvShape& shape = c.shape;
  const WindowAxis h = shape.window.h, w = shape.window.w;
  if (!c.plain || c.direction == ConvDirection::kBackwardKernel) return kImpossible;
  if (shape.groups != 1 || shape.padded()) return kImpossible;
  const bool pixels = shape.taps() == 1 && h.stride == 1 && w.stride == 1;
  const bool whole = shape.places() == 1 && h.window == h.in && w.window == w.in &&
                     h.dilation == 1 && w.dilation == 1;
  return pixels || whole ? 0.0 : kImpossible;
}

double planar(const ConvCase& c) {
  const ConvShape& shape = c.shape;
  if (shape.groups != 1 || c.direction == ConvDirection::kBackwardInput) return kImpossible;
  const Tile tile(c);
  const double vectors = std::ceil(static_cast<double>(shape.filters) / tile.lanes);
  const double width = std::min(vectors, tile.vectors),
               rows = std::min(12.0, tile.rows * tile.vectors / width);
  const double row_tiles = std::ceil(static_cast<double>(shape.window.w.out) / rows);
  const double used = static_cast<double>(shape.window.w.out) / row_tiles;
  const double k = static_cast<double>(shape.taps() * shape.channels());
  const double products = static_cast<double>(shape.window.h.out) * row_tiles *
                          std::ceil(vectors / width) *
                          (k * (step(used, width) + 0.5) + kTileEndCycles);
  return products + kPlaneValue * static_cast<double>(shape.image() * shape.channels());
}

double col2im(const ConvCase& c) {
  const ConvShape& shape = c.shape;
  if (shape.groups != 1 || c.direction != ConvDirection::kBackwardInput) return kImpossible;
  const Tile tile(c);
  const WindowAxis &h = shape.window.h, &w = shape.window.w;
  const double places = static_cast<double>(shape.places());
  const double filters = static_cast<double>(shape.filters);
  const double count = static_cast<double>(shape.taps() * shape.channels());
  const double products = count / tile.rows * places / (tile.vectors * tile.lanes) *
                          (filters * step(tile.rows, tile.vectors) + kTileEndCycles);
  const double lines = static_cast<double>(h.in * w.stride * shape.channels());
  const double taps = static_cast<double>(shape.taps()) / static_cast<double>(h.stride * w.stride);
  const double vectors = std::ceil(static_cast<double>(ceil_div(w.in, w.stride)) / tile.lanes);
  const bool interleaves = w.stride * shape.channels() > 2;
  return products + kTransposedValue * places * filters +
         lines * vectors * (taps * kColumnVector + kLineEndCycles) +
         (interleaves ? kInterleavedValue * static_cast<double>(shape.image() * shape.channels())
                      : 0.0);
}

double direct(const ConvCase& c) {
  const ConvShape& shape = c.shape;
  const Tile tile(c);
  const bool backward = c.direction == ConvDirection::kBackwardInput;
  const std::int64_t columns = backward ? shape.group_channels() : shape.group_filters();
  const std::int64_t channels = backward ? shape.group_filters() : shape.group_channels();
  const double vectors = std::ceil(static_cast<double>(columns) / tile.lanes);
  const double width = std::min(vectors, tile.vectors);
  const double pixels = static_cast<double>(backward ? shape.image() : shape.places());
  // A pixel of a phase is met by some of the taps.
  const double phases =
      backward ? static_cast<double>(shape.window.h.stride * shape.window.w.stride) : 1.0;
  const double taps = static_cast<double>(shape.taps()) / phases;
  const double tiles = pixels / tile.rows * std::ceil(vectors / width);
  // Channels in pairs where a tile is one vector wide.
  const double products = width == 1.0 ? step(tile.rows, 2.0) / 2.0 : step(tile.rows, width);
  return static_cast<double>(shape.groups) * tiles *
         (taps * (static_cast<double>(channels) * products + kTapChangeCycles) + kTileEndCycles);
}

// Cycles per vector of channels of a tile: its transforms, and of a point's weights; and bytes per
// cycle at which weights come from L3 (Zen 3, 2026-11).
constexpr double kTransform = 120.0, kWeightsTransform = 60.0, kWeightBytes = 8.0;

double winograd(const ConvCase& c) {
  const ConvShape& shape = c.shape;
  const int tile_size = winograd_tile(shape);
  if (choice == Choice::kDirect || tile_size == 0) return kImpossible;
  const Tile tile(c);
  const bool backward = c.direction == ConvDirection::kBackwardInput;
  const double channels = static_cast<double>(backward ? shape.filters : shape.channels());
  const double columns = static_cast<double>(backward ? shape.channels() : shape.filters);
  const WindowAxis &h = shape.window.h, &w = shape.window.w;
  const std::int64_t tiles =
      ceil_div(backward ? h.in : h.out, tile_size) * ceil_div(backward ? w.in : w.out, tile_size);
  const double vectors = std::ceil(columns / tile.lanes), width = std::min(vectors, tile.vectors);
  const double batch = static_cast<double>(std::max<std::int64_t>(shape.batch(), 1));
  const double rows = std::ceil(static_cast<double>(tiles) * batch / tile.rows) / batch;
  const double products = kWinogradPoints * rows * std::ceil(vectors / width) *
                          (channels * step(tile.rows, width) + kTapChangeCycles + kTileEndCycles);
  const double transforms =
      static_cast<double>(tiles) * kTransform * (std::ceil(channels / tile.lanes) + vectors);
  // The gradient's sums are written and read.
  const double bytes = kWinogradPoints * channels * columns * static_cast<double>(c.value_bytes);
  const bool packs = !c.constant && c.direction != ConvDirection::kBackwardKernel;
  const double weights =
      bytes / kWeightBytes +
      (packs ? channels * vectors * kWeightsTransform + bytes / kWeightBytes : 0.0);
  return products + transforms + weights / batch;
}

struct Row {
  ConvAlgorithm algorithm;
  const char* name;
  double (*cycles)(const ConvCase& c);  // per image; kImpossible where it does not apply
};
constexpr Row kAlgorithms[] = {
    {ConvAlgorithm::kDense, "gemm", dense},     {ConvAlgorithm::kPlanar, "planar", planar},
    {ConvAlgorithm::kCol2Im, "col2im", col2im}, {ConvAlgorithm::kWinograd, "winograd", winograd},
    {ConvAlgorithm::kDirect, "direct", direct},
};

}  // namespace

const char* conv_algorithm_name(ConvAlgorithm algorithm) {
  for (const Row& row : kAlgorithms) {
    if (row.algorithm == algorithm) return row.name;
  }
  return "";
}

ConvAlgorithm choose_conv(const ConvCase& c) {
  if (choice == Choice::kWinograd && winograd_tile(c.shape) > 0) return ConvAlgorithm::kWinograd;
  ConvAlgorithm best = ConvAlgorithm::kDirect;
  double least = kImpossible;
  for (const Row& row : kAlgorithms) {
    const double cycles = row.cycles(c);
    if (cycles < least) {
      least = cycles;
      best = row.algorithm;
    }
  }
  return best;
}

void set_conv_algorithm(const std::string& name) {
  if (name != "auto" && name != "direct" && name != "winograd") {
    throw std::invalid_argument("convolution algorithm '" + name +
                                "' is unknown; available: auto, direct, winograd");
  }
  choice = name == "auto" ? Choice::kAuto : name == "direct" ? Choice::kDirect : Choice::kWinograd;
}

}  // namespace dlnative
