// reshape, concatenate, slice, transpose and broadcast_to: factories. Any dtype.
#include "core/table.h"
#include "ops/shape.h"
#include "program/axis.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

const Buffer& only_output(const Spec& spec) {
  check(spec.outputs.size() == 1, spec.op, ": expected one output, received ", spec.outputs.size());
  const Buffer& y = spec.outputs[0];
  return required_output(spec, 0, "y", y.size(), y.dtype);
}

void check_dtype(const Spec& spec, const Buffer& x, const Buffer& y) {
  check(x.dtype == y.dtype, spec.op, ": expected an output of ", dtype_name(x.dtype), ", received ",
        dtype_name(y.dtype));
}

std::unique_ptr<Instruction> make_reshape(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
  const std::int64_t bytes = x.size() * dtype_size(x.dtype);
  const CopyRowsOp op(1, bytes, bytes, bytes);
  return make_instruction(
      [op, from = x.data, to = y.data](const StepContext&) { op.run(from, to); });
}

std::unique_ptr<Instruction> make_concatenate(const Spec& spec) {
  struct Piece {
    CopyRowsOp op;
    const void* from;
    void* to;
  };
  const Buffer& y = only_output(spec);
  const AxisSplit whole = split_at_axis(spec, y, -1);
  const std::int64_t element = dtype_size(y.dtype);
  const std::int64_t stride = whole.size * whole.inner * element;
  Table<Piece> pieces;
  std::int64_t at = 0;
  for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
    const Buffer& x = required_input(spec, i, "x");
    check_dtype(spec, x, y);
    check(x.shape.size() == y.shape.size(), spec.op, ": expected arrays of one rank, received ",
          x.shape, " for ", y.shape);
    const AxisSplit part = split_at_axis(spec, x, -1);
    check(part.outer == whole.outer && part.inner == whole.inner, spec.op, ": ", x.shape,
          " does not fit into ", y.shape);
    const std::int64_t bytes = part.size * part.inner * element;
    pieces.push_back({CopyRowsOp(part.outer, bytes, stride, bytes), x.data, y.as<char>() + at});
    at += bytes;
  }
  check(at == stride, spec.op, ": the inputs do not fill an output of shape ", y.shape);
  return make_instruction([pieces = std::move(pieces)](const StepContext&) {
    for (const Piece& piece : pieces) piece.op.run(piece.from, piece.to);
  });
}

std::unique_ptr<Instruction> make_slice(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const AxisSplit split = split_at_axis(spec, x, -1);
  const std::int64_t start = spec.integer("start", 0), stop = spec.integer("stop", split.size);
  check(start >= 0 && start <= stop && stop <= split.size, spec.op,
        ": expected 0 <= start <= stop <= ", split.size, ", received ", start, " and ", stop);
  const std::int64_t kept = stop - start;
  const Buffer& y = required_output(spec, 0, "y", split.outer * kept * split.inner, x.dtype);
  check(x.data != y.data || y.size() == 0, spec.op, ": cannot run in place");
  const std::int64_t unit = split.inner * dtype_size(x.dtype);
  const CopyRowsOp op(split.outer, kept * unit, kept * unit, split.size * unit);
  return make_instruction([op, from = x.as<char>() + start * unit,
                           to = y.data](const StepContext&) { op.run(from, to); });
}

std::unique_ptr<Instruction> make_transpose(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
  check(x.data != y.data || x.size() == 0, spec.op, ": cannot run in place");
  std::vector<std::int64_t> axes = spec.integers("axes");
  for (std::int64_t& axis : axes) {
    if (axis < 0) axis += static_cast<std::int64_t>(x.shape.size());
  }
  const TransposeOp op(x.shape, axes, dtype_size(x.dtype));
  return make_instruction(
      [op, from = x.data, to = y.data](const StepContext&) { op.run(from, to); });
}

std::unique_ptr<Instruction> make_broadcast_to(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& y = only_output(spec);
  check_dtype(spec, x, y);
  const BroadcastToOp op(x.shape, y.shape, dtype_size(x.dtype));
  return make_instruction(
      [op, from = x.data, to = y.data](const StepContext&) { op.run(from, to); });
}

}  // namespace

void register_shape(Registry& registry);
void register_shape(Registry& registry) {
  for (const char* view : {"reshape", "stop_gradient", "custom_gradient"})
    registry.add(view, make_reshape);
  registry.add("concatenate", make_concatenate);
  registry.add("slice", make_slice);
  registry.add("transpose", make_transpose);
  registry.add("broadcast_to", make_broadcast_to);
}

}  // namespace dlnative
