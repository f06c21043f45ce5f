// Convolution.
#include "kernels/conv_kernels.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

extern const ConvKernels<float> conv_f32;
extern const ConvKernels<double> conv_f64;
const ConvKernels<float> conv_f32 = {};
const ConvKernels<double> conv_f64 = {};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
