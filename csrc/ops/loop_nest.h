// A nest of loops over one to three arrays, walked as one sequence that may be entered anywhere.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/table.h"

namespace dlnative {

class LoopNest {
 public:
  // Where the arrays are, in elements.
  struct Offsets {
    std::int64_t a = 0;
    std::int64_t b = 0;
    std::int64_t c = 0;
  };
  struct Axis {
    std::int64_t size = 0;
    Offsets steps;  // from one index to the next
  };

  static constexpr std::size_t kMaxRank = 64;  // NumPy's limit

  LoopNest() = default;
  // Outermost first, at most kMaxRank axes.
  explicit LoopNest(Table<Axis> axes) : axes_(std::move(axes)) {
    for (const Axis& axis : axes_) size_ *= axis.size;
  }

  std::int64_t size() const { return size_; }
  Axis innermost() const { return axes_.empty() ? Axis{1, {}} : axes_.back(); }

  // Calls f(i, offsets) for i = first, first + 1, ..., first + count - 1.
  template <class F>
  void for_each(std::int64_t first, std::int64_t count, F&& f) const {
    std::array<std::int64_t, kMaxRank> index;
    Offsets at = seek(first, index.data());
    for (std::int64_t i = first; i < first + count; ++i) {
      f(i, at);
      advance(index.data(), at);
    }
  }

 private:
  Offsets seek(std::int64_t position, std::int64_t* index) const {
    Offsets at;
    for (std::size_t i = axes_.size(); i-- > 0;) {
      index[i] = position % axes_[i].size;
      position /= axes_[i].size;
      at.a += index[i] * axes_[i].steps.a;
      at.b += index[i] * axes_[i].steps.b;
      at.c += index[i] * axes_[i].steps.c;
    }
    return at;
  }

  void advance(std::int64_t* index, Offsets& at) const {
    for (std::size_t i = axes_.size(); i-- > 0;) {
      const Axis& axis = axes_[i];
      at.a += axis.steps.a;
      at.b += axis.steps.b;
      at.c += axis.steps.c;
      if (++index[i] < axis.size) return;
      at.a -= axis.size * axis.steps.a;
      at.b -= axis.size * axis.steps.b;
      at.c -= axis.size * axis.steps.c;
      index[i] = 0;
    }
  }

  Table<Axis> axes_;
  std::int64_t size_ = 1;
};

}  // namespace dlnative
