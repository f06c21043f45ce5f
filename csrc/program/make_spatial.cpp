// Padding, cropping and resizing of images: factories.
#include "ops/spatial.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

const std::vector<std::int64_t>& image_shape(const Spec& spec,
                                             const std::vector<std::int64_t>& shape) {
  check(shape.size() == 4, spec.op, ": expected images of 4 axes, received shape ", shape);
  return shape;
}

Sides sides_of(const Spec& spec, const char* name) {
  const std::vector<std::int64_t> values = spec.integers(name);
  check(values.size() == 4, spec.op, ": expected 4 values for '", name, "', received ", values);
  for (const std::int64_t value : values) {
    check(value >= 0, spec.op, ": expected '", name, "' of at least 0, received ", values);
  }
  return {values[0], values[1], values[2], values[3]};
}

std::unique_ptr<Instruction> make_zero_pad(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const std::vector<std::int64_t>& s = image_shape(spec, x.shape);
  const Sides sides = sides_of(spec, "padding");
  const std::int64_t size =
      s[0] * (s[1] + sides.top + sides.bottom) * (s[2] + sides.left + sides.right) * s[3];
  const Buffer& y = required_output(spec, 0, "y", size, x.dtype);
  const FrameOp op(s[0], s[1], s[2], s[3] * dtype_size(x.dtype), sides);
  return make_instruction(
      [op, from = x.data, to = y.data](const StepContext&) { op.pad(from, to); });
}

std::unique_ptr<Instruction> make_crop(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const std::vector<std::int64_t>& s = image_shape(spec, x.shape);
  const Sides sides = sides_of(spec, "cropping");
  const std::int64_t height = s[1] - sides.top - sides.bottom,
                     width = s[2] - sides.left - sides.right;
  check(height > 0 && width > 0, spec.op, ": the cropping leaves nothing of shape ", s);
  const Buffer& y = required_output(spec, 0, "y", s[0] * height * width * s[3], x.dtype);
  const FrameOp op(s[0], height, width, s[3] * dtype_size(x.dtype), sides);
  return make_instruction(
      [op, from = x.data, to = y.data](const StepContext&) { op.crop(from, to); });
}

// With `transposed` the input is dy and the attribute input_shape the shape of dx.
template <bool transposed>
std::unique_ptr<Instruction> make_upsample(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, transposed ? "dy" : "x");
  const std::vector<std::int64_t> s =
      image_shape(spec, transposed ? spec.integers("input_shape") : x.shape);
  const std::vector<std::int64_t> factors =
      spec.has("size") ? spec.integers("size") : std::vector<std::int64_t>{2, 2};
  check(factors.size() == 2 && factors[0] > 0 && factors[1] > 0, spec.op,
        ": expected 'size' of two integers of at least 1, received ", factors);
  const std::int64_t small = s[0] * s[1] * s[2] * s[3], large = small * factors[0] * factors[1];
  check_buffer(spec, x, transposed ? "dy" : "x", transposed ? large : small, x.dtype);
  const Buffer& y =
      required_output(spec, 0, transposed ? "dx" : "y", transposed ? small : large, x.dtype);
  const std::string interpolation = spec.text("interpolation", "nearest");
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    UpsampleOp<T> op(s[0], s[1], s[2], s[3], factors[0], factors[1], interpolation, transposed,
                     spec.threads);
    spec.give_workspace(op);
    return make_instruction([op = std::move(op), from = x.as<T>(),
                             to = y.as<T>()](const StepContext&) { op.run(from, to); });
  });
}

}  // namespace

void register_spatial(Registry& registry);
void register_spatial(Registry& registry) {
  registry.add("zero_pad2d", make_zero_pad);
  registry.add("crop2d", make_crop);
  registry.add("upsample2d", make_upsample<false>, workspace_of<make_upsample<false>>);
  registry.add("upsample2d_backward", make_upsample<true>, workspace_of<make_upsample<true>>);
}

}  // namespace dlnative
