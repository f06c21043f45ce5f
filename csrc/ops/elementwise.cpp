#include "ops/elementwise.h"

#include <algorithm>

#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

// Nanoseconds per element in L2, and per row for the call of a kernel.
template <class T>
constexpr double kElementCost = sizeof(T) == 4 ? 0.15 : 0.3;
constexpr double kRowCost = 4.0;

}  // namespace

template <class T>
BinaryOp<T>::BinaryOp(Binary op, const std::vector<std::int64_t>& a,
                      const std::vector<std::int64_t>& b, const std::vector<std::int64_t>& shape)
    : loops_(a, b, shape),
      vectors_(kernels<T>().elementwise->binary[static_cast<int>(op)]),
      scalar_right_(kernels<T>().elementwise->binary_scalar_right[static_cast<int>(op)]),
      scalar_left_(kernels<T>().elementwise->binary_scalar_left[static_cast<int>(op)]),
      threads_(threads_for(static_cast<double>(loops_.rows()) *
                           (kRowCost + static_cast<double>(loops_.row_size()) * kElementCost<T>))) {
}

template <class T>
void BinaryOp<T>::run_row(const T* a, const T* b, T* y, std::int64_t n) const {
  if (!loops_.b_advances()) {
    scalar_right_(a, *b, y, n);
  } else if (!loops_.a_advances()) {
    scalar_left_(*a, b, y, n);
  } else {
    vectors_(a, b, y, n);
  }
}

template <class T>
void BinaryOp<T>::run(const T* a, const T* b, T* y) const {
  const std::int64_t n = loops_.row_size();
  if (loops_.rows() == 1) {
    for_each_chunk(n, kChunk, threads_, [&](std::int64_t begin, std::int64_t size) {
      run_row(loops_.a_advances() ? a + begin : a, loops_.b_advances() ? b + begin : b, y + begin,
              size);
    });
    return;
  }
  const std::int64_t chunk_rows = std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(n, 1));
  for_each_chunk(loops_.rows(), chunk_rows, threads_, [&](std::int64_t first, std::int64_t count) {
    loops_.for_each_row(first, count, [&](std::int64_t row, LoopNest::Offsets at) {
      run_row(a + at.a, b + at.b, y + row * n, n);
    });
  });
}

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

template class BinaryOp<float>;
template class BinaryOp<double>;
template class RescaleOp<float>;
template class RescaleOp<double>;

}  // namespace dlnative
