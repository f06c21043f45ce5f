// Updates of optimizers and the norm of all gradients: factories.
#include <array>
#include <limits>

#include "ops/optimizer.h"
#include "ops/reduce.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

// The arrays of an update, [param, slots ...], and what they become.
template <class T, std::size_t kArrays>
class Arrays {
 public:
  // A slot that is absent has no output either.
  explicit Arrays(const Spec& spec) {
    const Buffer& param = required_input(spec, 0, "param");
    std::size_t output = 0;
    for (std::size_t i = 0; i < kArrays; ++i) {
      const Buffer* from =
          i == 0 ? &param : optional_input(spec, i, "slot", param.size(), param.dtype);
      if (from == nullptr) continue;
      const Buffer& to = required_output(spec, output++, "result", param.size(), param.dtype);
      updates_[i] = {*from, to};
    }
    check(output == spec.outputs.size(), spec.op, ": expected ", output, " outputs, received ",
          spec.outputs.size());
  }

  // Where an array is updated in place, with its values before the step there.
  T* begin(std::size_t i) const {
    const InPlace& update = updates_[i];
    update.begin();
    return update.to.template as<T>();
  }

 private:
  std::array<InPlace, kArrays> updates_;
};

// A number of this step, a float64 scalar; 0 where it is absent.
class Number {
 public:
  Number(const Spec& spec, std::size_t index, const char* name)
      : value_(data_or_null<double>(optional_input(spec, index, name, 1, DType::kFloat64))) {}
  operator double() const { return value_ != nullptr ? *value_ : 0.0; }

 private:
  const double* value_ = nullptr;
};

// param, momentum, grad, learning_rate, share, weight_decay
std::unique_ptr<Instruction> make_sgd(const Spec& spec) {
  const Buffer& param = required_input(spec, 0, "param");
  return dispatch_floating(param.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const Buffer& grad = required_input(spec, 2, "grad", param.size(), param.dtype);
    return make_instruction([op = SgdOp<T>(param.size(), spec.flag("nesterov", false)),
                             arrays = Arrays<T, 2>(spec), grad = grad.as<T>(),
                             rate = Number(spec, 3, "learning_rate"),
                             share = Number(spec, 4, "share"),
                             decay = Number(spec, 5, "weight_decay")](const StepContext&) {
      op.run(arrays.begin(0), arrays.begin(1), grad, rate, share, decay);
    });
  });
}

// param, momentum, velocity, velocity_hat, grad, learning_rate, beta_1, beta_2, epsilon,
// iterations, weight_decay
std::unique_ptr<Instruction> make_adam(const Spec& spec) {
  const Buffer& param = required_input(spec, 0, "param");
  required_input(spec, 1, "momentum", param.size(), param.dtype);
  required_input(spec, 2, "velocity", param.size(), param.dtype);
  const Buffer& iterations = required_input(spec, 9, "iterations", 1, DType::kInt64);
  return dispatch_floating(param.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const Buffer& grad = required_input(spec, 4, "grad", param.size(), param.dtype);
    return make_instruction([op = AdamOp<T>(param.size()), arrays = Arrays<T, 4>(spec),
                             grad = grad.as<T>(), rate = Number(spec, 5, "learning_rate"),
                             beta_1 = Number(spec, 6, "beta_1"), beta_2 = Number(spec, 7, "beta_2"),
                             epsilon = Number(spec, 8, "epsilon"),
                             decay = Number(spec, 10, "weight_decay"),
                             count = iterations.as<std::int64_t>()](const StepContext&) mutable {
      op.run(arrays.begin(0), arrays.begin(1), arrays.begin(2), arrays.begin(3), grad,
             {rate, beta_1, beta_2, epsilon, decay}, *count + 1);
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
    NormOp<T> op(arrays);
    spec.give_workspace(op);
    return make_instruction([op = std::move(op), to = y.as<T>()](const StepContext&) {
      *to = static_cast<T>(op.run());
    });
  });
}

// y = x, which must be a learning rate
std::unique_ptr<Instruction> make_checked_rate(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x", 1, DType::kFloat64);
  const Buffer& y = required_output(spec, 0, "y", 1, DType::kFloat64);
  return make_instruction([from = x.as<double>(), to = y.as<double>(),
                           what = spec.text("what", "the learning rate")](const StepContext&) {
    const double rate = *from;
    check(rate >= 0.0 && rate <= std::numeric_limits<double>::max(), what, " is ", rate,
          ": expected a finite number, 0 or greater");
    *to = rate;
  });
}

}  // namespace

void register_optimizer(Registry& registry);
void register_optimizer(Registry& registry) {
  registry.add("sgd", make_sgd);
  registry.add("adam", make_adam);
  registry.add("global_norm", make_global_norm, workspace_of<make_global_norm>);
  registry.add("checked_rate", make_checked_rate);
}

}  // namespace dlnative
