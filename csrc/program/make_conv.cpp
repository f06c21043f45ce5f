// Convolution, its transpose and the parts of its gradient: factories.
//
// ops/conv_cost.h says which algorithm wins; it is named in profiles.
#include <algorithm>
#include <limits>

#include "dispatch/dispatch.h"
#include "ops/conv.h"
#include "ops/conv_cost.h"
#include "ops/gemm.h"
#include "ops/winograd.h"
#include "program/activation_attributes.h"
#include "program/instruction.h"
#include "program/spec_checks.h"
#include "program/window_attributes.h"

namespace dlnative {

namespace {

ConvShape shape_of(const Spec& spec, const Window& window, std::int64_t filters,
                   std::int64_t groups) {
  ConvShape shape;
  shape.window = window;
  shape.filters = filters;
  shape.groups = groups;
  check(groups > 0 && window.channels % groups == 0 && filters % groups == 0, spec.op,
        ": groups=", groups, " do not divide the channels");
  check(window.channels > 0 && filters > 0, spec.op,
        ": expected at least one channel and one filter");
  // Tables hold 32-bit offsets within an image, or a few that are small.
  const std::int64_t largest = std::max({shape.image() * shape.channels(), shape.places() * filters,
                                         shape.taps() * shape.group_channels() * filters});
  check(largest <= std::numeric_limits<std::int32_t>::max() / 2, spec.op,
        ": an image or a kernel of ", largest, " values is too large");
  return shape;
}

std::vector<std::int64_t> taps_of(const std::vector<std::int64_t>& kernel_shape) {
  return {kernel_shape.begin(), kernel_shape.end() - 2};
}

template <class T>
std::unique_ptr<Instruction> make_gemm(const GemmBlock<T>& block, const GemmEpilogue<T>& epilogue,
                                       const char* algorithm) {
  return make_instruction(
      [gemm = Gemm<T>(block, epilogue)](const StepContext&) mutable { gemm.run(); }, algorithm);
}

template <class Conv>
std::unique_ptr<Instruction> make_running(Conv conv, const char* algorithm) {
  return make_instruction([conv = std::move(conv)](const StepContext&) mutable { conv.run(); },
                          algorithm);
}

// A convolution that keeps its packed weights where they are constant.
template <class Conv>
std::unique_ptr<Instruction> make_packing(Conv conv, bool constant, const char* algorithm) {
  if (!constant) return make_running(std::move(conv), algorithm);
  struct Packing final : Instruction {
    explicit Packing(Conv c) : conv(std::move(c)) { conv.keep_packed(); }
    void run(const StepContext&) override { conv.run(); }
    void pack(std::int64_t version) override { conv.pack(version); }
    std::size_t packed_bytes() const override { return conv.kept_bytes(); }
    Conv conv;
  };
  auto instruction = std::make_unique<Packing>(std::move(conv));
  instruction->algorithm = algorithm;
  return instruction;
}

// Activation, or the gradient of one at `saved`, into the epilogue.
template <class T>
void set_activation(const Spec& spec, const Buffer* saved, bool keeps_input,
                    GemmEpilogue<T>& epilogue) {
  const std::string name = spec.text("activation", "linear");
  const Activation activation = activation_id(spec, name);
  const auto index = static_cast<std::size_t>(activation);
  const ElementwiseKernels<T>& elementwise = *kernels<T>().elementwise;
  if (saved != nullptr) {
    if (activation == Activation::kRelu) {
      epilogue.relu_saved = saved->as<T>();
    } else {
      epilogue.saved = saved->as<T>();
      epilogue.activation_backward = elementwise.activation_backward[index];
      epilogue.params = activation_params(spec, name);
    }
  } else if (activation == Activation::kRelu && !keeps_input) {
    epilogue.relu = true;
  } else if (activation != Activation::kLinear) {
    epilogue.activation = elementwise.activation_forward[index];
    epilogue.params = activation_params(spec, name);
  }
}

// y = activation(x * kernel + bias), and what the planner adds: inputs mean, variance, gamma, beta
// of a normalisation with constant statistics, and a residual shaped like y, which goes into the
// activation; with `moments`, pixels per block, the last output receives those.
std::unique_ptr<Instruction> make_conv(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& kernel = required_input(spec, 1, "kernel");
  check(kernel.shape.size() == x.shape.size() && x.shape.size() >= 3, spec.op,
        ": kernel or x has a wrong rank");
  const Window window = read_window(spec, x.shape, taps_of(kernel.shape));
  const ConvShape shape = shape_of(spec, window, kernel.shape.back(), spec.integer("groups", 1));
  const std::int64_t filters = shape.filters, rows = shape.batch() * shape.places();
  check_buffer(spec, x, "x", shape.batch() * shape.image() * shape.channels(), x.dtype);
  check_buffer(spec, kernel, "kernel", shape.taps() * shape.group_channels() * filters, x.dtype);
  const Buffer* bias = optional_input(spec, 2, "bias", filters, x.dtype);
  const Buffer* mean = optional_input(spec, 3, "mean", filters, x.dtype);
  const Buffer* variance = optional_input(spec, 4, "variance", filters, x.dtype);
  const Buffer* gamma = optional_input(spec, 5, "gamma", filters, x.dtype);
  const Buffer* beta = optional_input(spec, 6, "beta", filters, x.dtype);
  const Buffer* residual = optional_input(spec, 7, "residual", rows * filters, x.dtype);
  check((mean == nullptr) == (variance == nullptr), spec.op,
        ": expected mean and variance, or neither");
  const Buffer& y = required_output(spec, 0, "y", rows * filters, x.dtype);
  const bool keeps_input = spec.flag("pre_activation", false), wants_moments = spec.has("moments");
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) -> std::unique_ptr<Instruction> {
    using T = decltype(zero);
    ConvExtras<T> extras;
    extras.epilogue.bias = data_or_null<T>(bias);
    set_activation<T>(spec, nullptr, keeps_input, extras.epilogue);
    if (keeps_input) {
      extras.epilogue.pre_activation =
          required_output(spec, 1, "the pre-activation", y.size(), x.dtype).as<T>();
    }
    if (wants_moments) {
      extras.moment_pixels = spec.integer("moments", 0);
      check(extras.moment_pixels > 0 && shape.places() % extras.moment_pixels == 0, spec.op,
            ": expected blocks that divide an image, received ", extras.moment_pixels, " pixels");
      const std::int64_t size = rows / extras.moment_pixels * 2 * filters;
      const Buffer& moments = required_output(spec, keeps_input ? 2 : 1, "moments", size, x.dtype);
      extras.moments = moments.as<T>();
    }
    extras.mean = data_or_null<T>(mean);
    extras.variance = data_or_null<T>(variance);
    extras.gamma = data_or_null<T>(gamma);
    extras.beta = data_or_null<T>(beta);
    extras.epsilon = spec.real("epsilon", 1e-3);
    extras.residual = data_or_null<T>(residual);
    const T *from = x.as<T>(), *weights = kernel.as<T>();
    const bool plain = !wants_moments && variance == nullptr && residual == nullptr;
    const auto is_constant = [](const Buffer* b) { return b == nullptr || b->constant; };
    const bool constant =
        kernel.constant &&
        (variance == nullptr || (is_constant(bias) && is_constant(mean) && is_constant(variance) &&
                                 is_constant(gamma) && is_constant(beta)));
    const ConvAlgorithm algorithm =
        choose_conv({shape, ConvDirection::kForward, plain, constant, sizeof(T)});
    const char* name = conv_algorithm_name(algorithm);
    if (algorithm == ConvAlgorithm::kDense) {
      const std::int64_t k = shape.taps() * shape.channels();
      return make_gemm(GemmBlock<T>{from, weights, y.as<T>(), k, 1, filters, 1, filters, rows,
                                    filters, k, false, nullptr, nullptr},
                       extras.epilogue, name);
    }
    if (algorithm == ConvAlgorithm::kPlanar) {
      return make_packing(PlanarConv<T>(shape, from, weights, y.as<T>(), extras), constant, name);
    }
    if (algorithm == ConvAlgorithm::kWinograd) {
      return make_packing(WinogradConv<T>::forward(shape, from, weights, y.as<T>(), extras),
                          constant, name);
    }
    return make_packing(DirectConv<T>::forward(shape, from, weights, y.as<T>(), extras), constant,
                        name);
  });
}

