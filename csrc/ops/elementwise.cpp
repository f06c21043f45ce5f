#include "ops/elementwise.h"

#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

// Nanoseconds per element in L2.
template <class T>
constexpr double kElementCost = sizeof(T) == 4 ? 0.15 : 0.3;

}  // namespace

template <class T>
RescaleOp<T>::RescaleOp(double scale, double offset, std::int64_t n)
    : kernel_(kernels<T>().elementwise->rescale),
      scale_(static_cast<T>(scale)),
      offset_(static_cast<T>(offset)),
      n_(n),
      threads_(threads_for(static_cast<double>(n) * kElementCost<T>)) {}

template <class T>
void RescaleOp<T>::run(const T* x, T* y) const {
  for_each_chunk(n_, kChunk, threads_, [&](std::int64_t begin, std::int64_t size) {
    kernel_(x + begin, y + begin, size, scale_, offset_);
  });
}

template class RescaleOp<float>;
template class RescaleOp<double>;

}  // namespace dlnative
