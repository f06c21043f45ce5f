#include "ops/broadcast.h"

#include "core/checks.h"

namespace dlnative {

namespace {

using Axis = LoopNest::Axis;

// The size of `shape` on axis `axis` of `rank`, aligned on the right; 1 where it has no such axis.
std::int64_t aligned_size(const BroadcastLoops::Shape& shape, std::size_t axis, std::size_t rank) {
  const std::size_t missing = rank - shape.size();
  return axis < missing ? 1 : shape[axis - missing];
}

// Steps are 1 where the operand advances and 0 where it is broadcast.
void add_axis(std::vector<Axis>& axes, std::int64_t size, LoopNest::Offsets steps) {
  if (!axes.empty()) {
    Axis& last = axes.back();
    if (last.steps.a == steps.a && last.steps.b == steps.b) {
      last.size *= size;
      return;
    }
  }
  axes.push_back({size, steps});
}

// Turns the steps of 1 into those of contiguous arrays.
void set_steps(std::vector<Axis>& axes) {
  LoopNest::Offsets steps{1, 1};
  for (std::size_t i = axes.size(); i-- > 0;) {
    const bool a_advances = axes[i].steps.a != 0, b_advances = axes[i].steps.b != 0;
    axes[i].steps = {a_advances ? steps.a : 0, b_advances ? steps.b : 0};
    if (a_advances) steps.a *= axes[i].size;
    if (b_advances) steps.b *= axes[i].size;
  }
}

}  // namespace

BroadcastLoops::BroadcastLoops(const Shape& a, const Shape& b, const Shape& shape) {
  const std::size_t rank = shape.size();
  check(rank <= LoopNest::kMaxRank && a.size() <= rank && b.size() <= rank, "broadcast: shapes ", a,
        " and ", b, " do not broadcast to ", shape);
  std::vector<Axis> axes;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t size = shape[i];
    const std::int64_t size_a = aligned_size(a, i, rank), size_b = aligned_size(b, i, rank);
    check((size_a == size || size_a == 1) && (size_b == size || size_b == 1), "broadcast: shapes ",
          a, " and ", b, " do not broadcast to ", shape);
    if (size != 1) add_axis(axes, size, {size_a != 1 ? 1 : 0, size_b != 1 ? 1 : 0});
  }
  set_steps(axes);
  if (!axes.empty()) {
    row_size_ = axes.back().size;
    row_steps_ = axes.back().steps;
    axes.pop_back();
  }
  nest_ = LoopNest(std::move(axes));
}

}  // namespace dlnative
