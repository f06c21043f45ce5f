// sum, prod, mean, max, min, any, all, argmax, argmin and bias_backward: factories.
#include "ops/arg_extremum.h"
#include "ops/fold.h"
#include "ops/reduce.h"
#include "program/axis.h"
#include "program/dtypes.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

std::vector<std::int64_t> all_axes(const Buffer& x) {
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < x.shape.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  return axes;
}

// The attribute `axis`, counted from the front.
std::vector<std::int64_t> reduced_axes(const Spec& spec, const Buffer& x) {
  if (!spec.has("axis")) return all_axes(x);
  std::vector<std::int64_t> axes = spec.integers("axis");
  for (std::int64_t& axis : axes) {
    if (axis < 0) axis += static_cast<std::int64_t>(x.shape.size());
  }
  return axes;
}

template <class T>
std::unique_ptr<Instruction> make_float_reduction(const Spec& spec, Reduction reduction,
                                                  const std::vector<std::int64_t>& axes) {
  const Buffer& x = spec.inputs[0];
  ReduceOp<T> op(reduction, spec.op, x.shape, axes);
  spec.give_workspace(op);
  const Buffer& y = required_output(spec, 0, "result", op.output_size(), x.dtype);
  return make_instruction([op = std::move(op), from = x.as<T>(),
                           to = y.as<T>()](const StepContext&) { op.run(from, to); });
}

template <class Fold>
std::unique_ptr<Instruction> make_fold(const Spec& spec, bool is_extremum = false) {
  using T = typename Fold::Element;
  const Buffer& x = spec.inputs[0];
  FoldOp<Fold> op(spec.op, x.shape, reduced_axes(spec, x));
  check(!is_extremum || op.passes().count > 0, spec.op,
        ": an empty axis has no extremum, received shape ", x.shape);
  spec.give_workspace(op);
  const Buffer& y = required_output(spec, 0, "result", op.passes().output_size, x.dtype);
  return make_instruction([op = std::move(op), from = x.as<T>(),
                           to = y.as<T>()](const StepContext&) { op.run(from, to); });
}

std::unique_ptr<Instruction> make_sum(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  return dispatch_numeric(x.dtype, spec.op, [&](auto zero) -> std::unique_ptr<Instruction> {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      return make_float_reduction<T>(spec, Reduction::kSum, reduced_axes(spec, x));
    } else {
      return make_fold<SumFold<T>>(spec);
    }
  });
}

std::unique_ptr<Instruction> make_prod(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  return dispatch_numeric(x.dtype, spec.op,
                          [&](auto zero) { return make_fold<ProductFold<decltype(zero)>>(spec); });
}

std::unique_ptr<Instruction> make_mean(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    return make_float_reduction<decltype(zero)>(spec, Reduction::kMean, reduced_axes(spec, x));
  });
}

template <bool kMax>
std::unique_ptr<Instruction> make_extremum(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const auto make = [&](auto zero) -> std::unique_ptr<Instruction> {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      return make_float_reduction<T>(spec, kMax ? Reduction::kMax : Reduction::kMin,
                                     reduced_axes(spec, x));
    } else {
      return make_fold<std::conditional_t<kMax, MaxFold<T>, MinFold<T>>>(spec, true);
    }
  };
  if (x.dtype == DType::kUInt8) return make(std::uint8_t{});
  return dispatch_numeric(x.dtype, spec.op, make);
}

template <class Fold>
std::unique_ptr<Instruction> make_logical(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  check(x.dtype == DType::kBool, spec.op, ": expected bool, received ", dtype_name(x.dtype));
  return make_fold<Fold>(spec);
}

template <bool kMax>
std::unique_ptr<Instruction> make_arg_extremum(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const AxisSplit split = split_at_axis(spec, x, -1);
  const Buffer& y = required_output(spec, 0, "result", split.outer * split.inner, DType::kInt32);
  return dispatch_ordered(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const ArgExtremumOp<T> op(spec.op, kMax, split.outer, split.size, split.inner);
    return make_instruction([op, from = x.as<T>(), to = y.as<std::int32_t>()](const StepContext&) {
      op.run(from, to);
    });
  });
}

// dbias[c] = sum of dy[..., c]
std::unique_ptr<Instruction> make_bias_backward(const Spec& spec) {
  const Buffer& dy = required_input(spec, 0, "dy");
  check(!dy.shape.empty(), spec.op, ": expected dy of at least one dimension");
  std::vector<std::int64_t> axes = all_axes(dy);
  axes.pop_back();
  return dispatch_floating(dy.dtype, spec.op, [&](auto zero) {
    return make_float_reduction<decltype(zero)>(spec, Reduction::kSum, axes);
  });
}

}  // namespace

void register_reduce(Registry& registry);
void register_reduce(Registry& registry) {
  registry.add("sum", make_sum, workspace_of<make_sum>);
  registry.add("prod", make_prod, workspace_of<make_prod>);
  registry.add("mean", make_mean, workspace_of<make_mean>);
  registry.add("max", make_extremum<true>, workspace_of<make_extremum<true>>);
  registry.add("min", make_extremum<false>, workspace_of<make_extremum<false>>);
  registry.add("any", make_logical<AnyFold>, workspace_of<make_logical<AnyFold>>);
  registry.add("all", make_logical<AllFold>, workspace_of<make_logical<AllFold>>);
  registry.add("argmax", make_arg_extremum<true>);
  registry.add("argmin", make_arg_extremum<false>);
  registry.add("bias_backward", make_bias_backward, workspace_of<make_bias_backward>);
}

}  // namespace dlnative
