// From an activation's name and attributes, as the op table spells them, to its kernel.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernel_table.h"
#include "program/instruction.h"

namespace dlnative {

// The kernel that `activation` ("relu", "gelu", ...) means with the attributes in `spec`:
// negative_slope, max_value and threshold of relu choose among kRelu, kLeakyRelu and kReluGeneral,
// approximate of gelu between kGelu and kGeluTanh.
// std::invalid_argument: unknown name, negative slope below 0 (the gradient is found from the sign
// of the output), attribute of a wrong type.
Activation activation_id(const Spec& spec, const std::string& activation);

// Its parameters: negative_slope or alpha with the op's default, max_value (infinity for none),
// threshold.
ActivationParams activation_params(const Spec& spec, const std::string& activation);

// All names that activation_id knows.
const std::vector<std::string>& activation_names();

}  // namespace dlnative
