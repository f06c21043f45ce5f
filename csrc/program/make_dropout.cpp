// dropout: factory. Its gradient is the same op.
#include "ops/dropout.h"
#include "program/draw.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

std::unique_ptr<Instruction> make_dropout(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
  const Buffer& rate = required_input(spec, 1, "rate", 1, DType::kFloat64);
  const Draw draw(spec);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const DropoutOp<T> op(draw.seed, draw.op_id, x.size());
    return make_instruction(
        [op, from = x.as<T>(), to = y.as<T>(), share = rate.as<double>(),
         draw](const StepContext& context) { op.run(from, to, *share, draw.step_of(context)); });
  });
}

}  // namespace

void register_dropout(Registry& registry);
void register_dropout(Registry& registry) {
  registry.add("dropout", make_dropout);
}

}  // namespace dlnative
