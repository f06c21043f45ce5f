// The kernel table of one instruction set, constant-initialised.
#include "kernels/kernel_table.h"

#define DLNATIVE_STRINGIZE_(x) #x
#define DLNATIVE_STRINGIZE(x) DLNATIVE_STRINGIZE_(x)

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

extern const ElementwiseKernels<float> elementwise_f32;
extern const ElementwiseKernels<double> elementwise_f64;
extern const MapKernels<float> map_f32;
extern const MapKernels<double> map_f64;
extern const MapPairKernels<float> map_pairs_f32;
extern const MapPairKernels<double> map_pairs_f64;
extern const ReduceKernels<float> reduce_f32;
extern const ReduceKernels<double> reduce_f64;
extern const SoftmaxKernels<float> softmax_f32;
extern const SoftmaxKernels<double> softmax_f64;
extern const LossKernels<float> loss_f32;
extern const LossKernels<double> loss_f64;
extern const OptimizerKernels<float> optimizer_f32;
extern const OptimizerKernels<double> optimizer_f64;
extern const ConvertKernels<float> convert_f32;
extern const ConvertKernels<double> convert_f64;
extern const ConvertKernels<std::int32_t> convert_i32;
extern const GemmKernels<float> gemm_f32;
extern const GemmKernels<double> gemm_f64;
extern const ConvKernels<float> conv_f32;
extern const ConvKernels<double> conv_f64;
extern const WinogradKernels<float> winograd_f32[];
extern const WinogradKernels<double> winograd_f64[];
extern const DepthwiseKernels<float> depthwise_f32;
extern const DepthwiseKernels<double> depthwise_f64;
extern const PoolKernels<float> pool_f32;
extern const PoolKernels<double> pool_f64;
extern const NormKernels<float> norm_f32;
extern const NormKernels<double> norm_f64;
extern const SpatialKernels<float> spatial_f32;
extern const SpatialKernels<double> spatial_f64;
extern const AugmentKernels<float> augment_f32;
extern const AugmentKernels<double> augment_f64;
extern const MoveKernels<float> move_f32;
extern const MoveKernels<double> move_f64;
double fma_loop_f32(std::int64_t iterations);
double fma_loop_f64(std::int64_t iterations);

extern const KernelTable table;
const KernelTable table = {
    DLNATIVE_STRINGIZE(DLNATIVE_ISA_NAMESPACE),
#if defined(__AVX512F__)
    64,
#elif defined(__AVX2__)
    32,
#else
    16,
#endif
    {&elementwise_f32, &map_f32, &map_pairs_f32, &reduce_f32, &softmax_f32, &loss_f32,
     &optimizer_f32, &convert_f32, &gemm_f32, &conv_f32, winograd_f32, &depthwise_f32, &pool_f32,
     &norm_f32, &spatial_f32, &augment_f32, &move_f32},
    {&elementwise_f64, &map_f64, &map_pairs_f64, &reduce_f64, &softmax_f64, &loss_f64,
     &optimizer_f64, &convert_f64, &gemm_f64, &conv_f64, winograd_f64, &depthwise_f64, &pool_f64,
     &norm_f64, &spatial_f64, &augment_f64, &move_f64},
    &convert_i32,
    fma_loop_f32,
    fma_loop_f64,
};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
