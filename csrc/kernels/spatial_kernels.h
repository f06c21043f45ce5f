// Padding, cropping and resizing of images: the contract between ops and kernels.
#pragma once

#include "kernels/kernel_table.h"

namespace dlnative {

// A sparse matrix whose rows have their weights next to each other: resizing along one axis. Row o
// has weights[o * stride + k] at columns begin[o] + k, for k in [0, count[o]).
template <class T>
struct Bands {
  const std::int64_t* begin;
  const std::int64_t* count;  // at least 1
  const T* weights;
  std::int64_t stride;
  bool gaps;  // there are weights of 0 between the others: their columns are not read
};

template <class T>
struct SpatialKernels {
  // y[o - first, i] = the sum over k, in order, of weights[o, k] x[begin[o] + k, i], for the rows
  // [first, first + rows) of the matrix and i in [0, inner). May read x up to x_end.
  void (*resample)(const Bands<T>& bands, const T* x, const T* x_end, T* y, std::int64_t inner,
                   std::int64_t first, std::int64_t rows);
};

}  // namespace dlnative
