// Padding, cropping and resizing of images.
#include "kernels/simd/pixels.h"
#include "kernels/spatial_kernels.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

template <class T, bool kNarrow, bool kGaps>
void resample_rows(const Bands<T>& bands, const T* x, const T* x_end, T* y, std::int64_t inner,
                   std::int64_t first, std::int64_t rows) {
  const T* y_end = y + rows * inner;
  for (std::int64_t o = first; o < first + rows; ++o, y += inner) {
    const T* from = x + bands.begin[o] * inner;
    const T* weights = bands.weights + o * bands.stride;
    const std::int64_t count = bands.count[o];
    for_each_vector<T, kNarrow, 4>(inner, [&](auto vectors, std::int64_t i) {
      constexpr int kCount = decltype(vectors)::kCount;
      Vec<T> sum[kCount];
#pragma GCC unroll 4
      for (int v = 0; v < kCount; ++v) {
        sum[v] = weights[0] * load_pixel<kNarrow>(from + i + v * kLanes<T>, inner, x_end);
      }
      const T* p = from + i;
      for (std::int64_t k = 1; k < count; ++k) {
        p += inner;
        if (kGaps && weights[k] == T(0)) continue;
#pragma GCC unroll 4
        for (int v = 0; v < kCount; ++v) {
          sum[v] += weights[k] * load_pixel<kNarrow>(p + v * kLanes<T>, inner, x_end);
        }
      }
#pragma GCC unroll 4
      for (int v = 0; v < kCount; ++v) {
        store_pixel<kNarrow>(y + i + v * kLanes<T>, sum[v], inner, y_end);
      }
    });
  }
}

template <class T>
void resample(const Bands<T>& bands, const T* x, const T* x_end, T* y, std::int64_t inner,
              std::int64_t first, std::int64_t rows) {
  if (inner == 0) return;
  auto run = is_narrow<T>(inner) ? resample_rows<T, true, false> : resample_rows<T, false, false>;
  if (bands.gaps) {
    run = is_narrow<T>(inner) ? resample_rows<T, true, true> : resample_rows<T, false, true>;
  }
  run(bands, x, x_end, y, inner, first, rows);
}

}  // namespace

extern const SpatialKernels<float> spatial_f32;
extern const SpatialKernels<double> spatial_f64;
const SpatialKernels<float> spatial_f32 = {resample<float>};
const SpatialKernels<double> spatial_f64 = {resample<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
