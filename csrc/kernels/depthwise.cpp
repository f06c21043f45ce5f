// Depthwise convolution.
#include "kernels/depthwise_kernels.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

extern const DepthwiseKernels<float> depthwise_f32;
extern const DepthwiseKernels<double> depthwise_f64;
const DepthwiseKernels<float> depthwise_f32 = {};
const DepthwiseKernels<double> depthwise_f64 = {};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
