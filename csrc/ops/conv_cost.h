// Which algorithm computes a convolution: an ordered list with a model of what each one costs.
#pragma once

#include <string>

#include "ops/conv.h"

namespace dlnative {

enum class ConvAlgorithm { kDense, kPlanar, kCol2Im, kWinograd, kDirect };

// Name in profiles.
const char* conv_algorithm_name(ConvAlgorithm algorithm);

// What a choice depends on. `plain`: nothing is asked for but the result and an epilogue (no
// moments, folded normalisation); `constant`: the weights are packed once.
struct ConvCase {
  const ConvShape& shape;
  ConvDirection direction{};
  bool plain = false, constant = false;
  std::size_t value_bytes = 0;
};

// The cheapest algorithm that does this convolution, the first in the list where two cost the same.
ConvAlgorithm choose_conv(const ConvCase& c);

// "auto" leaves the choice to the costs, "direct" does without Winograd's transform, and "winograd"
// takes it wherever it can be had. For what is built from now on; std::invalid_argument for another
// name.
void set_conv_algorithm(const std::string& name);

}  // namespace dlnative