// The adjoint; `from` is shaped like y, `result` like x. The planner may have it add to `residual`,
// another cotangent of x.
std::unique_ptr<Instruction> make_adjoint(const Spec& spec, const ConvShape& shape,
                                          const Buffer& from, const Buffer& kernel,
                                          const Buffer& result, const Buffer* bias,
                                          const Buffer* saved, const Buffer* residual) {
  const bool keeps_input = spec.flag("pre_activation", false);
  return dispatch_floating(from.dtype, spec.op, [&](auto zero) -> std::unique_ptr<Instruction> {
    using T = decltype(zero);
    ConvExtras<T> extras;
    extras.epilogue.bias = data_or_null<T>(bias);
    extras.residual = data_or_null<T>(residual);
    set_activation<T>(spec, saved, keeps_input, extras.epilogue);
    if (keeps_input) {
      extras.epilogue.pre_activation =
          required_output(spec, 1, "the pre-activation", result.size(), from.dtype).as<T>();
    }
    // A product with several taps in a row has a bias per channel, which repeats within the row;
    // and it can add to its own result only.
    const bool plain = (shape.taps() == 1 || bias == nullptr) &&
                       (residual == nullptr || extras.residual == result.as<T>());
    const ConvAlgorithm algorithm =
        choose_conv({shape, ConvDirection::kBackwardInput, plain, kernel.constant, sizeof(T)});
    const char* name = conv_algorithm_name(algorithm);
    if (algorithm == ConvAlgorithm::kDense) {
      const std::int64_t n = shape.taps() * shape.channels(), k = shape.filters;
      extras.epilogue.ld_saved = n;
      return make_gemm(
          GemmBlock<T>{from.as<T>(), kernel.as<T>(), result.as<T>(), k, 1, 1, k, n,
                       shape.batch() * shape.places(), n, k, residual != nullptr, nullptr, nullptr},
          extras.epilogue, name);
    }
    if (algorithm == ConvAlgorithm::kWinograd) {
      return make_packing(WinogradConv<T>::backward_input(shape, from.as<T>(), kernel.as<T>(),
                                                          result.as<T>(), extras),
                          kernel.constant, name);
    }
    return make_packing(
        DirectConv<T>::backward_input(shape, from.as<T>(), kernel.as<T>(), result.as<T>(), extras),
        kernel.constant,
        shape.window.h.stride > 1 || shape.window.w.stride > 1 ? "direct phases" : name);
  });
}

