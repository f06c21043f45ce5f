#include "ops/pool.h"

#include <algorithm>

#include "core/aligned.h"
#include "core/checks.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

constexpr double kElementCost = 0.12;  // nanoseconds per float32 in cache

// Positions that are found before they are used: they stay in the second-level cache.
constexpr std::int64_t kPositionsAtOnce = std::int64_t{256} << 10;

template <class T>
PoolShape shape_of(const Window& window) {
  check(window.h.dilation == 1 && window.w.dilation == 1, "pooling: expected no dilation");
  for (const WindowAxis* axis : {&window.h, &window.w}) {
    check(axis->before < axis->window && axis->after < axis->window,
          "pooling: expected less padding than the window of ", axis->window, ", received ",
          axis->before, " and ", axis->after);
  }
  const std::int64_t x = window.batch * window.h.in * window.w.in * window.channels;
  const std::int64_t y = window.batch * window.h.out * window.w.out * window.channels;
  return {window.batch,
          window.channels,
          window.h.in,
          window.w.in,
          window.h.out,
          window.w.out,
          window.h.window,
          window.w.window,
          window.h.stride,
          window.w.stride,
          window.h.before,
          window.w.before,
          too_large_to_cache<T>(x),
          too_large_to_cache<T>((x + y) / 2)};
}

}  // namespace

template <class T>
PoolOp<T>::PoolOp(const Window& window) : kernels_(kernels<T>().pool), shape_(shape_of<T>(window)) {
  const double pixels = static_cast<double>(shape_.in_h) * static_cast<double>(shape_.in_w);
  const double taps = static_cast<double>(shape_.out_h * shape_.window_h) *
                      static_cast<double>(shape_.out_w * shape_.window_w);
  work_ = std::max(pixels, taps) * static_cast<double>(shape_.batch * shape_.channels);
}

template <class T>
template <class F>
void PoolOp<T>::for_each_piece(std::int64_t rows, F&& f) const {
  if (rows == 0 || shape_.channels == 0) return;
  const double row = std::max(work_ / static_cast<double>(rows), 1.0);
  const auto piece = std::max<std::int64_t>(1, static_cast<std::int64_t>(kChunk / row));
  const double cost = kElementCost * static_cast<double>(sizeof(T) / sizeof(float));
  for_each_chunk(rows, piece, threads_for(work_ * cost), f);
}

template <class T>
void PoolOp<T>::max(const T* x, T* y, std::uint8_t* indices, bool relu) const {
  for_each_piece(shape_.batch * shape_.out_h, [&](std::int64_t first, std::int64_t rows) {
    kernels_->max(shape_, x, y, indices, relu, first, rows);
  });
}

template <class T>
void PoolOp<T>::max_backward_indices(const T* dy, const std::uint8_t* indices, const T* saved,
                                     T* dx) const {
  for_each_piece(shape_.batch * shape_.in_h, [&](std::int64_t first, std::int64_t rows) {
    kernels_->max_backward_indices(shape_, dy, indices, saved, dx, first, rows);
  });
}

template <class T>
std::int64_t PoolOp<T>::images_at_once() const {
  const std::int64_t windows = shape_.out_h * shape_.out_w * shape_.channels;
  return std::clamp<std::int64_t>(kPositionsAtOnce / std::max<std::int64_t>(windows, 1), 1,
                                  std::max<std::int64_t>(shape_.batch, 1));
}

template <class T>
std::size_t PoolOp<T>::max_backward_workspace() const {
  if (shape_.window_h * shape_.window_w > kMaxPositions) return 0;
  return static_cast<std::size_t>(images_at_once() * shape_.out_h * shape_.out_w * shape_.channels);
}

template <class T>
void PoolOp<T>::max_backward(const T* dy, const T* x, T* dx, std::uint8_t* indices) const {
  if (shape_.window_h * shape_.window_w > kMaxPositions) {
    for_each_piece(shape_.batch, [&](std::int64_t first, std::int64_t images) {
      kernels_->max_backward(shape_, dy, x, dx, first, images);
    });
    return;
  }
  const std::int64_t image = shape_.in_h * shape_.in_w * shape_.channels;
  const std::int64_t windows = shape_.out_h * shape_.out_w * shape_.channels;
  const std::int64_t some = images_at_once();
  for (std::int64_t first = 0; first < shape_.batch; first += some) {
    const PoolOp part = of_images(std::min(some, shape_.batch - first));
    part.max(x + first * image, nullptr, indices, false);
    part.max_backward_indices(dy + first * windows, indices, nullptr, dx + first * image);
  }
}

template <class T>
PoolOp<T> PoolOp<T>::of_images(std::int64_t images) const {
  PoolOp op = *this;
  op.shape_.batch = images;
  op.work_ *= static_cast<double>(images) / static_cast<double>(shape_.batch);
  return op;
}

template <class T>
void PoolOp<T>::average(const T* x, T* y) const {
  for_each_piece(shape_.batch * shape_.out_h, [&](std::int64_t first, std::int64_t rows) {
    kernels_->average(shape_, x, y, first, rows);
  });
}

template <class T>
void PoolOp<T>::average_backward(const T* dy, T* dx) const {
  for_each_piece(shape_.batch * shape_.in_h, [&](std::int64_t first, std::int64_t rows) {
    kernels_->average_backward(shape_, dy, dx, first, rows);
  });
}

template <class T>
const char* PoolOp<T>::algorithm() const {
  return shape_.disjoint() ? "disjoint windows" : "overlapping windows";
}

template class PoolOp<float>;
template class PoolOp<double>;

}  // namespace dlnative
