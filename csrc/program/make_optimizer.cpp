// Updates of optimizers, which write param and slots in place, and clipping of gradients:
// factories.
#include <algorithm>
#include <cmath>

#include "ops/optimizer.h"
#include "ops/reduce.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

// The inputs of an update: param, slots, grad, hyper = [learning_rate], iterations = updates so
// far.
struct Update {
  const Buffer& param;
  const Buffer& grad;
  const double* learning_rate;
  const std::int64_t* iterations;
};

Update check_update(const Spec& spec, std::size_t slots) {
  const Buffer& param = required_input(spec, 0, "param");
  const Buffer& grad = required_input(spec, slots + 1, "grad", param.size(), param.dtype);
  const Buffer& hyper = required_input(spec, slots + 2, "hyper", 1, DType::kFloat64);
  const Buffer& iterations = required_input(spec, slots + 3, "iterations", 1, DType::kInt64);
  return {param, grad, hyper.as<double>(), iterations.as<std::int64_t>()};
}

// Slot `index`, which must be there exactly where the options need it.
template <class T>
T* slot(const Spec& spec, const Update& update, std::size_t index, const char* name, bool needed) {
  const Buffer* buffer = optional_input(spec, index, name, update.param.size(), update.param.dtype);
  check(update.param.size() == 0 || (buffer != nullptr) == needed, spec.op,
        needed ? ": missing " : ": these options need no ", name);
  return data_or_null<T>(buffer);
}

std::unique_ptr<Instruction> make_sgd(const Spec& spec) {
  const Update update = check_update(spec, 1);
  const double momentum = spec.real("momentum", 0.0);
  return dispatch_floating(update.param.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const SgdOp<T> op(update.param.size(), momentum, spec.flag("nesterov", false),
                      spec.real("weight_decay", 0.0));
    return make_instruction([op, param = update.param.as<T>(),
                             velocity = slot<T>(spec, update, 1, "velocity", momentum != 0.0),
                             grad = update.grad.as<T>(), rate = update.learning_rate](
                                const StepContext&) { op.run(param, velocity, grad, *rate); });
  });
}

std::unique_ptr<Instruction> make_adagrad(const Spec& spec) {
  const Update update = check_update(spec, 1);
  return dispatch_floating(update.param.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const AdagradOp<T> op(update.param.size(), spec.real("epsilon", 1e-7),
                          spec.real("weight_decay", 0.0));
    return make_instruction([op, param = update.param.as<T>(),
                             accumulator = slot<T>(spec, update, 1, "accumulator", true),
                             grad = update.grad.as<T>(), rate = update.learning_rate](
                                const StepContext&) { op.run(param, accumulator, grad, *rate); });
  });
}

std::unique_ptr<Instruction> make_rmsprop(const Spec& spec) {
  const Update update = check_update(spec, 3);
  const double momentum = spec.real("momentum", 0.0);
  const bool centered = spec.flag("centered", false);
  return dispatch_floating(update.param.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const RmspropOp<T> op(update.param.size(), spec.real("rho", 0.9), momentum,
                          spec.real("epsilon", 1e-7), spec.real("weight_decay", 0.0));
    return make_instruction(
        [op, param = update.param.as<T>(), velocity = slot<T>(spec, update, 1, "velocity", true),
         buffer = slot<T>(spec, update, 2, "momentum_buffer", momentum > 0.0),
         average = slot<T>(spec, update, 3, "average_grad", centered), grad = update.grad.as<T>(),
         rate = update.learning_rate](const StepContext&) {
          op.run(param, velocity, buffer, average, grad, *rate);
        });
  });
}

std::unique_ptr<Instruction> make_adam(const Spec& spec) {
  const Update update = check_update(spec, 3);
  const bool amsgrad = spec.flag("amsgrad", false);
  return dispatch_floating(update.param.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    AdamOp<T> op(update.param.size(), spec.real("beta_1", 0.9), spec.real("beta_2", 0.999),
                 spec.real("epsilon", 1e-7), spec.real("weight_decay", 0.0));
    return make_instruction(
        [op, param = update.param.as<T>(), m = slot<T>(spec, update, 1, "m", true),
         v = slot<T>(spec, update, 2, "v", true), vhat = slot<T>(spec, update, 3, "vhat", amsgrad),
         grad = update.grad.as<T>(), rate = update.learning_rate,
         iterations = update.iterations](const StepContext&) mutable {
          op.run(param, m, v, vhat, grad, *rate, *iterations + 1);
        });
  });
}

// A positive attribute `limit`.
double limit_of(const Spec& spec) {
  const double limit = spec.real("limit", 0.0);
  check(limit > 0.0, spec.op, ": expected a positive limit, received ", limit);
  return limit;
}

std::unique_ptr<Instruction> make_clip_by_value(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "gradient");
  const Buffer& y = required_output(spec, 0, "clipped gradient", x.size(), x.dtype);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    return make_instruction(
        [op = ClipOp<T>(x.size()), from = x.as<T>(), to = y.as<T>(),
         limit = limit_of(spec)](const StepContext&) { op.clip(from, to, limit); });
  });
}

// y = x * limit / max(norm, limit)
std::unique_ptr<Instruction> make_clip_by_norm(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "gradient");
  const Buffer& y = required_output(spec, 0, "clipped gradient", x.size(), x.dtype);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    return make_instruction([norm = NormOp<T>({{x.as<T>(), x.size()}}), op = ClipOp<T>(x.size()),
                             from = x.as<T>(), to = y.as<T>(),
                             limit = limit_of(spec)](const StepContext&) mutable {
      op.scale(from, to,
               limit / std::max(norm.run(), limit));  // NaN stays: it is the first operand
    });
  });
}

std::unique_ptr<Instruction> make_global_norm(const Spec& spec) {
  const DType dtype = required_input(spec, 0, "gradients").dtype;
  const Buffer& y = required_output(spec, 0, "norm", 1, dtype);
  return dispatch_floating(dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    std::vector<typename NormOp<T>::Array> arrays;
    for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
      const Buffer& x = required_input(spec, i, "gradient", spec.inputs[i].size(), dtype);
      arrays.push_back({x.as<T>(), x.size()});
    }
    return make_instruction([op = NormOp<T>(arrays), to = y.as<T>()](const StepContext&) mutable {
      *to = static_cast<T>(op.run());
    });
  });
}

// y = x * limit / max(norm, limit), and NaN where the norm is not finite, so that it is seen.
std::unique_ptr<Instruction> make_scale_by_global_norm(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "gradient");
  const Buffer& norm = required_input(spec, 1, "norm", 1, x.dtype);
  const Buffer& y = required_output(spec, 0, "clipped gradient", x.size(), x.dtype);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    return make_instruction([op = ClipOp<T>(x.size()), from = x.as<T>(), norm = norm.as<T>(),
                             to = y.as<T>(), limit = limit_of(spec)](const StepContext&) {
      const double length = static_cast<double>(*norm);
      op.scale(from, to, limit / std::max(length, limit) + (length - length));
    });
  });
}

}  // namespace

void register_optimizer(Registry& registry);
void register_optimizer(Registry& registry) {
  registry.add("sgd", make_sgd);
  registry.add("adagrad", make_adagrad);
  registry.add("rmsprop", make_rmsprop);
  registry.add("adam", make_adam);
  registry.add("clip_by_value", make_clip_by_value);
  registry.add("clip_by_norm", make_clip_by_norm);
  registry.add("global_norm", make_global_norm);
  registry.add("scale_by_global_norm", make_scale_by_global_norm);
}

}  // namespace dlnative
