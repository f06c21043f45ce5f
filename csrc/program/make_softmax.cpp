// softmax, log_softmax and their gradients over any axis: factories.
#include "ops/softmax.h"
#include "program/axis.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

template <class T>
SoftmaxOp<T> make_op(const Spec& spec, const Buffer& array, bool logarithm) {
  const AxisSplit split = split_at_axis(spec, array, -1);
  const auto kind = logarithm ? SoftmaxOp<T>::Kind::kLogSoftmax : SoftmaxOp<T>::Kind::kSoftmax;
  return SoftmaxOp<T>(kind, split.outer, split.size, split.inner);
}

template <bool logarithm>
std::unique_ptr<Instruction> make_forward(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    return make_instruction([op = make_op<T>(spec, x, logarithm), from = x.as<T>(),
                             to = y.as<T>()](const StepContext&) { op.forward(from, to); });
  });
}

template <bool logarithm>
std::unique_ptr<Instruction> make_backward(const Spec& spec) {
  const Buffer& dy = required_input(spec, 0, "dy");
  const Buffer& y = required_input(spec, 1, "y", dy.size(), dy.dtype);
  const Buffer& dx = required_output(spec, 0, "dx", dy.size(), dy.dtype);
  return dispatch_floating(dy.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    return make_instruction(
        [op = make_op<T>(spec, dy, logarithm), gradient = dy.as<T>(), saved = y.as<T>(),
         to = dx.as<T>()](const StepContext&) { op.backward(gradient, saved, to); });
  });
}

}  // namespace

void register_softmax(Registry& registry);
void register_softmax(Registry& registry) {
  registry.add("softmax", make_forward<false>);
  registry.add("log_softmax", make_forward<true>);
  registry.add("softmax_backward", make_backward<false>);
  registry.add("log_softmax_backward", make_backward<true>);
}

}  // namespace dlnative
