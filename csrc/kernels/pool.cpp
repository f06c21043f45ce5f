// Pooling.
#include "kernels/pool_kernels.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

extern const PoolKernels<float> pool_f32;
extern const PoolKernels<double> pool_f64;
const PoolKernels<float> pool_f32 = {};
const PoolKernels<double> pool_f64 = {};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
