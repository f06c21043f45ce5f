// Batch, layer and group normalisation, their gradients, and moving averages: factories.
#include "dispatch/dispatch.h"
#include "ops/norm.h"
#include "ops/sample_norm.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

// An array of rows and channels: x or dy, which is input 0.
struct Rows {
  const Buffer& x;
  std::int64_t rows, channels;
};

Rows check_rows(const Spec& spec, const char* name) {
  const Buffer& x = required_input(spec, 0, name);
  check(x.shape.size() >= 2, spec.op, ": expected ", name, " of at least two dimensions, received ",
        x.shape);
  return {x, row_count(x), x.shape.back()};
}

double epsilon_of(const Spec& spec) {
  const double epsilon = spec.real("epsilon", 1e-3);
  check(epsilon >= 0.0, spec.op, ": expected epsilon of at least 0, received ", epsilon);
  return epsilon;
}

// Whether the activation is relu; none is the other possibility.
bool relu_of(const Spec& spec) {
  const std::string activation = spec.text("activation", "");
  check(activation.empty() || activation == "relu", spec.op,
        ": expected activation relu or none, received ", activation);
  return !activation.empty();
}

std::unique_ptr<Instruction> make_batch_norm(const Spec& spec) {
  const Rows in = check_rows(spec, "x");
  const DType dtype = in.x.dtype;
  const Buffer& mean = required_input(spec, 1, "mean", in.channels, dtype);
  const Buffer& variance = required_input(spec, 2, "variance", in.channels, dtype);
  const Buffer* gamma = optional_input(spec, 3, "gamma", in.channels, dtype);
  const Buffer* beta = optional_input(spec, 4, "beta", in.channels, dtype);
  const Buffer* residual = optional_input(spec, 5, "residual", in.x.size(), dtype);
  const Buffer& y = required_output(spec, 0, "y", in.x.size(), dtype);
  return dispatch_floating(dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    BatchNormOp<T> op(in.rows, in.channels, epsilon_of(spec), relu_of(spec));
    spec.give_workspace(op, BatchNormOp<T>::Statistics::kGiven);
    return make_instruction([op, x = in.x.as<T>(), m = mean.as<T>(), v = variance.as<T>(),
                             g = data_or_null<T>(gamma), b = data_or_null<T>(beta),
                             r = data_or_null<T>(residual),
                             to = y.as<T>()](const StepContext&) { op.run(x, m, v, g, b, r, to); });
  });
}

std::unique_ptr<Instruction> make_batch_norm_training(const Spec& spec) {
  const Rows in = check_rows(spec, "x");
  const DType dtype = in.x.dtype;
  const Buffer* gamma = optional_input(spec, 1, "gamma", in.channels, dtype);
  const Buffer* beta = optional_input(spec, 2, "beta", in.channels, dtype);
  const Buffer* residual = optional_input(spec, 3, "residual", in.x.size(), dtype);
  const Buffer* moments = spec.input(4);
  std::int64_t blocks = 1;
  if (moments != nullptr) {
    check(!moments->shape.empty() && moments->shape[0] > 0 && in.rows % moments->shape[0] == 0,
          spec.op, ": expected moments of blocks of equally many of ", in.rows,
          " rows, received shape ", moments->shape);
    blocks = moments->shape[0];
    check_buffer(spec, *moments, "moments", blocks * 2 * in.channels, dtype);
  }
  const Buffer& y = required_output(spec, 0, "y", in.x.size(), dtype);
  const Buffer& mean = required_output(spec, 1, "mean", in.channels, dtype);
  const Buffer& variance = required_output(spec, 2, "variance", in.channels, dtype);
  return dispatch_floating(dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    using Statistics = typename BatchNormOp<T>::Statistics;
    BatchNormOp<T> op(in.rows, in.channels, epsilon_of(spec), relu_of(spec));
    spec.give_workspace(op, moments != nullptr ? Statistics::kOfMoments : Statistics::kOfRows);
    return make_instruction(
        [op, blocks, x = in.x.as<T>(), g = data_or_null<T>(gamma), b = data_or_null<T>(beta),
         r = data_or_null<T>(residual), parts = data_or_null<T>(moments), to = y.as<T>(),
         m = mean.as<T>(), v = variance.as<T>()](const StepContext&) {
          op.run_training(x, g, b, r, parts, blocks, to, m, v);
        },
        moments != nullptr ? "merged moments" : "two passes");
  });
}

