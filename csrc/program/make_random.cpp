// random_uniform: factory.
#include "ops/random_uniform.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

std::unique_ptr<Instruction> make_random_uniform(const Spec& spec) {
  check(spec.outputs.size() == 1, spec.op, ": expected one output");
  const Buffer& y = spec.outputs[0];
  check(y.data != nullptr || y.size() == 0, spec.op, ": y has no memory");
  const std::uint64_t seed = spec.bits("seed");
  const auto op_id = static_cast<std::uint32_t>(spec.bits("op_id"));
  const bool fixed_step = spec.has("step");
  const auto step = spec.bits("step");
  return dispatch_floating(y.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const RandomUniformOp<T> op(seed, op_id, y.size());
    return make_instruction([op, to = y.as<T>(), fixed_step, step](const StepContext& context) {
      op.run(to, fixed_step ? step : context.step);
    });
  });
}

}  // namespace

void register_random(Registry& registry);
void register_random(Registry& registry) {
  registry.add("random_uniform", make_random_uniform);
}

}  // namespace dlnative
