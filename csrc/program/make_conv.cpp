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

template <class Conv>
std::unique_ptr<Instruction> make_running(const Spec& spec, Conv conv, const char* algorithm) {
  spec.give_workspace(conv);
  return make_instruction([conv = std::move(conv)](const StepContext&) mutable { conv.run(); },
                          algorithm);
}

template <class T>
std::unique_ptr<Instruction> make_gemm(const Spec& spec, const GemmBlock<T>& block,
                                       const GemmEpilogue<T>& epilogue, const char* algorithm) {
  return make_running(spec, Gemm<T>(block, epilogue, spec.threads), algorithm);
}

// A convolution that keeps its packed weights where they are constant.
template <class Conv>
std::unique_ptr<Instruction> make_packing(const Spec& spec, Conv conv, const char* algorithm) {
  if (!conv.keeps_weights()) return make_running(spec, std::move(conv), algorithm);
  struct Packing final : Instruction {
    explicit Packing(Conv c) : conv(std::move(c)) { conv.keep_packed(); }
    void run(const StepContext&) override { conv.run(); }
    void pack(std::int64_t version) override { conv.pack(version); }
    std::size_t packed_bytes() const override { return conv.kept_bytes(); }
    Conv conv;
  };
  auto instruction = std::make_unique<Packing>(std::move(conv));
  spec.give_workspace(instruction->conv);
  instruction->algorithm = algorithm;
  return instruction;
}

template <class Op>
std::size_t bytes_of(Op op) {
  return op.set_workspace(nullptr);
}

