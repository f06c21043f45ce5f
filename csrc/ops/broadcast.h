// NumPy's broadcasting as a loop nest: rows, and along each row every operand either advances by
// one element or stays where it is.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace dlnative {

// Axes that all operands treat alike are merged, so that (32, 28, 28) + (28, 28) runs 32 rows of
// 784.
class BroadcastLoops {
 public:
  using Shape = std::vector<std::int64_t>;
  // An element of a row: where operands a and b are.
  struct Offsets {
    std::int64_t a = 0;
    std::int64_t b = 0;
  };

  // `a` and `b` are shapes of contiguous arrays that broadcast to `shape`.
  // std::invalid_argument otherwise, or above kMaxRank axes.
  BroadcastLoops(const Shape& a, const Shape& b, const Shape& shape);

  std::int64_t rows() const { return rows_; }  // 0 for an empty result
  std::int64_t row_size() const { return row_size_; }
  bool a_advances() const { return row_steps_.a != 0; }
  bool b_advances() const { return row_steps_.b != 0; }

  // Calls f(row, offsets) for rows first, first + 1, ..., first + count - 1; row r of the
  // contiguous result starts at r * row_size().
  template <class F>
  void for_each_row(std::int64_t first, std::int64_t count, F&& f) const {
    std::array<std::int64_t, kMaxRank> index{};
    Offsets at = seek(first, index.data());
    for (std::int64_t row = first; row < first + count; ++row) {
      f(row, at);
      advance(index.data(), at);
    }
  }

 private:
  static constexpr std::size_t kMaxRank = 64;
  struct Axis {
    std::int64_t size;
    Offsets steps;  // elements from one index to the next; 0 where the operand is broadcast
  };

  void add_axis(std::int64_t size, bool a_advances, bool b_advances);
  Offsets seek(std::int64_t row, std::int64_t* index) const;
  void advance(std::int64_t* index, Offsets& at) const;

  std::vector<Axis> axes_;  // outermost first, without the one that is a row
  std::int64_t rows_ = 1;
  std::int64_t row_size_ = 1;
  Offsets row_steps_{1, 1};
};

}  // namespace dlnative