template <bool training>
std::unique_ptr<Instruction> make_batch_norm_backward(const Spec& spec) {
  const Rows in = check_rows(spec, "dy");
  const DType dtype = in.x.dtype;
  const std::int64_t size = in.x.size();
  const Buffer& x = required_input(spec, 1, "x", size, dtype);
  const Buffer& mean = required_input(spec, 2, "mean", in.channels, dtype);
  const Buffer& variance = required_input(spec, 3, "variance", in.channels, dtype);
  const Buffer* gamma = optional_input(spec, 4, "gamma", in.channels, dtype);
  const Buffer* saved = training ? optional_input(spec, 5, "saved", size, dtype) : nullptr;
  check(!training || relu_of(spec) == (saved != nullptr), spec.op,
        ": expected 'saved', the output, with an activation and only then");
  const Buffer& dx = required_output(spec, 0, "dx", size, dtype);
  const Buffer& dgamma = required_output(spec, 1, "dgamma", in.channels, dtype);
  const Buffer& dbeta = required_output(spec, 2, "dbeta", in.channels, dtype);
  const Buffer* dresidual = training && spec.flag("residual", false)
                                ? &required_output(spec, 3, "dresidual", size, dtype)
                                : nullptr;
  return dispatch_floating(dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    BatchNormBackwardOp<T> op(in.rows, in.channels, epsilon_of(spec));
    spec.give_workspace(op);
    return make_instruction([op, dy = in.x.as<T>(), from = x.as<T>(), m = mean.as<T>(),
                             v = variance.as<T>(), g = data_or_null<T>(gamma),
                             y = data_or_null<T>(saved), to = dx.as<T>(), to_gamma = dgamma.as<T>(),
                             to_beta = dbeta.as<T>(),
                             to_residual = data_or_null<T>(dresidual)](const StepContext&) {
      if constexpr (training) {
        op.run_training(dy, from, m, v, g, y, to, to_gamma, to_beta, to_residual);
      } else {
        op.run(dy, from, m, v, g, to, to_gamma, to_beta);
      }
    });
  });
}

std::unique_ptr<Instruction> make_moving_average(const Spec& spec) {
  const Buffer& state = required_input(spec, 0, "state");
  const Buffer& value = required_input(spec, 1, "value", state.size(), state.dtype);
  const Buffer& result = required_output(spec, 0, "result", state.size(), state.dtype);
  const Buffer& momentum = required_input(spec, 2, "momentum", 1, DType::kFloat64);
  return dispatch_floating(state.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    return make_instruction([kernel = kernels<T>().norm->moving_average,
                             update = InPlace{state, result}, from = value.as<T>(),
                             n = state.size(), share = momentum.as<double>()](const StepContext&) {
      update.begin();
      kernel(update.to.as<T>(), from, n, static_cast<T>(*share), static_cast<T>(1.0 - *share));
    });
  });
}

// Layer normalisation takes x as [rows, cols], group normalisation as [samples, rows, channels];
// `parameters` is the size of gamma.
template <class T>
struct LayerNorm {
  static std::int64_t parameters(const Spec& spec, const Buffer& x) {
    const std::int64_t axes = spec.integer("axes", 1);
    const auto rank = static_cast<std::int64_t>(x.shape.size());
    check(axes >= 1 && axes < rank, spec.op, ": expected axes in [1, ", rank, "), received ", axes);
    std::int64_t cols = 1;
    for (std::int64_t i = rank - axes; i < rank; ++i) cols *= x.shape[static_cast<std::size_t>(i)];
    return cols;
  }
  static LayerNormOp<T> make(const Spec& spec, const Buffer& x) {
    const std::int64_t axes = spec.integer("axes", 1);
    std::int64_t rows = 1;
    for (std::size_t i = 0; i + static_cast<std::size_t>(axes) < x.shape.size(); ++i) {
      rows *= x.shape[i];
    }
    return LayerNormOp<T>(rows, parameters(spec, x), epsilon_of(spec));
  }
};

