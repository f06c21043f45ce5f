// Functions of one to three arrays with broadcasting, and cast: factories.
#include "ops/map.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

constexpr const char* kNames[] = {"a", "b", "c"};

std::unique_ptr<Instruction> make_op(const Spec& spec, const MapChoice& choice, int count) {
  check(!spec.outputs.empty(), spec.op, ": expected an output");
  const Buffer& y = required_output(spec, 0, "y", spec.outputs[0].size(), choice.result);
  std::vector<MapOp::Operand> operands;
  std::array<const void*, 3> in{};
  for (int i = 0; i < count; ++i) {
    const auto k = static_cast<std::size_t>(i);
    const Buffer& x = spec.inputs[k];
    check(x.data != y.data || y.size() == 0 ||
              (x.size() == y.size() && dtype_size(x.dtype) == dtype_size(y.dtype)),
          spec.op, ": cannot write ", y.shape, " over ", kNames[i], " of shape ", x.shape);
    operands.push_back({x.shape, dtype_size(x.dtype)});
    in[k] = x.data;
  }
  const MapOp op(choice, operands, y.shape);
  return make_instruction([op, in, to = y.data](const StepContext&) { op.run(in.data(), to); });
}

std::unique_ptr<Instruction> make_map(const Spec& spec) {
  const int count = map_operands(spec.op);
  check(spec.inputs.size() == static_cast<std::size_t>(count), spec.op, ": expected ", count,
        " operands, received ", spec.inputs.size());
  for (int i = 0; i < count; ++i) required_input(spec, static_cast<std::size_t>(i), kNames[i]);
  const int condition = map_condition(spec.op);
  const DType dtype = spec.inputs[condition == 0 ? 1 : 0].dtype;
  for (int i = 0; i < count; ++i) {
    const DType received = spec.inputs[static_cast<std::size_t>(i)].dtype;
    if (i == condition) {
      check(received == DType::kBool, spec.op, ": expected a condition of bool, received ",
            dtype_name(received));
    } else {
      check(received == dtype, spec.op, ": expected operands of one dtype, received ",
            dtype_name(dtype), " and ", dtype_name(received));
    }
  }
  const MapChoice choice = map_choice(spec.op, dtype);
  check(choice.function != nullptr, spec.op, ": not defined for ", dtype_name(dtype));
  return make_op(spec, choice, count);
}

std::unique_ptr<Instruction> make_cast(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  check(!spec.outputs.empty(), spec.op, ": expected an output");
  const DType to = spec.outputs[0].dtype;
  const std::string dtype = spec.text("dtype", dtype_name(to));
  check(dtype == dtype_name(to), spec.op, ": expected an output of ", dtype, ", received ",
        dtype_name(to));
  const MapChoice choice = cast_choice(x.dtype, to);
  check(choice.function != nullptr, spec.op, ": cannot convert ", dtype_name(x.dtype), " to ",
        dtype);
  return make_op(spec, choice, 1);
}

}  // namespace

void register_map(Registry& registry);
void register_map(Registry& registry) {
  for (const std::string& name : map_names()) registry.add(name, make_map);
  registry.add("cast", make_cast);
}

}  // namespace dlnative
