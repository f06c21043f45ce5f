// Depthwise convolution and the parts of its gradient: factories.
#include <algorithm>
#include <memory>

#include "dispatch/dispatch.h"
#include "ops/depthwise.h"
#include "ops/reduce.h"
#include "program/activation_attributes.h"
#include "program/instruction.h"
#include "program/spec_checks.h"
#include "program/window_attributes.h"

namespace dlnative {

namespace {

using Target = DepthwiseGeometry::Target;

// The choice that the kernel makes for full rows of taps, for profiles.
const char* algorithm_of(const Window& window) {
  const WindowAxis& w = window.w;
  const bool shared = (w.window == 3 && w.stride <= 2) || (w.window == 5 && w.stride == 1);
  return shared && w.dilation == 1 ? "depthwise rows" : "depthwise taps";
}

std::int64_t output_size(const Window& window, std::int64_t multiplier) {
  return window.batch * window.h.out * window.w.out * window.channels * multiplier;
}

// The geometry of a kernel (height, width, channels, multiplier) on images of shape `image`.
Window window_of(const Spec& spec, const std::vector<std::int64_t>& image, const Buffer& kernel) {
  const std::vector<std::int64_t>& k = kernel.shape;
  check(k.size() == 4 && k[3] > 0 && image.size() == 4 && image[3] == k[2], spec.op,
        ": expected a kernel (height, width, channels, multiplier) that fits images of shape ",
        image, ", received ", k);
  return read_window(spec, image, {k[0], k[1]});
}

std::unique_ptr<Instruction> make_forward(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& kernel = required_input(spec, 1, "kernel");
  const Window window = window_of(spec, x.shape, kernel);
  const std::int64_t multiplier = kernel.shape[3], size = output_size(window, multiplier);
  check_buffer(spec, kernel, "kernel", kernel.size(), x.dtype);
  const Buffer* bias = optional_input(spec, 2, "bias", window.channels * multiplier, x.dtype);
  const Buffer& y = required_output(spec, 0, "y", size, x.dtype);
  const bool keeps_input = spec.flag("pre_activation", false);
  if (keeps_input) required_output(spec, 1, "pre_activation", size, x.dtype);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    GemmEpilogue<T> epilogue;
    epilogue.bias = data_or_null<T>(bias);
    if (keeps_input) epilogue.pre_activation = spec.outputs[1].as<T>();
    const std::string name = spec.text("activation", "linear");
    const Activation activation = activation_id(spec, name);
    if (activation == Activation::kRelu && !keeps_input) {
      epilogue.relu = true;
    } else if (activation != Activation::kLinear) {
      epilogue.activation =
          kernels<T>().elementwise->activation_forward[static_cast<int>(activation)];
      epilogue.params = activation_params(spec, name);
    }
    DepthwiseCorrelation<T> op(window, multiplier, Target::kOutput, epilogue, spec.threads);
    spec.give_workspace(op);
    return make_instruction([op = std::move(op), from = x.as<T>(), weights = kernel.as<T>(),
                             to = y.as<T>()](const StepContext&) { op.run(from, weights, to); },
                            algorithm_of(window));
  });
}

std::unique_ptr<Instruction> make_backward_input(const Spec& spec) {
  const Buffer& dy = required_input(spec, 0, "dy");
  const Buffer& kernel = required_input(spec, 1, "kernel");
  check(spec.outputs.size() == 1, spec.op, ": expected one output");
  const Buffer& dx = spec.outputs[0];
  const Window window = window_of(spec, dx.shape, kernel);
  const std::int64_t multiplier = kernel.shape[3];
  check_buffer(spec, dy, "dy", output_size(window, multiplier), kernel.dtype);
  check_buffer(spec, dx, "dx", dx.size(), kernel.dtype);
  return dispatch_floating(dy.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    DepthwiseCorrelation<T> op(window, multiplier, Target::kInput, {}, spec.threads);
    spec.give_workspace(op);
    return make_instruction([op = std::move(op), from = dy.as<T>(), weights = kernel.as<T>(),
                             to = dx.as<T>()](const StepContext&) { op.run(from, weights, to); },
                            algorithm_of(window));
  });
}

std::unique_ptr<Instruction> make_backward_kernel(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& dy = required_input(spec, 1, "dy");
  check(!spec.outputs.empty(), spec.op, ": expected an output");
  const Buffer& dkernel = spec.outputs[0];
  const Window window = window_of(spec, x.shape, dkernel);
  const std::int64_t multiplier = dkernel.shape[3], channels = window.channels * multiplier;
  const std::int64_t size = output_size(window, multiplier);
  check_buffer(spec, dy, "dy", size, x.dtype);
  check_buffer(spec, dkernel, "dkernel", dkernel.size(), x.dtype);
  const bool with_bias = spec.flag("bias", false);
  if (with_bias) required_output(spec, 1, "dbias", channels, x.dtype);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const T *image = x.as<T>(), *gradient = dy.as<T>();
    T* weights = dkernel.as<T>();
    DepthwiseBackwardKernel<T> op(window, multiplier, spec.threads);
    if (!with_bias) {
      spec.give_workspace(op);
      return make_instruction([op = std::move(op), image, gradient,
                               weights](const StepContext&) { op.run(image, gradient, weights); },
                              algorithm_of(window));
    }
    ReduceOp<T> sum(Reduction::kSum, spec.op, {channels == 0 ? 0 : size / channels, channels}, {0});
    T* dbias = spec.outputs[1].as<T>();
    // One after the other in the same memory.
    void* memory = spec.scratch(std::max(op.set_workspace(nullptr), sum.set_workspace(nullptr)));
    op.set_workspace(memory);
    sum.set_workspace(memory);
    return make_instruction(
        [op = std::move(op), sum = std::move(sum), image, gradient, weights,
         dbias](const StepContext&) {
          op.run(image, gradient, weights);
          sum.run(gradient, dbias);
        },
        algorithm_of(window));
  });
}

}  // namespace

void register_depthwise(Registry& registry);
void register_depthwise(Registry& registry) {
  registry.add("depthwise_conv2d", make_forward, workspace_of<make_forward>);
  registry.add("depthwise_conv2d_backward_input", make_backward_input,
               workspace_of<make_backward_input>);
  registry.add("depthwise_conv2d_backward_kernel", make_backward_kernel,
               workspace_of<make_backward_kernel>);
}

}  // namespace dlnative
