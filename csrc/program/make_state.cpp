// accumulate_mean, check_finite, and assign, which writes its first input: factories.
#include <cstring>

#include "ops/finite.h"
#include "ops/state.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

std::unique_ptr<Instruction> make_accumulate_mean(const Spec& spec) {
  const Buffer& state = required_input(spec, 0, "state", 2, DType::kFloat64);
  const Buffer& values = required_input(spec, 1, "values");
  const Buffer* weight = optional_input(spec, 2, "weight", values.size(), values.dtype);
  const Buffer& result = required_output(spec, 0, "result", 2, DType::kFloat64);
  return dispatch_floating(values.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    AccumulateMeanOp<T> op(values.size());
    spec.give_workspace(op);
    return make_instruction([op, update = InPlace{state, result}, x = values.as<T>(),
                             w = data_or_null<T>(weight)](const StepContext&) {
      update.begin();
      op.run(update.to.as<double>(), x, w);
    });
  });
}

// variable = value, where there is no condition or it is true
std::unique_ptr<Instruction> make_assign(const Spec& spec) {
  const Buffer& variable = required_input(spec, 0, "variable");
  const Buffer& value = required_input(spec, 1, "value", variable.size(), variable.dtype);
  const Buffer* condition = optional_input(spec, 2, "condition", 1, DType::kBool);
  const auto bytes = static_cast<std::size_t>(variable.size() * dtype_size(variable.dtype));
  return make_instruction([to = variable.data, from = value.data, bytes,
                           when = data_or_null<std::uint8_t>(condition)](const StepContext&) {
    if (when != nullptr && *when == 0) return;
    if (bytes > 0) std::memmove(to, from, bytes);  // a variable may be assigned to itself
  });
}

// Whether all values are finite; where they are not, and `armed` is not 0, the step is held back.
std::unique_ptr<Instruction> make_check_finite(const Spec& spec) {
  const Buffer& armed = required_input(spec, 0, "armed", 1, DType::kInt64);
  const Buffer& result = required_output(spec, 0, "result", 1, DType::kBool);
  AllFiniteOp op;
  for (std::size_t i = 1; i < spec.inputs.size(); ++i) {
    const Buffer& x = required_input(spec, i, "value");
    dispatch_floating(x.dtype, spec.op, [&](auto zero) {
      op.add(x.as<decltype(zero)>(), x.size());
      return 0;
    });
  }
  spec.give_workspace(op);
  return make_instruction([op = std::move(op), when = armed.as<std::int64_t>(),
                           to = result.as<std::uint8_t>()](const StepContext&) {
    *to = op.run() ? 1 : 0;
    if (*to == 0 && *when != 0) throw NotFinite("check_finite: a value is not finite");
  });
}

}  // namespace

void register_state(Registry& registry);
void register_state(Registry& registry) {
  registry.add("accumulate_mean", make_accumulate_mean, workspace_of<make_accumulate_mean>);
  registry.add("assign", make_assign);
  registry.add("check_finite", make_check_finite, workspace_of<make_check_finite>);
}

}  // namespace dlnative
