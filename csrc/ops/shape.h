// Ops that move elements and compute nothing. Elements are opaque values of 1, 2, 4 or 8 bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/broadcast.h"

namespace dlnative {

// Copies `rows` pieces of `row_bytes`; pieces start `stride` bytes apart on either side. `to` and
// `from` do not overlap, unless they are the same array with the same strides.
class CopyRowsOp {
 public:
  CopyRowsOp(std::int64_t rows, std::int64_t row_bytes, std::int64_t stride_to,
             std::int64_t stride_from);
  void run(const void* from, void* to) const;

 private:
  std::int64_t rows_ = 0, row_bytes_ = 0, stride_to_ = 0, stride_from_ = 0;
  int threads_ = 0;
};

// y = x permuted: axis k of y is axis axes[k] of x.
class TransposeOp {
 public:
  // std::invalid_argument: axes is not a permutation of the axes of `shape`, the shape of x.
  TransposeOp(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& axes,
              std::int64_t element_size);
  void run(const void* x, void* y) const;

 private:
  // Takes the axes of a tile out of `axes`, which are those of y with the steps (x, y).
  void set_tile_axes(Table<LoopNest::Axis>& axes);
  void run_rows(const char* x, char* y) const;
  // f(x, y, rows, columns) for every tile, the addresses in elements from the arrays' begins.
  template <class F>
  void for_each_tile(const void* y, F&& f) const;
  template <class T>
  void run_vectors(const T* x, T* y) const;
  template <class Element>
  void run_elements(const Element* x, Element* y) const;

  LoopNest nest_;                     // of all other axes
  LoopNest::Axis column_{1, {1, 1}};  // the last axis of y
  LoopNest::Axis row_{1, {1, 1}};     // the axis along which x is contiguous, if another
  std::int64_t tile_rows_ = 1, tile_columns_ = 1;
  std::int64_t element_size_ = 0;
  bool streamed_ = false;
  int threads_ = 0;
};

// y = x broadcast to a larger shape, by NumPy's rules.
class BroadcastToOp {
 public:
  // std::invalid_argument: `x` does not broadcast to `shape`.
  BroadcastToOp(const std::vector<std::int64_t>& x, const std::vector<std::int64_t>& shape,
                std::int64_t element_size);
  void run(const void* x, void* y) const;

 private:
  // n elements of a row; rows first, ..., first + count - 1, by themselves or many short ones at
  // once.
  void run_row(const char* from, char* to, std::int64_t n) const;
  void run_rows(const char* from, char* to, std::int64_t first, std::int64_t count) const;
  void run_short_rows(const char* from, char* to, std::int64_t first, std::int64_t count) const;

  BroadcastLoops loops_;
  std::int64_t element_size_ = 0;
  int threads_ = 0;
  bool streamed_ = false;
};

}  // namespace dlnative
