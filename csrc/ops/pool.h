// Pooling of images and its gradients: cuts the rows of pixels over threads.
//
// x is [batch, h.in, w.in, channels], y [batch, h.out, w.out, channels]; no two arrays overlap.
// Each array is read and written once; max_backward finds the positions of some images first, and
// then gathers. The cut depends on the shape alone.
#pragma once

#include <cstdint>

#include "kernels/pool_kernels.h"
#include "ops/window.h"

namespace dlnative {

template <class T>
class PoolOp {
 public:
  // std::invalid_argument: dilation, or a window that may lie in the padding alone.
  explicit PoolOp(const Window& window);

  // y or indices may be null: one byte per window, of at most kMaxPositions. `relu` is applied to
  // y.
  void max(const T* x, T* y, std::uint8_t* indices, bool relu) const;
  // saved may be null: dy counts where saved > 0.
  void max_backward_indices(const T* dy, const std::uint8_t* indices, const T* saved, T* dx) const;
  // `indices`: workspace of so many bytes.
  void max_backward(const T* dy, const T* x, T* dx, std::uint8_t* indices) const;
  std::size_t max_backward_workspace() const;
  void average(const T* x, T* y) const;
  void average_backward(const T* dy, T* dx) const;

  const char* algorithm() const;

 private:
  std::int64_t images_at_once() const;  // whose positions max_backward finds

  // The same for another batch.
  PoolOp of_images(std::int64_t images) const;

  // Calls f(first row, rows) for pieces of `rows` rows.
  template <class F>
  void for_each_piece(std::int64_t rows, F&& f) const;

  const PoolKernels<T>* kernels_ = nullptr;
  PoolShape shape_;
  double work_ = 0.0;  // values that are looked at, or pixels, whichever are more
};

extern template class PoolOp<float>;
extern template class PoolOp<double>;

}  // namespace dlnative
