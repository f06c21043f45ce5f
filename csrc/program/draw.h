#pragma once

#include <cstdint>

#include "program/instruction.h"

namespace dlnative {

// What keys a draw.
struct Draw {
  explicit Draw(const Spec& spec)
      : seed(spec.bits("seed")),
        op_id(static_cast<std::uint32_t>(spec.bits("op_id"))),
        fixed(spec.has("step")),
        step(spec.bits("step")) {}
  std::uint64_t step_of(const StepContext& context) const { return fixed ? step : context.step; }

  std::uint64_t seed;
  std::uint32_t op_id;
  bool fixed;  // the same numbers at each step
  std::uint64_t step;
};

}  // namespace dlnative