// The product that a convolution is whose windows are the pixels of x, and that of its adjoint.
template <class T>
GemmBlock<T> dense_block(const ConvShape& shape, const T* x, const T* weights, T* y) {
  const std::int64_t k = shape.taps() * shape.channels(), n = shape.filters;
  return {x, weights, y,     k,       1,      n, 1, n, shape.batch() * shape.places(),
          n, k,       false, nullptr, nullptr};
}
template <class T>
GemmBlock<T> dense_adjoint_block(const ConvShape& shape, const T* from, const T* weights, T* result,
                                 bool accumulate) {
  const std::int64_t n = shape.taps() * shape.channels(), k = shape.filters;
  return {from, weights, result,     k,       1,      1, k, n, shape.batch() * shape.places(),
          n,    k,       accumulate, nullptr, nullptr};
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
struct ConvCall {
  ConvShape shape;
  const Buffer *x, *kernel, *bias, *mean, *variance, *gamma, *beta, *residual, *y;

  bool keeps_weights() const {
    const auto is_constant = [](const Buffer* b) { return b == nullptr || b->constant; };
    return kernel->constant && (variance == nullptr ||
                                (is_constant(bias) && is_constant(mean) && is_constant(variance) &&
                                 is_constant(gamma) && is_constant(beta)));
  }
};

ConvCall read_conv(const Spec& spec) {
  ConvCall call{};
  const Buffer& x = required_input(spec, 0, "x");
  const Buffer& kernel = required_input(spec, 1, "kernel");
  check(kernel.shape.size() == x.shape.size() && x.shape.size() >= 3, spec.op,
        ": kernel or x has a wrong rank");
  const Window window = read_window(spec, x.shape, taps_of(kernel.shape));
  const ConvShape shape = shape_of(spec, window, kernel.shape.back(), spec.integer("groups", 1));
  const std::int64_t filters = shape.filters, rows = shape.batch() * shape.places();
  check_buffer(spec, x, "x", shape.batch() * shape.image() * shape.channels(), x.dtype);
  check_buffer(spec, kernel, "kernel", shape.taps() * shape.group_channels() * filters, x.dtype);
  call.shape = shape;
  call.x = &x;
  call.kernel = &kernel;
  call.bias = optional_input(spec, 2, "bias", filters, x.dtype);
  call.mean = optional_input(spec, 3, "mean", filters, x.dtype);
  call.variance = optional_input(spec, 4, "variance", filters, x.dtype);
  call.gamma = optional_input(spec, 5, "gamma", filters, x.dtype);
  call.beta = optional_input(spec, 6, "beta", filters, x.dtype);
  call.residual = optional_input(spec, 7, "residual", rows * filters, x.dtype);
  check((call.mean == nullptr) == (call.variance == nullptr), spec.op,
        ": expected mean and variance, or neither");
  call.y = &required_output(spec, 0, "y", rows * filters, x.dtype);
  return call;
}

template <class T>
ConvExtras<T> extras_of(const Spec& spec, const ConvCall& call) {
  const bool keeps_input = spec.flag("pre_activation", false);
  const Buffer& y = *call.y;
  ConvExtras<T> extras;
  extras.epilogue.bias = data_or_null<T>(call.bias);
  set_activation<T>(spec, nullptr, keeps_input, extras.epilogue);
  if (keeps_input) {
    extras.epilogue.pre_activation =
        required_output(spec, 1, "the pre-activation", y.size(), y.dtype).as<T>();
  }
  if (spec.has("moments")) {
    extras.moment_pixels = spec.integer("moments", 0);
    check(extras.moment_pixels > 0 && call.shape.places() % extras.moment_pixels == 0, spec.op,
          ": expected blocks that divide an image, received ", extras.moment_pixels, " pixels");
    const std::int64_t size = y.size() / extras.moment_pixels * 2;
    const Buffer& moments = required_output(spec, keeps_input ? 2 : 1, "moments", size, y.dtype);
    extras.moments = moments.as<T>();
  }
  extras.mean = data_or_null<T>(call.mean);
  extras.variance = data_or_null<T>(call.variance);
  extras.gamma = data_or_null<T>(call.gamma);
  extras.beta = data_or_null<T>(call.beta);
  extras.epsilon = spec.real("epsilon", 1e-3);
  extras.residual = data_or_null<T>(call.residual);
  extras.keeps_weights = call.keeps_weights();
  return extras;
}

template <class T>
ConvAlgorithm algorithm_of(const ConvCall& call, const ConvExtras<T>& extras) {
  const bool plain =
      extras.moment_pixels == 0 && extras.variance == nullptr && extras.residual == nullptr;
  return choose_conv({call.shape, ConvDirection::kForward, plain, call.keeps_weights(), sizeof(T)});
}

std::unique_ptr<Instruction> make_conv(const Spec& spec) {
  const ConvCall call = read_conv(spec);
  return dispatch_floating(call.x->dtype, spec.op, [&](auto zero) -> std::unique_ptr<Instruction> {
    using T = decltype(zero);
    const ConvShape& shape = call.shape;
    const ConvExtras<T> extras = extras_of<T>(spec, call);
    const T *x = call.x->as<T>(), *weights = call.kernel->as<T>();
    T* y = call.y->as<T>();
    const ConvAlgorithm algorithm = algorithm_of(call, extras);
    const char* name = conv_algorithm_name(algorithm);
    if (algorithm == ConvAlgorithm::kDense) {
      return make_gemm(spec, dense_block(shape, x, weights, y), extras.epilogue, name);
    }
    if (algorithm == ConvAlgorithm::kPlanar)
      return make_packing(spec, PlanarConv<T>(shape, x, weights, y, extras, spec.threads), name);
    if (algorithm == ConvAlgorithm::kWinograd) {
      return make_packing(
          spec, WinogradConv<T>::forward(shape, x, weights, y, extras, spec.threads), name);
    }
    return make_packing(spec, DirectConv<T>::forward(shape, x, weights, y, extras), name);
  });
}

std::size_t conv_workspace(const Spec& spec) {
  const ConvCall call = read_conv(spec);
  return dispatch_floating(call.x->dtype, spec.op, [&](auto zero) -> std::size_t {
    using T = decltype(zero);
    const ConvShape& shape = call.shape;
    const ConvExtras<T> extras = extras_of<T>(spec, call);
    switch (algorithm_of(call, extras)) {
      case ConvAlgorithm::kDense:
        return bytes_of(Gemm<T>(dense_block<T>(shape, nullptr, nullptr, nullptr), extras.epilogue,
                                spec.threads));
      case ConvAlgorithm::kPlanar:
        return bytes_of(PlanarConv<T>(shape, nullptr, nullptr, nullptr, extras, spec.threads));
      case ConvAlgorithm::kWinograd:
        return bytes_of(
            WinogradConv<T>::forward(shape, nullptr, nullptr, nullptr, extras, spec.threads));
      default:
        return DirectConv<T>::workspace_bytes(shape, ConvDirection::kForward, extras);
    }
  });
}

// The adjoint; `from` is shaped like y, `result` like x. The planner may have it add to `residual`.
struct AdjointCall {
  ConvShape shape;
  const Buffer *from, *kernel, *result, *bias, *saved, *residual;

  ConvAlgorithm algorithm(std::size_t value_bytes) const {
    // A product with several taps in a row has a bias per channel, which repeats within the row;
    // and it can add to its own result only.
    const bool plain = (shape.taps() == 1 || bias == nullptr) &&
                       (residual == nullptr || residual->data == result->data);
    return choose_conv(
        {shape, ConvDirection::kBackwardInput, plain, kernel->constant, value_bytes});
  }
};

std::unique_ptr<Instruction> make_adjoint(const Spec& spec, const AdjointCall& call) {
  const bool keeps_input = spec.flag("pre_activation", false);
  return dispatch_floating(
      call.from->dtype, spec.op, [&](auto zero) -> std::unique_ptr<Instruction> {
        using T = decltype(zero);
        const ConvShape& shape = call.shape;
        const T *from = call.from->as<T>(), *weights = call.kernel->as<T>();
        T* result = call.result->as<T>();
        ConvExtras<T> extras;
        extras.keeps_weights = call.kernel->constant;
        extras.epilogue.bias = data_or_null<T>(call.bias);
        extras.residual = data_or_null<T>(call.residual);
        set_activation<T>(spec, call.saved, keeps_input, extras.epilogue);
        if (keeps_input) {
          extras.epilogue.pre_activation =
              required_output(spec, 1, "the pre-activation", call.result->size(), call.from->dtype)
                  .as<T>();
        }
        const ConvAlgorithm algorithm = call.algorithm(sizeof(T));
        const char* name = conv_algorithm_name(algorithm);
        if (algorithm == ConvAlgorithm::kDense) {
          extras.epilogue.ld_saved = shape.taps() * shape.channels();
          return make_gemm(
              spec, dense_adjoint_block(shape, from, weights, result, call.residual != nullptr),
              extras.epilogue, name);
        }
        if (algorithm == ConvAlgorithm::kCol2Im) {
          return make_running(
              spec, Col2ImConv<T>(shape, from, weights, result, extras, spec.threads), name);
        }
        if (algorithm == ConvAlgorithm::kWinograd) {
          return make_packing(
              spec,
              WinogradConv<T>::backward_input(shape, from, weights, result, extras, spec.threads),
              name);
        }
        return make_packing(
            spec, DirectConv<T>::backward_input(shape, from, weights, result, extras),
            shape.window.h.stride > 1 || shape.window.w.stride > 1 ? "direct phases" : name);
      });
}

std::size_t adjoint_workspace(const Spec& spec, const AdjointCall& call) {
  return dispatch_floating(call.from->dtype, spec.op, [&](auto zero) -> std::size_t {
    using T = decltype(zero);
    ConvExtras<T> extras;
    extras.keeps_weights = call.kernel->constant;
    switch (call.algorithm(sizeof(T))) {
      case ConvAlgorithm::kDense:
        return bytes_of(Gemm<T>(
            dense_adjoint_block<T>(call.shape, nullptr, nullptr, nullptr, call.residual != nullptr),
            {}, spec.threads));
      case ConvAlgorithm::kCol2Im:
        return bytes_of(Col2ImConv<T>(call.shape, nullptr, nullptr, nullptr, extras, spec.threads));
      case ConvAlgorithm::kWinograd:
        return bytes_of(WinogradConv<T>::backward_input(call.shape, nullptr, nullptr, nullptr,
                                                        extras, spec.threads));
      default:
        return DirectConv<T>::workspace_bytes(call.shape, ConvDirection::kBackwardInput, extras);
    }
  });
}

AdjointCall read_backward_input(const Spec& spec) {
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
  return {shape, &dy, &kernel, &dx, nullptr, saved, residual};
}

AdjointCall read_transpose(const Spec& spec) {
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
  return {shape, &x, &kernel, &y, bias, nullptr, nullptr};
}

template <AdjointCall (*Read)(const Spec&)>
std::unique_ptr<Instruction> make_adjoint_of(const Spec& spec) {
  return make_adjoint(spec, Read(spec));
}

template <AdjointCall (*Read)(const Spec&)>
std::size_t adjoint_workspace_of(const Spec& spec) {
  return adjoint_workspace(spec, Read(spec));
}

struct GradientCall {
  ConvShape shape;
  const Buffer *x, *dy, *dkernel, *dbias;

  ConvAlgorithm algorithm(std::size_t value_bytes) const {
    return choose_conv({shape, ConvDirection::kBackwardKernel, true, false, value_bytes});
  }
};

GradientCall read_backward_kernel(const Spec& spec) {
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
  return {shape, &x, &dy, &dkernel, dbias};
}

std::unique_ptr<Instruction> make_backward_kernel(const Spec& spec) {
  const GradientCall call = read_backward_kernel(spec);
  return dispatch_floating(call.x->dtype, spec.op, [&](auto zero) -> std::unique_ptr<Instruction> {
    using T = decltype(zero);
    const T *x = call.x->as<T>(), *dy = call.dy->as<T>();
    T *dkernel = call.dkernel->as<T>(), *sums = data_or_null<T>(call.dbias);
    const ConvAlgorithm algorithm = call.algorithm(sizeof(T));
    const char* name = conv_algorithm_name(algorithm);
    if (algorithm == ConvAlgorithm::kPlanar)
      return make_running(spec, PlanarGradient<T>(call.shape, x, dy, dkernel, sums, spec.threads),
                          name);
    if (algorithm == ConvAlgorithm::kWinograd)
      return make_running(spec, WinogradGradient<T>(call.shape, x, dy, dkernel, sums, spec.threads),
                          name);
    return make_running(spec, ConvGradient<T>(call.shape, x, dy, dkernel, sums, spec.threads),
                        name);
  });
}

std::size_t backward_kernel_workspace(const Spec& spec) {
  const GradientCall call = read_backward_kernel(spec);
  return dispatch_floating(call.x->dtype, spec.op, [&](auto zero) -> std::size_t {
    using T = decltype(zero);
    const ConvShape& shape = call.shape;
    switch (call.algorithm(sizeof(T))) {
      case ConvAlgorithm::kPlanar:
        return bytes_of(PlanarGradient<T>(shape, nullptr, nullptr, nullptr, nullptr, spec.threads));
      case ConvAlgorithm::kWinograd:
        return bytes_of(
            WinogradGradient<T>(shape, nullptr, nullptr, nullptr, nullptr, spec.threads));
      default:
        return ConvGradient<T>::workspace_bytes(shape, spec.threads);
    }
  });
}

}  // namespace

void register_conv(Registry& registry);
void register_conv(Registry& registry) {
  for (const char* name : {"conv1d", "conv2d"}) {
    const std::string op = name;
    registry.add(op, make_conv, conv_workspace);
    registry.add(op + "_backward_input", make_adjoint_of<read_backward_input>,
                 adjoint_workspace_of<read_backward_input>);
    registry.add(op + "_backward_kernel", make_backward_kernel, backward_kernel_workspace);
    registry.add(op + "_transpose", make_adjoint_of<read_transpose>,
                 adjoint_workspace_of<read_transpose>);
  }
}

}  // namespace dlnative