std::unique_ptr<Instruction> make_conv_backward_input(const Spec& spec) {
  const Buffer& dy = required_input(spec, 0, "dy");
  const Buffer& kernel = required_input(spec, 1, "kernel");
  check(kernel.shape.size() >= 3 && !spec.outputs.empty(), spec.op,
        ": expected a kernel and one output");
  const std::vector<std::int64_t>& image = spec.outputs[0].shape;
  check(image.size() == kernel.shape.size(), spec.op, ": kernel and output differ in rank");
  const Window window = read_window(spec, image, taps_of(kernel.shape));
  const ConvShape shape = shape_of(spec, window, kernel.shape.back(), spec.integer("groups", 1));
  const std::int64_t size = shape.batch() * shape.image() * shape.channels();
  check_buffer(spec, dy, "dy", shape.batch() * shape.places() * shape.filters, dy.dtype);
  check_buffer(spec, kernel, "kernel", shape.taps() * shape.group_channels() * shape.filters,
               dy.dtype);
  const Buffer& dx = required_output(spec, 0, "dx", size, dy.dtype);
  const Buffer* saved = optional_input(spec, 2, "saved", size, dy.dtype);
  const Buffer* residual = optional_input(spec, 3, "residual", size, dy.dtype);
  return make_adjoint(spec, shape, dy, kernel, dx, nullptr, saved, residual);
}

