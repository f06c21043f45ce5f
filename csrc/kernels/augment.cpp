// Random changes of images.
#include "kernels/augment_kernels.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

extern const AugmentKernels<float> augment_f32;
extern const AugmentKernels<double> augment_f64;
const AugmentKernels<float> augment_f32 = {};
const AugmentKernels<double> augment_f64 = {};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
