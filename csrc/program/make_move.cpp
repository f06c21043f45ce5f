// strided_slice, pad, take, take_along_axis, scatter and scatter_along_axis: factories.
#include <cmath>
#include <limits>
#include <type_traits>

#include "ops/scatter.h"
#include "ops/slice_pad.h"
#include "ops/take.h"
#include "program/axis.h"
#include "program/dtypes.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

void check_apart(const Spec& spec, const Buffer& x, const Buffer& y) {
  check(x.data != y.data || x.size() == 0 || y.size() == 0, spec.op, ": cannot run in place");
}

std::unique_ptr<Instruction> make_strided_slice(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const StridedSliceOp op(x.shape, spec.integers("starts"), spec.integers("sizes"),
                          spec.integers("steps"), dtype_size(x.dtype));
  const Buffer& y = required_output(spec, 0, "y", op.output_size(), x.dtype);
  check_apart(spec, x, y);
  return make_instruction(
      [op, from = x.data, to = y.data](const StepContext&) { op.run(from, to); });
}

// The attribute `value` as an element. std::invalid_argument: it is no value of an integer type.
template <class T>
T fill_value(const Spec& spec) {
  const double value = spec.real("value", 0.0);
  if constexpr (std::is_same_v<T, bool>) {
    return value != 0.0;
  } else if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    const auto it = spec.attributes.find("value");
    if (it != spec.attributes.end() && std::holds_alternative<std::int64_t>(it->second)) {
      const std::int64_t whole = std::get<std::int64_t>(it->second);
      check(whole >= static_cast<std::int64_t>(Limits::min()) &&
                whole <= static_cast<std::int64_t>(Limits::max()),
            spec.op, ": expected a value of the integer type of x, received ", whole);
      return static_cast<T>(whole);
    }
    // 2^63 - 1 has no double: the limit above is exclusive.
    check(value == std::trunc(value) && value >= static_cast<double>(Limits::min()) &&
              value < std::ldexp(1.0, Limits::digits),
          spec.op, ": expected a value of the integer type of x, received ", value);
    return static_cast<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

std::unique_ptr<Instruction> make_pad(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  check(spec.outputs.size() == 1, spec.op, ": expected one output, received ", spec.outputs.size());
  const Buffer& y = required_output(spec, 0, "y", spec.outputs[0].size(), x.dtype);
  check_apart(spec, x, y);
  std::vector<std::int64_t> interior = spec.integers("interior");
  if (!spec.has("interior")) interior.assign(x.shape.size(), 0);
  const auto make = [&](const void* value) {
    const PadOp op(x.shape, spec.integers("low"), spec.integers("high"), interior, y.shape, value,
                   dtype_size(x.dtype));
    return make_instruction(
        [op, from = x.data, to = y.data](const StepContext&) { op.run(from, to); });
  };
  return dispatch_any(x.dtype, spec.op, [&](auto zero) {
    const auto value = fill_value<decltype(zero)>(spec);
    return make(&value);
  });
}

std::unique_ptr<Instruction> make_take(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& indices = required_input(spec, 1, "indices");
  const AxisSplit split = split_at_axis(spec, x, -1);
  const std::int64_t count = indices.size();
  const Buffer& y = required_output(spec, 0, "y", split.outer * count * split.inner, x.dtype);
  check_apart(spec, x, y);
  return dispatch_index(indices.dtype, spec.op, [&](auto zero) {
    using I = decltype(zero);
    const TakeOp op({spec.op, split.axis, split.size}, split.outer, split.inner, count,
                    dtype_size(x.dtype));
    return make_instruction([op, from = x.data, at = indices.as<I>(),
                             to = y.data](const StepContext&) { op.run(from, at, to); });
  });
}

// An array of the shape of x on all axes but that of `split`. Returns its size there.
std::int64_t size_along_axis(const Spec& spec, const Buffer& x, const AxisSplit& split,
                             const Buffer& array) {
  bool fits = array.shape.size() == x.shape.size();
  for (std::size_t i = 0; fits && i < x.shape.size(); ++i)
    fits = static_cast<std::int64_t>(i) == split.axis || array.shape[i] == x.shape[i];
  check(fits, spec.op, ": expected indices of the shape ", x.shape, " but for axis ", split.axis,
        ", received ", array.shape);
  return array.shape[static_cast<std::size_t>(split.axis)];
}

std::unique_ptr<Instruction> make_take_along_axis(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& indices = required_input(spec, 1, "indices");
  const AxisSplit split = split_at_axis(spec, x, -1);
  const std::int64_t count = size_along_axis(spec, x, split, indices);
  const Buffer& y = required_output(spec, 0, "y", indices.size(), x.dtype);
  check_apart(spec, x, y);
  return dispatch_index(indices.dtype, spec.op, [&](auto zero) {
    using I = decltype(zero);
    const TakeAlongAxisOp op({spec.op, split.axis, split.size}, split.outer, split.inner, count,
                             dtype_size(x.dtype));
    return make_instruction([op, from = x.data, at = indices.as<I>(),
                             to = y.data](const StepContext&) { op.run(from, at, to); });
  });
}

std::unique_ptr<Instruction> make_scatter(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& indices = required_input(spec, 1, "indices");
  check(!x.shape.empty() && indices.shape.size() == 1, spec.op,
        ": expected x of at least one axis and indices of one, received shapes ", x.shape, " and ",
        indices.shape);
  const std::int64_t size = x.shape[0], count = indices.size();
  std::int64_t inner = 1;
  for (std::size_t i = 1; i < x.shape.size(); ++i) inner *= x.shape[i];
  const Buffer& updates = required_input(spec, 2, "updates", count * inner, x.dtype);
  const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
  const ScatterMode mode = scatter_mode(spec.op, spec.text("mode", "add"));
  return dispatch_any(x.dtype, spec.op, [&](auto number) {
    using T = decltype(number);
    return dispatch_index(indices.dtype, spec.op, [&](auto zero) {
      using I = decltype(zero);
      const ScatterOp<T> op({spec.op, 0, size}, mode, inner, count);
      return make_instruction([op, from = x.as<T>(), at = indices.as<I>(), by = updates.as<T>(),
                               to = y.as<T>()](const StepContext&) { op.run(from, at, by, to); });
    });
  });
}

std::unique_ptr<Instruction> make_scatter_along_axis(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& indices = required_input(spec, 1, "indices");
  const AxisSplit split = split_at_axis(spec, x, -1);
  const std::int64_t count = size_along_axis(spec, x, split, indices);
  const Buffer& updates = required_input(spec, 2, "updates", indices.size(), x.dtype);
  const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
  const ScatterMode mode = scatter_mode(spec.op, spec.text("mode", "add"));
  return dispatch_any(x.dtype, spec.op, [&](auto number) {
    using T = decltype(number);
    return dispatch_index(indices.dtype, spec.op, [&](auto zero) {
      using I = decltype(zero);
      const ScatterAlongAxisOp<T> op({spec.op, split.axis, split.size}, mode, split.outer,
                                     split.inner, count);
      return make_instruction([op, from = x.as<T>(), at = indices.as<I>(), by = updates.as<T>(),
                               to = y.as<T>()](const StepContext&) { op.run(from, at, by, to); });
    });
  });
}

}  // namespace

void register_move(Registry& registry);
void register_move(Registry& registry) {
  registry.add("strided_slice", make_strided_slice);
  registry.add("pad", make_pad);
  registry.add("take", make_take);
  registry.add("take_along_axis", make_take_along_axis);
  registry.add("scatter", make_scatter);
  registry.add("scatter_along_axis", make_scatter_along_axis);
}

}  // namespace dlnative
