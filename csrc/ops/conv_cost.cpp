#include "ops/conv_cost.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "dispatch/dispatch.h"

namespace dlnative {

namespace {

constexpr double kImpossible = std::numeric_limits<double>::infinity();

constexpr double kPlaneValue = 1.6;  // cycles per value that is written to a plane (Zen 3, 2026-11)

struct Case {
  const ConvShape& shape;
  ConvDirection direction;
  bool plain;
};

// Cycles of one product step of a tile: two products of vectors or two loads per cycle.
double step(double rows, double vectors) {
  return std::max(rows * vectors, rows + vectors) / 2.0;
}

struct Tile {
  double rows, lanes, vectors;
  Tile() {
    const ConvKernels<float>& kernels = *dlnative::kernels<float>().conv;
    rows = kernels.tile_rows;
    lanes = static_cast<double>(kernel_table().vector_bytes) / sizeof(float);
    vectors = kernels.panel / lanes;
  }
};

// 1 x 1 windows on every pixel, or one window that is the whole image: the product alone.
double dense(const Case& c) {
  const ConvShape& shape = c.shape;
  const WindowAxis h = shape.window.h, w = shape.window.w;
  if (!c.plain || c.direction == ConvDirection::kBackwardKernel) return kImpossible;
  if (shape.groups != 1 || shape.padded()) return kImpossible;
  const bool pixels = shape.taps() == 1 && h.stride == 1 && w.stride == 1;
  const bool whole = shape.places() == 1 && h.window == h.in && w.window == w.in &&
                     h.dilation == 1 && w.dilation == 1;
  return pixels || whole ? 0.0 : kImpossible;
}

double planar(const Case& c) {
  const ConvShape& shape = c.shape;
  if (shape.groups != 1 || c.direction == ConvDirection::kBackwardInput) return kImpossible;
  const Tile tile;
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

double direct(const Case& c) {
  const ConvShape& shape = c.shape;
  const Tile tile;
  const double vectors = std::ceil(static_cast<double>(shape.group_filters()) / tile.lanes);
  const double width = std::min(vectors, tile.vectors);
  const double tiles = static_cast<double>(shape.places()) / tile.rows * std::ceil(vectors / width);
  return static_cast<double>(shape.groups) * tiles *
         (static_cast<double>(shape.taps()) *
              (static_cast<double>(shape.group_channels()) * step(tile.rows, width) +
               kTapChangeCycles) +
          kTileEndCycles);
}

// Winograd's row goes before `direct`.
struct Row {
  ConvAlgorithm algorithm;
  const char* name;
  double (*cycles)(const Case& c);  // per image; kImpossible where it does not apply
};
constexpr Row kAlgorithms[] = {
    {ConvAlgorithm::kDense, "gemm", dense},
    {ConvAlgorithm::kPlanar, "planar", planar},
    {ConvAlgorithm::kDirect, "direct", direct},
};

}  // namespace

const char* conv_algorithm_name(ConvAlgorithm algorithm) {
  for (const Row& row : kAlgorithms) {
    if (row.algorithm == algorithm) return row.name;
  }
  return "";
}

ConvAlgorithm choose_conv(const ConvShape& shape, ConvDirection direction, bool plain) {
  ConvAlgorithm best = ConvAlgorithm::kDirect;
  double least = kImpossible;
  for (const Row& row : kAlgorithms) {
    const double cycles = row.cycles(Case{shape, direction, plain});
    if (cycles < least) {
      least = cycles;
      best = row.algorithm;
    }
  }
  return best;
}

}  // namespace dlnative
