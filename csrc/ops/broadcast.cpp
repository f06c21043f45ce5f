#include "ops/broadcast.h"

#include "core/checks.h"

namespace dlnative {

namespace {

// The size of `shape` on axis `axis` of `rank`, aligned on the right; 1 where it has no such axis.
std::int64_t aligned_size(const BroadcastLoops::Shape& shape, std::size_t axis, std::size_t rank) {
  const std::size_t missing = rank - shape.size();
  return axis < missing ? 1 : shape[axis - missing];
}

}  // namespace

BroadcastLoops::BroadcastLoops(const Shape& a, const Shape& b, const Shape& shape) {
  const std::size_t rank = shape.size();
  check(rank <= kMaxRank && a.size() <= rank && b.size() <= rank, "broadcast: expected at most ",
        kMaxRank, " axes, received ", a, " and ", b, " for ", shape);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t size = shape[i];
    const std::int64_t size_a = aligned_size(a, i, rank), size_b = aligned_size(b, i, rank);
    check((size_a == size || size_a == 1) && (size_b == size || size_b == 1), "broadcast: shapes ",
          a, " and ", b, " do not broadcast to ", shape);
    if (size != 1) add_axis(size, size_a != 1, size_b != 1);
  }
  Offsets steps{1, 1};
  for (std::size_t i = axes_.size(); i-- > 0;) {
    Axis& axis = axes_[i];
    if (axis.steps.a != 0) {
      axis.steps.a = steps.a;
      steps.a *= axis.size;
    }
    if (axis.steps.b != 0) {
      axis.steps.b = steps.b;
      steps.b *= axis.size;
    }
  }
  if (!axes_.empty()) {
    row_size_ = axes_.back().size;
    row_steps_ = axes_.back().steps;
    axes_.pop_back();
  }
  for (const Axis& axis : axes_) rows_ *= axis.size;
  if (row_size_ == 0) rows_ = 0;
}

void BroadcastLoops::add_axis(std::int64_t size, bool a_advances, bool b_advances) {
  if (!axes_.empty()) {
    Axis& last = axes_.back();
    if ((last.steps.a != 0) == a_advances && (last.steps.b != 0) == b_advances) {
      last.size *= size;
      return;
    }
  }
  axes_.push_back({size, {a_advances ? 1 : 0, b_advances ? 1 : 0}});
}

BroadcastLoops::Offsets BroadcastLoops::seek(std::int64_t row, std::int64_t* index) const {
  Offsets at;
  for (std::size_t i = axes_.size(); i-- > 0;) {
    index[i] = row % axes_[i].size;
    row /= axes_[i].size;
    at.a += index[i] * axes_[i].steps.a;
    at.b += index[i] * axes_[i].steps.b;
  }
  return at;
}

void BroadcastLoops::advance(std::int64_t* index, Offsets& at) const {
  for (std::size_t i = axes_.size(); i-- > 0;) {
    const Axis& axis = axes_[i];
    at.a += axis.steps.a;
    at.b += axis.steps.b;
    if (++index[i] < axis.size) return;
    at.a -= axis.size * axis.steps.a;
    at.b -= axis.size * axis.steps.b;
    index[i] = 0;
  }
}

}  // namespace dlnative
