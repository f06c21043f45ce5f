// Which algorithm computes a convolution: an ordered list with a model of what each one costs.
#pragma once

#include "ops/conv.h"

namespace dlnative {

enum class ConvDirection { kForward, kBackwardInput, kBackwardKernel };

enum class ConvAlgorithm { kDense, kPlanar, kDirect };

// Name in profiles.
const char* conv_algorithm_name(ConvAlgorithm algorithm);

// The cheapest algorithm that does this convolution, the first in the list where two cost the same.
// `plain`: nothing is asked for but the result and an epilogue (no moments, folded normalisation).
ConvAlgorithm choose_conv(const ConvShape& shape, ConvDirection direction, bool plain);

}  // namespace dlnative
