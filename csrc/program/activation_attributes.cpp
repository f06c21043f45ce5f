#include "program/activation_attributes.h"

#include <limits>

#include "core/checks.h"

namespace dlnative {

namespace {

struct NamedActivation {
  const char* name;
  Activation id;
};

const NamedActivation kActivations[] = {
    {"linear", Activation::kLinear},
    {"relu", Activation::kRelu},
    {"leaky_relu", Activation::kLeakyRelu},
    {"elu", Activation::kElu},
    {"selu", Activation::kSelu},
    {"gelu", Activation::kGelu},
    {"silu", Activation::kSilu},
    {"sigmoid", Activation::kSigmoid},
    {"hard_sigmoid", Activation::kHardSigmoid},
    {"tanh", Activation::kTanh},
    {"softplus", Activation::kSoftplus},
    {"softsign", Activation::kSoftsign},
    {"exponential", Activation::kExponential},
    {"step", Activation::kStep},
};

Activation relu_id(const Spec& spec) {
  if (spec.has("max_value") || spec.real("threshold", 0.0) != 0.0) return Activation::kReluGeneral;
  return spec.real("negative_slope", 0.0) == 0.0 ? Activation::kRelu : Activation::kLeakyRelu;
}

}  // namespace

Activation activation_id(const Spec& spec, const std::string& activation) {
  const double negative_slope = spec.real("negative_slope", 0.0);
  check(negative_slope >= 0.0, spec.op, ": expected negative_slope >= 0, received ",
        negative_slope);
  if (activation == "relu") return relu_id(spec);
  if (activation == "gelu" && spec.flag("approximate", false)) return Activation::kGeluTanh;
  for (const NamedActivation& known : kActivations) {
    if (activation == known.name) return known.id;
  }
  fail(spec.op, ": unknown activation '", activation, "'");
}

ActivationParams activation_params(const Spec& spec, const std::string& activation) {
  ActivationParams params;
  if (activation == "relu") params.alpha = spec.real("negative_slope", 0.0);
  if (activation == "leaky_relu") params.alpha = spec.real("negative_slope", 0.2);
  if (activation == "elu") params.alpha = spec.real("alpha", 1.0);
  params.max_value = spec.real("max_value", std::numeric_limits<double>::infinity());
  params.threshold = spec.real("threshold", 0.0);
  return params;
}

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const NamedActivation& known : kActivations) list.emplace_back(known.name);
    return list;
  }();
  return names;
}

}  // namespace dlnative
