// cumsum, cumprod, argsort and searchsorted: factories.
#include "ops/scan.h"
#include "ops/sort.h"
#include "program/axis.h"
#include "program/dtypes.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

template <bool kProduct>
std::unique_ptr<Instruction> make_scan(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const AxisSplit split = split_at_axis(spec, x, -1);
  const Buffer& y = required_output(spec, 0, "result", x.size(), x.dtype);
  const bool reverse = spec.flag("reverse", false);
  return dispatch_numeric(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const ScanOp<T> op(kProduct, reverse, split.outer, split.size, split.inner);
    return make_instruction(
        [op, from = x.as<T>(), to = y.as<T>()](const StepContext&) { op.run(from, to); });
  });
}

std::unique_ptr<Instruction> make_argsort(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const AxisSplit split = split_at_axis(spec, x, -1);
  const Buffer& y = required_output(spec, 0, "result", x.size(), DType::kInt32);
  check(x.data != y.data || x.size() == 0, spec.op, ": cannot run in place");
  const bool descending = spec.flag("descending", false);
  return dispatch_ordered(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    ArgsortOp<T> op(spec.op, descending, split.outer, split.size, split.inner, spec.threads);
    spec.give_workspace(op);
    return make_instruction([op, from = x.as<T>(), to = y.as<std::int32_t>()](const StepContext&) {
      op.run(from, to);
    });
  });
}

std::unique_ptr<Instruction> make_searchsorted(const Spec& spec) {
  const Buffer& sorted = required_input(spec, 0, "sorted");
  check(sorted.shape.size() == 1, spec.op, ": expected a sorted array of one axis, received shape ",
        sorted.shape);
  const Buffer& values = required_input(spec, 1, "values");
  check(values.dtype == sorted.dtype, spec.op, ": expected values of ", dtype_name(sorted.dtype),
        ", received ", dtype_name(values.dtype));
  const Buffer& y = required_output(spec, 0, "result", values.size(), DType::kInt32);
  const std::string side = spec.text("side", "left");
  check(side == "left" || side == "right", spec.op, ": expected side 'left' or 'right', received '",
        side, "'");
  return dispatch_ordered(sorted.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const SearchsortedOp<T> op(spec.op, side == "right", sorted.size(), values.size());
    return make_instruction(
        [op, in = sorted.as<T>(), from = values.as<T>(),
         to = y.as<std::int32_t>()](const StepContext&) { op.run(in, from, to); });
  });
}

}  // namespace

void register_sort(Registry& registry);
void register_sort(Registry& registry) {
  registry.add("cumsum", make_scan<false>);
  registry.add("cumprod", make_scan<true>);
  registry.add("argsort", make_argsort, workspace_of<make_argsort>);
  registry.add("searchsorted", make_searchsorted);
}

}  // namespace dlnative
