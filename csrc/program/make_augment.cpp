// Random changes of images: factories.
#include <utility>
#include <vector>

#include "core/table.h"
#include "ops/augment.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

// The samples of a step, or those that the attributes `epoch` and `samples` name.
class SampleSource {
 public:
  explicit SampleSource(const Spec& spec)
      : fixed_epoch_(spec.has("epoch")), epoch_(spec.bits("epoch")) {
    const std::vector<std::int64_t> numbers = spec.integers("samples");
    numbers_.assign(numbers.begin(), numbers.end());
  }

  Samples of(const StepContext& context) const {
    Samples samples = context.samples;
    if (fixed_epoch_) samples.epoch = epoch_;
    if (!numbers_.empty()) {
      samples.rows = static_cast<std::int64_t>(numbers_.size());
      samples.numbers = numbers_.data();
    }
    return samples;
  }

 private:
  bool fixed_epoch_;
  std::uint64_t epoch_;
  Table<std::int64_t> numbers_;
};

ImageShape image_shape(const Spec& spec, const Buffer& x) {
  check(x.shape.size() == 4, spec.op, ": expected (batch, height, width, channels), received ",
        x.shape);
  return {x.shape[0], x.shape[1], x.shape[2], x.shape[3]};
}

Draws draws(const Spec& spec, Draws::Kind kind) {
  return {spec.bits("seed"), static_cast<std::uint32_t>(spec.bits("op_id")), kind};
}

Range range(const Spec& spec, const char* name, Range fallback) {
  if (!spec.has(name)) return fallback;
  const std::vector<double> values = spec.reals(name);
  check(values.size() == 2, spec.op, ": expected two numbers for '", name, "'");
  // Within these bounds coordinates cannot overflow.
  check(values[0] >= -1e6 && values[0] <= values[1] && values[1] <= 1e6, spec.op,
        ": expected an increasing pair between -1e6 and 1e6 for '", name, "'");
  return {values[0], values[1]};
}

FillMode fill_mode(const Spec& spec) {
  const std::string mode = spec.text("fill_mode", "reflect");
  if (mode == "constant") return FillMode::kConstant;
  if (mode == "nearest") return FillMode::kNearest;
  if (mode == "reflect") return FillMode::kReflect;
  if (mode == "wrap") return FillMode::kWrap;
  fail(spec.op, ": unknown fill_mode '", mode, "'");
}

// Op(shape, ..., draws) as an instruction from x to y.
template <class Op, class T>
std::unique_ptr<Instruction> instruction(const Spec& spec, Op op, const Buffer& x,
                                         const Buffer& y) {
  return make_instruction([op = std::move(op), from = x.as<T>(), to = y.as<T>(),
                           source = SampleSource(spec)](const StepContext& context) mutable {
    op.run(from, to, source.of(context));
  });
}

std::unique_ptr<Instruction> make_flip(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
  const ImageShape shape = image_shape(spec, x);
  const std::string mode = spec.text("mode", "horizontal_and_vertical");
  check(mode == "horizontal" || mode == "vertical" || mode == "horizontal_and_vertical", spec.op,
        ": unknown mode '", mode, "'");
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    using Op = RandomFlipOp<T>;
    return instruction<Op, T>(
        spec, Op(shape, mode != "vertical", mode != "horizontal", draws(spec, Draws::kFlip)), x, y);
  });
}

std::unique_ptr<Instruction> make_crop(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const ImageShape shape = image_shape(spec, x);
  CropOptions options;
  options.height = spec.integer("height", 0);
  options.width = spec.integer("width", 0);
  const std::vector<std::int64_t> padding = spec.integers("padding");
  check(padding.empty() || padding.size() == 4, spec.op, ": expected four sizes for 'padding'");
  for (std::size_t i = 0; i < padding.size(); ++i) options.padding[i] = padding[i];
  const std::string mode = spec.text("padding_mode", "constant");
  check(mode == "constant" || mode == "reflect", spec.op, ": unknown padding_mode '", mode, "'");
  options.reflect = mode == "reflect";
  options.fill_value = spec.real("fill_value", 0.0);
  const std::int64_t size = shape.batch * options.height * options.width * shape.channels;
  const Buffer& y = required_output(spec, 0, "y", size, x.dtype);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    using Op = RandomCropOp<T>;
    return instruction<Op, T>(spec, Op(shape, options, draws(spec, Draws::kCrop)), x, y);
  });
}

