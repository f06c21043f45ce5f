// Depthwise convolution: the contract between ops and kernels.
#pragma once

#include "kernels/kernel_table.h"

namespace dlnative {

template <class T>
struct DepthwiseKernels {
};

}  // namespace dlnative
