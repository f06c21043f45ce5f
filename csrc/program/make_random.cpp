// random_uniform, random_gamma, random_binomial: factories.
#include "ops/random_uniform.h"
#include "ops/random_variates.h"
#include "program/draw.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

const Buffer& only_output(const Spec& spec) {
  check(spec.outputs.size() == 1, spec.op, ": expected one output");
  const Buffer& y = spec.outputs[0];
  check(y.data != nullptr || y.size() == 0, spec.op, ": y has no memory");
  return y;
}

// A number for each element of y, or one for all.
Parameter parameter(const Spec& spec, std::size_t index, const char* name, std::int64_t n) {
  const bool is_one = required_input(spec, index, name).size() == 1;
  const Buffer& buffer = required_input(spec, index, name, is_one ? 1 : n, DType::kFloat64);
  return {buffer.as<double>(), is_one ? 0 : 1};
}

std::unique_ptr<Instruction> make_random_uniform(const Spec& spec) {
  const Buffer& y = only_output(spec);
  return dispatch_floating(y.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const Draw draw(spec);
    const RandomUniformOp<T> op(draw.seed, draw.op_id, y.size());
    return make_instruction([op, to = y.as<T>(), draw](const StepContext& context) {
      op.run(to, draw.step_of(context));
    });
  });
}

std::unique_ptr<Instruction> make_random_gamma(const Spec& spec) {
  const Buffer& y = only_output(spec);
  const Parameter alpha = parameter(spec, 0, "alpha", y.size());
  return dispatch_floating(y.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const Draw draw(spec);
    const RandomGammaOp<T> op(draw.seed, draw.op_id, spec.flag("log", false), y.size());
    return make_instruction([op, alpha, to = y.as<T>(), draw](const StepContext& context) {
      op.run(alpha, to, draw.step_of(context));
    });
  });
}

std::unique_ptr<Instruction> make_random_binomial(const Spec& spec) {
  const Buffer& y = only_output(spec);
  const Parameter counts = parameter(spec, 0, "counts", y.size());
  const Parameter chances = parameter(spec, 1, "probabilities", y.size());
  return dispatch_floating(y.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const Draw draw(spec);
    const RandomBinomialOp<T> op(draw.seed, draw.op_id, y.size());
    return make_instruction(
        [op, counts, chances, to = y.as<T>(), draw](const StepContext& context) {
          op.run(counts, chances, to, draw.step_of(context));
        });
  });
}

}  // namespace

void register_random(Registry& registry);
void register_random(Registry& registry) {
  registry.add("random_uniform", make_random_uniform);
  registry.add("random_gamma", make_random_gamma);
  registry.add("random_binomial", make_random_binomial);
}

}  // namespace dlnative