template <class T>
struct GroupNorm {
  static std::int64_t parameters(const Spec& spec, const Buffer& x) {
    const std::int64_t groups = spec.integer("groups", 32), channels = x.shape.back();
    check(groups >= 1 && channels % groups == 0, spec.op, ": expected channels a multiple of ",
          groups, " groups, received ", channels);
    return channels;
  }
  static GroupNormOp<T> make(const Spec& spec, const Buffer& x) {
    std::int64_t rows = 1;
    for (std::size_t i = 1; i + 1 < x.shape.size(); ++i) rows *= x.shape[i];
    return GroupNormOp<T>(x.shape[0], rows, parameters(spec, x), spec.integer("groups", 32),
                          epsilon_of(spec), spec.threads);
  }
};

template <template <class> class Norm>
std::unique_ptr<Instruction> make_sample_norm(const Spec& spec) {
  const Buffer& x = check_rows(spec, "x").x;
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t n = Norm<T>::parameters(spec, x);
    const Buffer* gamma = optional_input(spec, 1, "gamma", n, x.dtype);
    const Buffer* beta = optional_input(spec, 2, "beta", n, x.dtype);
    const Buffer& y = required_output(spec, 0, "y", x.size(), x.dtype);
    auto op = Norm<T>::make(spec, x);
    spec.give_workspace(op, NormPass::kForward);
    return make_instruction([op = std::move(op), from = x.as<T>(), g = data_or_null<T>(gamma),
                             b = data_or_null<T>(beta),
                             to = y.as<T>()](const StepContext&) { op.forward(from, g, b, to); });
  });
}

template <template <class> class Norm>
std::unique_ptr<Instruction> make_sample_norm_backward(const Spec& spec) {
  const Buffer& dy = check_rows(spec, "dy").x;
  const Buffer& x = required_input(spec, 1, "x", dy.size(), dy.dtype);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t n = Norm<T>::parameters(spec, dy);
    const Buffer* gamma = optional_input(spec, 2, "gamma", n, x.dtype);
    const Buffer& dx = required_output(spec, 0, "dx", x.size(), x.dtype);
    const Buffer& dgamma = required_output(spec, 1, "dgamma", n, x.dtype);
    const Buffer& dbeta = required_output(spec, 2, "dbeta", n, x.dtype);
    auto op = Norm<T>::make(spec, dy);
    spec.give_workspace(op, NormPass::kBackward);
    return make_instruction([op = std::move(op), gradient = dy.as<T>(), from = x.as<T>(),
                             g = data_or_null<T>(gamma), to = dx.as<T>(), to_gamma = dgamma.as<T>(),
                             to_beta = dbeta.as<T>()](const StepContext&) {
      op.backward(gradient, from, g, to, to_gamma, to_beta);
    });
  });
}

}  // namespace

void register_norm(Registry& registry);
void register_norm(Registry& registry) {
  registry.add("batch_norm", make_batch_norm, workspace_of<make_batch_norm>);
  registry.add("batch_norm_backward", make_batch_norm_backward<false>,
               workspace_of<make_batch_norm_backward<false>>);
  registry.add("batch_norm_training", make_batch_norm_training,
               workspace_of<make_batch_norm_training>);
  registry.add("batch_norm_training_backward", make_batch_norm_backward<true>,
               workspace_of<make_batch_norm_backward<true>>);
  registry.add("moving_average", make_moving_average);
  registry.add("layer_norm", make_sample_norm<LayerNorm>);
  registry.add("layer_norm_backward", make_sample_norm_backward<LayerNorm>,
               workspace_of<make_sample_norm_backward<LayerNorm>>);
  registry.add("group_norm", make_sample_norm<GroupNorm>,
               workspace_of<make_sample_norm<GroupNorm>>);
  registry.add("group_norm_backward", make_sample_norm_backward<GroupNorm>,
               workspace_of<make_sample_norm_backward<GroupNorm>>);
}

}  // namespace dlnative
