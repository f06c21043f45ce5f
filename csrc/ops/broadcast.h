// NumPy's broadcasting as a loop nest: rows, and along each row every operand either advances by
// one element or stays where it is.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/loop_nest.h"

namespace dlnative {

// Axes that all operands treat alike are merged, so that (32, 28, 28) + (28, 28) runs 32 rows of
// 784.
class BroadcastLoops {
 public:
  using Shape = std::vector<std::int64_t>;

  // Shapes of one to three contiguous arrays that broadcast to `shape`.
  // std::invalid_argument: they do not, or there are more than LoopNest::kMaxRank axes.
  BroadcastLoops(const std::vector<Shape>& operands, const Shape& shape);

  std::int64_t rows() const { return row_size_ == 0 ? 0 : nest_.size(); }
  std::int64_t row_size() const { return row_size_; }
  // Along a row: 1 where the operand advances, 0 where it stays.
  LoopNest::Offsets row_steps() const { return row_steps_; }
  // The axis of neighbouring rows.
  LoopNest::Axis row_axis() const { return nest_.innermost(); }

  // Calls f(row, offsets of the row in the operands) for rows first, first + 1, ..., first + count
  // - 1; row r of the contiguous result starts at r * row_size().
  template <class F>
  void for_each_row(std::int64_t first, std::int64_t count, F&& f) const {
    nest_.for_each(first, count, f);
  }

 private:
  LoopNest nest_;
  std::int64_t row_size_ = 1;
  LoopNest::Offsets row_steps_{1, 1, 1};
};

}  // namespace dlnative
