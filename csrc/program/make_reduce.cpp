// sum, mean, max, min, argmax and bias_backward: factories.
#include "ops/reduce.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

std::vector<std::int64_t> all_axes(const Buffer& x) {
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < x.shape.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  return axes;
}

std::unique_ptr<Instruction> make_reduction(const Spec& spec, Reduction reduction,
                                            const std::vector<std::int64_t>& axes) {
  const Buffer& x = spec.inputs[0];
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    ReduceOp<T> op(reduction, spec.op, x.shape, axes);
    const Buffer& y = required_output(spec, 0, "result", op.output_size(), x.dtype);
    return make_instruction(
        [op, from = x.as<T>(), to = y.as<T>()](const StepContext&) mutable { op.run(from, to); });
  });
}

template <Reduction reduction>
std::unique_ptr<Instruction> make_reduce(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  return make_reduction(spec, reduction, spec.has("axis") ? spec.integers("axis") : all_axes(x));
}

// dbias[c] = sum of dy[..., c]
std::unique_ptr<Instruction> make_bias_backward(const Spec& spec) {
  const Buffer& dy = required_input(spec, 0, "dy");
  check(!dy.shape.empty(), spec.op, ": expected dy of at least one dimension");
  std::vector<std::int64_t> axes = all_axes(dy);
  axes.pop_back();
  return make_reduction(spec, Reduction::kSum, axes);
}

std::unique_ptr<Instruction> make_argmax(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const auto rank = static_cast<std::int64_t>(x.shape.size());
  const std::vector<std::int64_t> axes =
      spec.has("axis") ? spec.integers("axis") : std::vector<std::int64_t>{rank - 1};
  check(axes.size() == 1, spec.op, ": expected one axis");
  const std::int64_t axis = axes[0] < 0 ? axes[0] + rank : axes[0];
  check(axis >= 0 && axis < rank, spec.op, ": expected an axis in [0, ", rank, "), received ",
        axis);
  std::int64_t outer = 1, inner = 1;
  for (std::int64_t i = 0; i < rank; ++i) {
    if (i < axis) outer *= x.shape[static_cast<std::size_t>(i)];
    if (i > axis) inner *= x.shape[static_cast<std::size_t>(i)];
  }
  const Buffer& y = required_output(spec, 0, "result", outer * inner, DType::kInt32);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const ArgmaxOp<T> op(outer, x.shape[static_cast<std::size_t>(axis)], inner);
    return make_instruction([op, from = x.as<T>(), to = y.as<std::int32_t>()](const StepContext&) {
      op.run(from, to);
    });
  });
}

}  // namespace

void register_reduce(Registry& registry);
void register_reduce(Registry& registry) {
  registry.add("sum", make_reduce<Reduction::kSum>);
  registry.add("mean", make_reduce<Reduction::kMean>);
  registry.add("max", make_reduce<Reduction::kMax>);
  registry.add("min", make_reduce<Reduction::kMin>);
  registry.add("argmax", make_argmax);
  registry.add("bias_backward", make_bias_backward);
}

}  // namespace dlnative
