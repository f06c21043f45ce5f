// Activations and their gradients, and rescale: factories.
#include "ops/activation.h"
#include "ops/elementwise.h"
#include "program/activation_attributes.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

constexpr char kBackward[] = "_backward";

std::unique_ptr<Instruction> make_activation(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
  const Activation id = activation_id(spec, spec.op);
  const ActivationParams params = activation_params(spec, spec.op);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const ActivationOp<T> op(id, params, x.size());
    return make_instruction(
        [op, from = x.as<T>(), to = y.as<T>()](const StepContext&) { op.run(from, to); });
  });
}

std::unique_ptr<Instruction> make_activation_backward(const Spec& spec) {
  const Buffer& dy = required_input(spec, 0, "dy");
  const Buffer& dx = required_output(spec, 0, "dx", dy.size(), dy.dtype);
  const std::string activation = spec.op.substr(0, spec.op.size() - (sizeof(kBackward) - 1));
  const Activation id = activation_id(spec, activation);
  const ActivationParams params = activation_params(spec, activation);
  const Buffer* saved =
      id == Activation::kLinear ? nullptr : &required_input(spec, 1, "saved", dy.size(), dy.dtype);
  return dispatch_floating(dy.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const ActivationBackwardOp<T> op(id, params, dy.size());
    return make_instruction([op, from = dy.as<T>(), kept = data_or_null<T>(saved),
                             to = dx.as<T>()](const StepContext&) { op.run(from, kept, to); });
  });
}

std::unique_ptr<Instruction> make_rescale(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
  const double scale = spec.real("scale", 1.0), offset = spec.real("offset", 0.0);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const RescaleOp<T> op(scale, offset, x.size());
    return make_instruction(
        [op, from = x.as<T>(), to = y.as<T>()](const StepContext&) { op.run(from, to); });
  });
}

}  // namespace

void register_elementwise(Registry& registry);
void register_elementwise(Registry& registry) {
  for (const std::string& name : activation_names()) {
    registry.add(name, make_activation);
    registry.add(name + kBackward, make_activation_backward);
  }
  registry.add("rescale", make_rescale);
}

}  // namespace dlnative
