#include "ops/broadcast.h"

#include <iterator>

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
void add_axis(Table<Axis>& axes, std::int64_t size, LoopNest::Offsets steps) {
  if (!axes.empty()) {
    Axis& last = axes.back();
    if (last.steps.a == steps.a && last.steps.b == steps.b && last.steps.c == steps.c) {
      last.size *= size;
      return;
    }
  }
  axes.push_back({size, steps});
}

// Turns the steps of 1 of one operand into those of a contiguous array.
void set_steps(Table<Axis>& axes, std::int64_t LoopNest::Offsets::* operand) {
  std::int64_t step = 1;
  for (std::size_t i = axes.size(); i-- > 0;) {
    if (axes[i].steps.*operand == 0) continue;
    axes[i].steps.*operand = step;
    step *= axes[i].size;
  }
}

}  // namespace

BroadcastLoops::BroadcastLoops(const std::vector<Shape>& operands, const Shape& shape) {
  constexpr std::int64_t LoopNest::Offsets::* kOperands[] = {
      &LoopNest::Offsets::a, &LoopNest::Offsets::b, &LoopNest::Offsets::c};
  const std::size_t rank = shape.size();
  const auto check_operand = [&](bool fits, const Shape& operand) {
    check(fits, "broadcast: an array of shape ", operand, " does not broadcast to ", shape);
  };
  check(operands.size() <= std::size(kOperands), "broadcast: too many operands");
  check(rank <= LoopNest::kMaxRank, "broadcast: too many dimensions in ", shape);
  for (const Shape& operand : operands) check_operand(operand.size() <= rank, operand);
  Table<Axis> axes;
  for (std::size_t i = 0; i < rank; ++i) {
    LoopNest::Offsets steps;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const std::int64_t size = aligned_size(operands[k], i, rank);
      check_operand(size == shape[i] || size == 1, operands[k]);
      steps.*kOperands[k] = size != 1 ? 1 : 0;
    }
    if (shape[i] != 1) add_axis(axes, shape[i], steps);
  }
  for (const auto operand : kOperands) set_steps(axes, operand);
  if (!axes.empty()) {
    row_size_ = axes.back().size;
    row_steps_ = axes.back().steps;
    axes.pop_back();
  }
  nest_ = LoopNest(std::move(axes));
}

}  // namespace dlnative
