// An array seen from one of its axes.
#pragma once

#include <cstdint>

#include "core/checks.h"
#include "program/instruction.h"

namespace dlnative {

// A contiguous array as (outer, size, inner), `size` being one axis.
struct AxisSplit {
  std::int64_t axis;  // counted from the front
  std::int64_t outer, size, inner;
};

// Splits `array` at the attribute `axis`, which may count from the back.
// std::invalid_argument: the array has no such axis.
inline AxisSplit split_at_axis(const Spec& spec, const Buffer& array, std::int64_t fallback) {
  const auto rank = static_cast<std::int64_t>(array.shape.size());
  const std::int64_t given = spec.integer("axis", fallback);
  const std::int64_t axis = given < 0 ? given + rank : given;
  check(axis >= 0 && axis < rank, spec.op, ": expected an axis of an array of shape ", array.shape,
        ", received ", given);
  AxisSplit split{axis, 1, array.shape[static_cast<std::size_t>(axis)], 1};
  for (std::int64_t i = 0; i < rank; ++i) {
    if (i < axis) split.outer *= array.shape[static_cast<std::size_t>(i)];
    if (i > axis) split.inner *= array.shape[static_cast<std::size_t>(i)];
  }
  return split;
}

}  // namespace dlnative
