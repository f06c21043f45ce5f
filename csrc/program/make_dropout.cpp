// dropout: factory. Its gradient is the same op.
#include "ops/dropout.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

std::unique_ptr<Instruction> make_dropout(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
  const Buffer& rate = required_input(spec, 1, "rate", 1, DType::kFloat64);
  const std::uint64_t seed = spec.bits("seed");
  const auto op_id = static_cast<std::uint32_t>(spec.bits("op_id"));
  const bool fixed_step = spec.has("step");
  const auto step = spec.bits("step");
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const DropoutOp<T> op(seed, op_id, x.size());
    return make_instruction([op, from = x.as<T>(), to = y.as<T>(), share = rate.as<double>(),
                             fixed_step, step](const StepContext& context) {
      op.run(from, to, *share, fixed_step ? step : context.step);
    });
  });
}

}  // namespace

void register_dropout(Registry& registry);
void register_dropout(Registry& registry) {
  registry.add("dropout", make_dropout);
}

}  // namespace dlnative
