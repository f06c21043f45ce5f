// Normalisation.
#include "kernels/norm_kernels.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

extern const NormKernels<float> norm_f32;
extern const NormKernels<double> norm_f64;
const NormKernels<float> norm_f32 = {};
const NormKernels<double> norm_f64 = {};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