std::unique_ptr<Instruction> make_affine(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
  const ImageShape shape = image_shape(spec, x);
  AffineOptions options;
  options.shift_y = range(spec, "height_shift", {0.0, 0.0});
  options.shift_x = range(spec, "width_shift", {0.0, 0.0});
  options.rotation = range(spec, "rotation", {0.0, 0.0});
  options.zoom_y = range(spec, "height_zoom", {1.0, 1.0});
  options.zoom_x = range(spec, "width_zoom", {1.0, 1.0});
  options.keep_aspect = !spec.has("width_zoom");
  options.fill = fill_mode(spec);
  options.fill_value = spec.real("fill_value", 0.0);
  const std::string interpolation = spec.text("interpolation", "bilinear");
  check(interpolation == "bilinear" || interpolation == "nearest", spec.op,
        ": unknown interpolation '", interpolation, "'");
  options.bilinear = interpolation == "bilinear";
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    using Op = RandomAffineOp<T>;
    return instruction<Op, T>(spec, Op(shape, options, draws(spec, Draws::kAffine)), x, y);
  });
}

// What random_brightness and random_contrast take.
struct ValuesCall {
  explicit ValuesCall(const Spec& spec);
  const Buffer &x, &y;
  ImageShape shape;
  Range factor, limits;
};

ValuesCall::ValuesCall(const Spec& spec)
    : x(required_input(spec, 0, "x")),
      y(required_output(spec, 0, "y", x.size(), x.dtype)),
      shape(image_shape(spec, x)),
      factor(range(spec, "factor", {0.0, 0.0})),
      limits{0.0, 255.0} {
  const std::vector<double> values = spec.reals("value_range");
  check(values.empty() || (values.size() == 2 && values[0] <= values[1]), spec.op,
        ": expected an increasing pair for 'value_range'");
  if (!values.empty()) limits = {values[0], values[1]};
}

std::unique_ptr<Instruction> make_brightness(const Spec& spec) {
  const ValuesCall call(spec);
  return dispatch_floating(call.x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    return instruction<RandomBrightnessOp<T>, T>(
        spec, {call.shape, call.factor, call.limits, draws(spec, Draws::kBrightness)}, call.x,
        call.y);
  });
}

std::unique_ptr<Instruction> make_contrast(const Spec& spec) {
  const ValuesCall call(spec);
  return dispatch_floating(call.x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    RandomContrastOp<T> op(call.shape, call.factor, call.limits, draws(spec, Draws::kContrast),
                           spec.threads);
    spec.give_workspace(op);
    return instruction<RandomContrastOp<T>, T>(spec, op, call.x, call.y);
  });
}

std::unique_ptr<Instruction> make_crop_resize(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const ImageShape shape = image_shape(spec, x);
  const std::int64_t height = spec.integer("height", 0);
  const std::int64_t width = spec.integer("width", 0);
  const std::vector<std::int64_t> window = spec.integers("window");
  check(window.size() == 4, spec.op, ": expected four numbers for 'window'");
  const std::int64_t size = shape.batch * height * width * shape.channels;
  const Buffer& y = required_output(spec, 0, "y", size, x.dtype);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const CropResizeOp<T> op(shape, {window[0], window[1], window[2], window[3]}, height, width);
    return make_instruction(
        [op, from = x.as<T>(), to = y.as<T>()](const StepContext&) { op.run(from, to); });
  });
}

}  // namespace

void register_augment(Registry& registry);
void register_augment(Registry& registry) {
  registry.add("random_flip", make_flip);
  registry.add("random_crop", make_crop);
  registry.add("random_affine", make_affine);
  registry.add("random_brightness", make_brightness);
  registry.add("random_contrast", make_contrast, workspace_of<make_contrast>);
  registry.add("crop_resize2d", make_crop_resize);
}

}  // namespace dlnative
