// What a convolution does besides: residual, moments, a normalisation folded into its weights.
#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "kernels/norm_kernels.h"
#include "ops/chunks.h"
#include "ops/conv.h"

namespace dlnative {

template <class T>
std::int64_t FoldedNorm<T>::elements() const {
  return e_.variance != nullptr ? 2 * whole_vectors(filters_) : 0;
}

template <class T>
T* FoldedNorm<T>::scale(T* at) const {
  return e_.variance != nullptr ? at : nullptr;
}

template <class T>
const T* FoldedNorm<T>::bias(const T* at) const {
  return e_.variance != nullptr ? at + whole_vectors(filters_) : e_.epilogue.bias;
}

template <class T>
void FoldedNorm<T>::write(T* to) const {
  if (e_.variance == nullptr) return;
  T *scale = to, *bias = to + whole_vectors(filters_);
  for (std::int64_t j = 0; j < filters_; ++j) {
    const double inverse = 1.0 / std::sqrt(static_cast<double>(e_.variance[j]) + e_.epsilon);
    const double factor = inverse * (e_.gamma != nullptr ? static_cast<double>(e_.gamma[j]) : 1.0);
    const double before =
        e_.epilogue.bias != nullptr ? static_cast<double>(e_.epilogue.bias[j]) : 0.0;
    const double after = e_.beta != nullptr ? static_cast<double>(e_.beta[j]) : 0.0;
    scale[j] = static_cast<T>(factor);
    bias[j] = static_cast<T>((before - static_cast<double>(e_.mean[j])) * factor + after);
  }
}

template <class T>
void FoldedNorm<T>::append_to(std::string& key) const {
  append_to_key(key, filters_);
  append_to_key(key, e_.variance);
  if (e_.variance == nullptr) return;
  for (const T* array : {e_.mean, e_.gamma, e_.beta, e_.epilogue.bias}) append_to_key(key, array);
  append_to_key(key, e_.epsilon);
}

template <class T>
void place_residual(const ConvExtras<T>& e, std::int64_t size, T* result) {
  if (e.residual == nullptr || e.residual == result) return;
  for_each_chunk(size, kChunk, threads_for(0.4 * static_cast<double>(size)),
                 [&](std::int64_t begin, std::int64_t n) {
                   std::copy(e.residual + begin, e.residual + begin + n, result + begin);
                 });
}

template <class T>
void take_moments(const ConvExtras<T>& e, const ConvShape& shape, const T* y, std::int64_t image,
                  std::int64_t column, std::int64_t columns) {
  const std::int64_t filters = shape.filters, blocks = shape.places() / e.moment_pixels;
  for (std::int64_t b = image * blocks; b < (image + 1) * blocks; ++b) {
    T* moments = e.moments + b * 2 * filters + column;
    kernels<T>().norm->channel_moments(y + b * e.moment_pixels * filters + column, filters,
                                       e.moment_pixels, columns, moments, moments + filters);
  }
}

template <class T>
std::int64_t column_step(const ConvExtras<T>& e) {
  const std::int64_t panel = kernels<T>().conv->panel;
  return e.moments != nullptr ? round_up(panel, kJoinedColumns) : panel;
}

template std::int64_t column_step<float>(const ConvExtras<float>&);
template std::int64_t column_step<double>(const ConvExtras<double>&);
template void take_moments<float>(const ConvExtras<float>&, const ConvShape&, const float*,
                                  std::int64_t, std::int64_t, std::int64_t);
template void take_moments<double>(const ConvExtras<double>&, const ConvShape&, const double*,
                                   std::int64_t, std::int64_t, std::int64_t);
template void place_residual<float>(const ConvExtras<float>&, std::int64_t, float*);
template void place_residual<double>(const ConvExtras<double>&, std::int64_t, double*);
template class FoldedNorm<float>;
template class FoldedNorm<double>;

}  // namespace dlnative
