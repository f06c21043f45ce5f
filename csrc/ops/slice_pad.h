// Slices with steps, and their adjoint: padding around and between elements. Elements are opaque
// values of 1, 2, 4 or 8 bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "core/table.h"
#include "ops/loop_nest.h"

namespace dlnative {

// y[i, j, ...] = x[starts[0] + i * steps[0], starts[1] + j * steps[1], ...]
class StridedSliceOp {
 public:
  using Sizes = std::vector<std::int64_t>;

  // std::invalid_argument: lists of another length than `shape`, the shape of x, or elements
  // outside of it.
  StridedSliceOp(const Sizes& shape, const Sizes& starts, const Sizes& sizes, const Sizes& steps,
                 std::int64_t element_size);

  std::int64_t output_size() const { return nest_.size() * row_.size; }

  // y does not overlap x.
  void run(const void* x, void* y) const;

 private:
  template <class Element>
  void run_elements(const Element* x, Element* y) const;

  LoopNest nest_;                  // of all axes of y but the last, with the steps (x, y)
  LoopNest::Axis row_{1, {1, 1}};  // the last
  std::int64_t start_ = 0;         // of the first element in x
  std::int64_t element_size_ = 0;
  int threads_ = 0;
};

// y = x with low[k] elements before axis k, high[k] after it, and interior[k] between neighbours on
// it, all of which are `value`.
class PadOp {
 public:
  using Sizes = std::vector<std::int64_t>;

  // `value` points to one element. std::invalid_argument: lists of another length than `shape`, the
  // shape of x, negative amounts, or a result of another shape than `padded`.
  PadOp(const Sizes& shape, const Sizes& low, const Sizes& high, const Sizes& interior,
        const Sizes& padded, const void* value, std::int64_t element_size);

  // y does not overlap x.
  void run(const void* x, void* y) const;

 private:
  struct Axis {
    std::int64_t size, padded;  // of x and y
    std::int64_t low, step;     // index i of x is low + i * step of y
    std::int64_t stride;        // of x, in elements
    bool is_plain() const { return size == padded; }
  };
  void set_row(Table<Axis>& axes);
  // Where row `r` of y comes from, or -1 where it is padding altogether.
  std::int64_t source_of(std::int64_t r) const;
  template <class Element>
  void run_elements(const Element* x, Element* y, Element value) const;
  template <class Element>
  void run_piece(const Element* x, Element* y, Element value, std::int64_t begin,
                 std::int64_t end) const;

  Table<Axis> outer_;
  Axis row_{1, 1, 0, 1, 1};
  std::int64_t unit_ = 1;  // elements of an index of the row
  std::int64_t rows_ = 1;  // of y
  std::uint64_t value_ = 0;
  std::int64_t element_size_ = 0;
  int threads_ = 0;
};

}  // namespace dlnative
