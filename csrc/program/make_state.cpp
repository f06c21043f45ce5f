// accumulate_mean, increment and assign: factories of instructions that write an input in place.
#include <cstring>

#include "ops/state.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

std::unique_ptr<Instruction> make_accumulate_mean(const Spec& spec) {
  const Buffer& state = required_input(spec, 0, "state", 2, DType::kFloat64);
  const Buffer& values = required_input(spec, 1, "values");
  const Buffer* weight = optional_input(spec, 2, "weight", values.size(), values.dtype);
  return dispatch_floating(values.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    return make_instruction(
        [op = AccumulateMeanOp<T>(values.size()), to = state.as<double>(), x = values.as<T>(),
         w = data_or_null<T>(weight)](const StepContext&) mutable { op.run(to, x, w); });
  });
}

std::unique_ptr<Instruction> make_increment(const Spec& spec) {
  const Buffer& counter = required_input(spec, 0, "counter", 1, DType::kInt64);
  return make_instruction([count = counter.as<std::int64_t>()](const StepContext&) { ++*count; });
}

std::unique_ptr<Instruction> make_assign(const Spec& spec) {
  const Buffer& variable = required_input(spec, 0, "variable");
  const Buffer& value = required_input(spec, 1, "value", variable.size(), variable.dtype);
  const auto bytes = static_cast<std::size_t>(variable.size() * dtype_size(variable.dtype));
  return make_instruction([to = variable.data, from = value.data, bytes](const StepContext&) {
    if (bytes > 0) std::memmove(to, from, bytes);  // a variable may be assigned to itself
  });
}

}  // namespace

void register_state(Registry& registry);
void register_state(Registry& registry) {
  registry.add("accumulate_mean", make_accumulate_mean);
  registry.add("increment", make_increment);
  registry.add("assign", make_assign);
}

}  // namespace dlnative
