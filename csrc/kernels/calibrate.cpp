// Fused multiply-adds on registers only: the ceiling that benchmarks measure themselves against.
#include "kernels/kernel_table.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

// Two units with a latency of four to five cycles need ten independent chains; twelve leave room.
constexpr int kChains = 12;

template <class T>
double fma_loop(std::int64_t iterations) {
  Vec<T> acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = broadcast<T>(static_cast<T>(i));
  Vec<T> x = broadcast<T>(T(0.5));
  const Vec<T> y = broadcast<T>(T(1e-3));
  for (std::int64_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) acc[i] = acc[i] * x + y;
  }
  Vec<T> sum = acc[0];
  for (int i = 1; i < kChains; ++i) sum = sum + acc[i];
  T lanes[kLanes<T>];
  store<T>(lanes, sum);
  volatile T sink = lanes[0];  // the result must be used
  (void)sink;
  return 2.0 * kChains * kLanes<T> * static_cast<double>(iterations);
}

}  // namespace

double fma_loop_f32(std::int64_t iterations);
double fma_loop_f64(std::int64_t iterations);
double fma_loop_f32(std::int64_t iterations) {
  return fma_loop<float>(iterations);
}
double fma_loop_f64(std::int64_t iterations) {
  return fma_loop<double>(iterations);
}

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
