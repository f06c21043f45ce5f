// What the transform of a convolution and that of its gradient have in common.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dispatch/dispatch.h"
#include "ops/chunks.h"
#include "ops/winograd.h"

namespace dlnative {

// Both transforms of a block stay in the second-level cache, unless that leaves so few tiles that
// reading the weights takes longer than the products.
inline constexpr std::int64_t kBlockBytes = std::int64_t{384} << 10;
inline constexpr std::int64_t kMostTiles = 96;
inline constexpr std::int64_t kBlockColumns = 64;  // of products that wait for their transform

// From a point to the next, where each has so many values: a cache line lies between them, so that
// the points do not fall onto the same lines of the first-level cache.
inline std::int64_t point_stride(std::int64_t values) {
  return whole_vectors(values) + 16;
}

// Tiles at a time, of which each takes so many values per point.
template <class T>
std::int64_t block_tiles(std::int64_t values, std::int64_t least) {
  const std::int64_t bytes = kWinogradPoints * values * static_cast<std::int64_t>(sizeof(T));
  return std::clamp(kBlockBytes / bytes, least, std::max(least, kMostTiles));
}

template <class T>
const WinogradKernels<T>& winograd_kernels(const ConvShape& shape) {
  const WinogradKernels<T>* kernels = dlnative::kernels<T>().winograd;
  while (kernels->taps != shape.window.h.window) ++kernels;
  return *kernels;
}

}  // namespace dlnative
