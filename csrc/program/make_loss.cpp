// Losses, their gradients, losses fused with their gradient, and weighted sums: factories.
#include "ops/loss.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

struct LossName {
  const char* name;
  Loss loss;
};

constexpr LossName kLosses[] = {
    {"softmax_cross_entropy", Loss::kSoftmaxCrossEntropy},
    {"sparse_softmax_cross_entropy", Loss::kSparseSoftmaxCrossEntropy},
    {"categorical_cross_entropy", Loss::kCategoricalCrossEntropy},
    {"sparse_categorical_cross_entropy", Loss::kSparseCategoricalCrossEntropy},
    {"binary_cross_entropy_with_logits", Loss::kBinaryCrossEntropyWithLogits},
    {"binary_cross_entropy", Loss::kBinaryCrossEntropy},
    {"mean_squared_error", Loss::kMeanSquaredError},
    {"mean_absolute_error", Loss::kMeanAbsoluteError},
};

// The loss whose name the op's begins with; of several the longest.
Loss loss_of(const Spec& spec) {
  const LossName* found = nullptr;
  std::size_t length = 0;
  for (const LossName& entry : kLosses) {
    const std::string name = entry.name;
    if (spec.op.compare(0, name.size(), name) == 0 && name.size() > length) {
      found = &entry;
      length = name.size();
    }
  }
  check(found != nullptr, spec.op, ": unknown loss");
  return found->loss;
}

struct Rows {
  const Buffer& pred;
  const void* labels;
  std::int64_t rows, cols;
};

// Checks predictions and labels, which are inputs `first` and `first` + 1.
Rows check_rows(const Spec& spec, Loss loss, std::size_t first) {
  const Buffer& pred = required_input(spec, first, "predictions");
  check(!pred.shape.empty(), spec.op, ": expected predictions of at least one dimension");
  const std::int64_t rows = row_count(pred);
  const bool sparse = has_sparse_labels(loss);
  const Buffer& labels = required_input(spec, first + 1, "labels", sparse ? rows : pred.size(),
                                        sparse ? DType::kInt32 : pred.dtype);
  return {pred, labels.data, rows, pred.shape.back()};
}

std::unique_ptr<Instruction> make_forward(const Spec& spec) {
  const Loss loss = loss_of(spec);
  const Rows in = check_rows(spec, loss, 0);
  const Buffer& losses = required_output(spec, 0, "losses", in.rows, in.pred.dtype);
  return dispatch_floating(in.pred.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const LossOp<T> op(loss, in.rows, in.cols, spec.real("label_smoothing", 0.0));
    return make_instruction([op, pred = in.pred.as<T>(), labels = in.labels, out = losses.as<T>()](
                                const StepContext&) { op.forward(pred, labels, out); });
  });
}

std::unique_ptr<Instruction> make_backward(const Spec& spec) {
  const Loss loss = loss_of(spec);
  const Rows in = check_rows(spec, loss, 1);
  const Buffer& dloss = required_input(spec, 0, "dloss", in.rows, in.pred.dtype);
  const Buffer& dpred = required_output(spec, 0, "dpred", in.pred.size(), in.pred.dtype);
  return dispatch_floating(in.pred.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const LossOp<T> op(loss, in.rows, in.cols, spec.real("label_smoothing", 0.0));
    return make_instruction(
        [op, dy = dloss.as<T>(), pred = in.pred.as<T>(), labels = in.labels,
         dx = dpred.as<T>()](const StepContext&) { op.backward(dy, pred, labels, dx); });
  });
}

std::unique_ptr<Instruction> make_with_gradient(const Spec& spec) {
  const Loss loss = loss_of(spec);
  const Rows in = check_rows(spec, loss, 0);
  const DType dtype = in.pred.dtype;
  const Buffer* weight = optional_input(spec, 2, "weight", in.rows, dtype);
  const Buffer& total = required_output(spec, 0, "total", 1, dtype);
  const Buffer& dpred = required_output(spec, 1, "dpred", in.pred.size(), dtype);
  return dispatch_floating(dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    LossWithGradientOp<T> op(loss, in.rows, in.cols, spec.real("label_smoothing", 0.0),
                             spec.real("scale", 1.0));
    spec.give_workspace(op);
    return make_instruction([op, pred = in.pred.as<T>(), labels = in.labels,
                             w = data_or_null<T>(weight), sum = total.as<T>(), dx = dpred.as<T>()](
                                const StepContext&) { op.run(pred, labels, w, sum, dx); });
  });
}

std::unique_ptr<Instruction> make_weighted_sum(const Spec& spec) {
  const Buffer& losses = required_input(spec, 0, "losses");
  const Buffer* weight = optional_input(spec, 1, "weight", losses.size(), losses.dtype);
  const Buffer& total = required_output(spec, 0, "total", 1, losses.dtype);
  return dispatch_floating(losses.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    WeightedSumOp<T> op(losses.size(), spec.real("scale", 1.0));
    spec.give_workspace(op);
    return make_instruction([op, x = losses.as<T>(), w = data_or_null<T>(weight),
                             sum = total.as<T>()](const StepContext&) { op.run(x, w, sum); });
  });
}

// Inputs: dtotal, losses, weight. The values of the losses do not matter.
std::unique_ptr<Instruction> make_weighted_sum_backward(const Spec& spec) {
  const Buffer& losses = required_input(spec, 1, "losses");
  const std::int64_t n = losses.size();
  const Buffer& dtotal = required_input(spec, 0, "dtotal", 1, losses.dtype);
  const Buffer* weight = optional_input(spec, 2, "weight", n, losses.dtype);
  const Buffer& dlosses = required_output(spec, 0, "dlosses", n, losses.dtype);
  return dispatch_floating(losses.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const WeightedSumOp<T> op(n, spec.real("scale", 1.0));
    return make_instruction([op, dy = dtotal.as<T>(), w = data_or_null<T>(weight),
                             dx = dlosses.as<T>()](const StepContext&) { op.backward(dy, w, dx); });
  });
}

}  // namespace

void register_loss(Registry& registry);
void register_loss(Registry& registry) {
  for (const LossName& entry : kLosses) {
    const std::string name = entry.name;
    registry.add(name, make_forward);
    registry.add(name + "_backward", make_backward);
    registry.add(name + "_with_gradient", make_with_gradient, workspace_of<make_with_gradient>);
  }
  registry.add("weighted_sum", make_weighted_sum, workspace_of<make_weighted_sum>);
  registry.add("weighted_sum_backward", make_weighted_sum_backward);
}

}  // namespace dlnative
