#include "ops/softmax.h"

#include <algorithm>
#include <cmath>

#include "dispatch/dispatch.h"
#include "ops/chunks.h"
#include "ops/map.h"

namespace dlnative {

namespace {

// Nanoseconds per element; the exponential is most of it.
template <class T>
constexpr double kElementCost = sizeof(T) == 4 ? 0.7 : 2.0;

}  // namespace

template <class T>
SoftmaxOp<T>::SoftmaxOp(Kind kind, std::int64_t outer, std::int64_t axis, std::int64_t inner)
    : kernels_(&kernels<T>()),
      kind_(kind),
      rows_forward_(kind == Kind::kSoftmax ? kernels<T>().softmax->softmax
                                           : kernels<T>().softmax->log_softmax),
      rows_backward_(kind == Kind::kSoftmax ? kernels<T>().softmax->softmax_backward
                                            : kernels<T>().softmax->log_softmax_backward),
      outer_(outer),
      axis_(axis),
      inner_(inner),
      chunk_rows_(std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(axis, 1))),
      threads_(threads_for(static_cast<double>(outer * axis * inner) * kElementCost<T>)) {}

template <class T>
void SoftmaxOp<T>::forward(const T* x, T* y) const {
  if (inner_ == 1) {
    for_each_chunk(outer_, chunk_rows_, threads_, [&](std::int64_t begin, std::int64_t rows) {
      rows_forward_(x + begin * axis_, y + begin * axis_, rows, axis_);
    });
    return;
  }
  for_each_strip([&](std::int64_t at, std::int64_t n) { forward_strip(x + at, y + at, n); });
}

template <class T>
void SoftmaxOp<T>::backward(const T* dy, const T* y, T* dx) const {
  if (inner_ == 1) {
    for_each_chunk(outer_, chunk_rows_, threads_, [&](std::int64_t begin, std::int64_t rows) {
      const std::int64_t at = begin * axis_;
      rows_backward_(dy + at, y + at, dx + at, rows, axis_);
    });
    return;
  }
  for_each_strip([&](std::int64_t at, std::int64_t n) {
    if (kind_ == Kind::kSoftmax) {
      softmax_backward_strip(dy + at, y + at, dx + at, n);
    } else {
      log_softmax_backward_strip(dy + at, y + at, dx + at, n);
    }
  });
}

// --- any axis but the last: lanes run along `inner_`, the axis is walked in steps of it ----------

// Calls f(offset of the strip's first element, its columns).
template <class T>
template <class F>
void SoftmaxOp<T>::for_each_strip(F&& f) const {
  if (axis_ == 0 || inner_ == 0) return;
  const std::int64_t strips = chunk_count(inner_, kStrip);
  const std::int64_t chunk = std::max<std::int64_t>(1, chunk_rows_ / std::min(inner_, kStrip));
  for_each_chunk(outer_ * strips, chunk, threads_, [&](std::int64_t begin, std::int64_t count) {
    for (std::int64_t i = begin; i < begin + count; ++i) {
      const std::int64_t first = i % strips * kStrip;
      f(i / strips * axis_ * inner_ + first, std::min(kStrip, inner_ - first));
    }
  });
}

template <class T>
void SoftmaxOp<T>::binary(Map op, const T* a, const T* b, T* y, std::int64_t n) const {
  apply_map((*kernels_->map)[op], a, b, y, n);
}

template <class T>
void SoftmaxOp<T>::exponential(const T* x, T* y, std::int64_t n) const {
  kernels_->elementwise->activation_forward[static_cast<int>(Activation::kExponential)](x, y, n,
                                                                                        {});
}

template <class T>
void SoftmaxOp<T>::forward_strip(const T* x, T* y, std::int64_t n) const {
  T max[kStrip], sum[kStrip] = {}, e[kStrip];
  std::copy_n(x, n, max);
  for (std::int64_t i = 1; i < axis_; ++i) binary(Map::kMaximum, max, x + i * inner_, max, n);
  for (std::int64_t i = 0; i < axis_; ++i) {
    T* row = y + i * inner_;
    binary(Map::kSubtract, x + i * inner_, max, row, n);
    T* exponentials = kind_ == Kind::kSoftmax ? row : e;
    exponential(row, exponentials, n);
    binary(Map::kAdd, sum, exponentials, sum, n);
  }
  const Map last = kind_ == Kind::kSoftmax ? Map::kDivide : Map::kSubtract;
  if (kind_ == Kind::kLogSoftmax)
    std::transform(sum, sum + n, sum, [](T s) { return std::log(s); });
  for (std::int64_t i = 0; i < axis_; ++i) binary(last, y + i * inner_, sum, y + i * inner_, n);
}

// dx = y (dy - sum(dy y))
template <class T>
void SoftmaxOp<T>::softmax_backward_strip(const T* dy, const T* y, T* dx, std::int64_t n) const {
  T sum[kStrip] = {}, piece[kStrip];
  for (std::int64_t i = 0; i < axis_; ++i) {
    binary(Map::kMultiply, dy + i * inner_, y + i * inner_, piece, n);
    binary(Map::kAdd, sum, piece, sum, n);
  }
  for (std::int64_t i = 0; i < axis_; ++i) {
    binary(Map::kSubtract, dy + i * inner_, sum, piece, n);
    binary(Map::kMultiply, y + i * inner_, piece, dx + i * inner_, n);
  }
}

// dx = dy - exp(y) sum(dy)
template <class T>
void SoftmaxOp<T>::log_softmax_backward_strip(const T* dy, const T* y, T* dx,
                                              std::int64_t n) const {
  T sum[kStrip] = {}, piece[kStrip];
  for (std::int64_t i = 0; i < axis_; ++i) binary(Map::kAdd, sum, dy + i * inner_, sum, n);
  for (std::int64_t i = 0; i < axis_; ++i) {
    exponential(y + i * inner_, piece, n);
    binary(Map::kMultiply, piece, sum, piece, n);
    binary(Map::kSubtract, dy + i * inner_, piece, dx + i * inner_, n);
  }
}

template class SoftmaxOp<float>;
template class SoftmaxOp<double>;

}  // namespace dlnative