std::unique_ptr<Instruction> make_conv_transpose(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& kernel = required_input(spec, 1, "kernel");
  check(kernel.shape.size() == x.shape.size() && x.shape.size() >= 3 && !spec.outputs.empty(),
        spec.op, ": kernel or x has a wrong rank");
  const Window window =
      read_transposed_window(spec, x.shape, spec.outputs[0].shape, taps_of(kernel.shape));
  const ConvShape shape = shape_of(spec, window, kernel.shape.back(), 1);
  check_buffer(spec, x, "x", shape.batch() * shape.places() * shape.filters, x.dtype);
  check_buffer(spec, kernel, "kernel", shape.taps() * shape.channels() * shape.filters, x.dtype);
  const Buffer* bias = optional_input(spec, 2, "bias", shape.channels(), x.dtype);
  const Buffer& y =
      required_output(spec, 0, "y", shape.batch() * shape.image() * shape.channels(), x.dtype);
  return make_adjoint(spec, shape, x, kernel, y, bias, nullptr, nullptr);
}

std::unique_ptr<Instruction> make_conv_backward_kernel(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& dy = required_input(spec, 1, "dy");
  check(x.shape.size() >= 3 && dy.shape.size() == x.shape.size(), spec.op,
        ": x or dy has a wrong rank");
  const Window window = read_window(spec, x.shape, spec.integers("kernel_size"));
  const ConvShape shape = shape_of(spec, window, dy.shape.back(), spec.integer("groups", 1));
  check_buffer(spec, x, "x", shape.batch() * shape.image() * shape.channels(), x.dtype);
  check_buffer(spec, dy, "dy", shape.batch() * shape.places() * shape.filters, x.dtype);
  const Buffer& dkernel = required_output(
      spec, 0, "dkernel", shape.taps() * shape.group_channels() * shape.filters, x.dtype);
  const Buffer* dbias = spec.flag("bias", false)
                            ? &required_output(spec, 1, "dbias", shape.filters, x.dtype)
                            : nullptr;
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) -> std::unique_ptr<Instruction> {
    using T = decltype(zero);
    T* sums = data_or_null<T>(dbias);
    const ConvAlgorithm algorithm =
        choose_conv({shape, ConvDirection::kBackwardKernel, true, false, sizeof(T)});
    const char* name = conv_algorithm_name(algorithm);
    if (algorithm == ConvAlgorithm::kPlanar) {
      return make_running(PlanarGradient<T>(shape, x.as<T>(), dy.as<T>(), dkernel.as<T>(), sums),
                          name);
    }
    if (algorithm == ConvAlgorithm::kWinograd) {
      return make_running(WinogradGradient<T>(shape, x.as<T>(), dy.as<T>(), dkernel.as<T>(), sums),
                          name);
    }
    return make_running(ConvGradient<T>(shape, x.as<T>(), dy.as<T>(), dkernel.as<T>(), sums), name);
  });
}

}  // namespace

void register_conv(Registry& registry);
void register_conv(Registry& registry) {
  for (const char* name : {"conv1d", "conv2d"}) {
    const std::string op = name;
    registry.add(op, make_conv);
    registry.add(op + "_backward_input", make_conv_backward_input);
    registry.add(op + "_backward_kernel", make_conv_backward_kernel);
    registry.add(op + "_transpose", make_conv_transpose);
  }
}

}  // namespace dlnative
