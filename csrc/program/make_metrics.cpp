// Accuracies: factories.
#include "ops/metrics.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

template <Accuracy accuracy>
std::unique_ptr<Instruction> make_accuracy(const Spec& spec) {
  const Buffer& pred = required_input(spec, 0, "predictions");
  check(!pred.shape.empty(), spec.op, ": expected predictions of at least one dimension");
  const std::int64_t rows = row_count(pred);
  constexpr bool sparse = accuracy == Accuracy::kSparseCategorical;
  const Buffer& labels = required_input(spec, 1, "labels", sparse ? rows : pred.size(),
                                        sparse ? DType::kInt32 : pred.dtype);
  const Buffer& out = required_output(spec, 0, "accuracies", rows, pred.dtype);
  return dispatch_floating(pred.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const AccuracyOp<T> op(accuracy, rows, pred.shape.back(), spec.real("threshold", 0.5));
    return make_instruction([op, x = pred.as<T>(), t = static_cast<const void*>(labels.data),
                             y = out.as<T>()](const StepContext&) { op.run(x, t, y); });
  });
}

}  // namespace

void register_metrics(Registry& registry);
void register_metrics(Registry& registry) {
  registry.add("categorical_accuracy", make_accuracy<Accuracy::kCategorical>);
  registry.add("sparse_categorical_accuracy", make_accuracy<Accuracy::kSparseCategorical>);
  registry.add("binary_accuracy", make_accuracy<Accuracy::kBinary>);
}

}  // namespace dlnative
