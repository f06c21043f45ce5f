// Padding, cropping and resizing of images.
#include "kernels/spatial_kernels.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

extern const SpatialKernels<float> spatial_f32;
extern const SpatialKernels<double> spatial_f64;
const SpatialKernels<float> spatial_f32 = {};
const SpatialKernels<double> spatial_f64 = {};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
