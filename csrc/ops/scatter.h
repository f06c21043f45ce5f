// Updates of elements and rows at given indices, in the order of the indices whatever the number of
// threads.
#pragma once

#include <cstdint>
#include <string>

#include "ops/indices.h"

namespace dlnative {

enum class ScatterMode { kAdd, kSet, kMax, kMin, kMultiply };

// std::invalid_argument: an unknown name.
ScatterMode scatter_mode(const std::string& op, const std::string& name);

// y = x, then y[indices[j], i] op= updates[j, i] for j = 0, 1, ..., count - 1, for x of shape
// (axis.size, inner). T is a number or bool, of which the sum is "or" and the product "and"; a NaN
// wins max and min.
template <class T>
class ScatterOp {
 public:
  ScatterOp(IndexedAxis axis, ScatterMode mode, std::int64_t inner, std::int64_t count);

  // y may be x. std::invalid_argument: an index is out of range; y is as before.
  template <class I>
  void run(const T* x, const I* indices, const T* updates, T* y) const;

 private:
  template <class Update, class I>
  void update_rows(const I* indices, const T* updates, T* y) const;

  IndexedAxis axis_;
  ScatterMode mode_{};
  std::int64_t inner_ = 0, count_ = 0;
};

// y = x, then y[o, indices[o, j, i], i] op= updates[o, j, i] for j = 0, 1, ..., count - 1, for x of
// shape (outer, axis.size, inner).
template <class T>
class ScatterAlongAxisOp {
 public:
  ScatterAlongAxisOp(IndexedAxis axis, ScatterMode mode, std::int64_t outer, std::int64_t inner,
                     std::int64_t count);

  // y may be x. std::invalid_argument: an index is out of range; y is as before.
  template <class I>
  void run(const T* x, const I* indices, const T* updates, T* y) const;

 private:
  template <class Update, class I>
  void update_columns(const I* indices, const T* updates, T* y) const;

  IndexedAxis axis_;
  ScatterMode mode_{};
  std::int64_t outer_ = 0, inner_ = 0, count_ = 0;
};

}  // namespace dlnative
