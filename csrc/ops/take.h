// Elements and rows at given indices. Elements are opaque values of 1, 2, 4 or 8 bytes; indices are
// int32 or int64, negative ones count from the end.
#pragma once

#include <cstdint>

#include "ops/indices.h"

namespace dlnative {

// y[o, j, i] = x[o, indices[j], i] for x of shape (outer, axis.size, inner) and `count` indices.
class TakeOp {
 public:
  TakeOp(IndexedAxis axis, std::int64_t outer, std::int64_t inner, std::int64_t count,
         std::int64_t element_size);

  // y does not overlap x. std::invalid_argument: an index is out of range; y is as before.
  template <class I>
  void run(const void* x, const I* indices, void* y) const;

 private:
  template <class Element, class I>
  void take_elements(const Element* x, const I* indices, Element* y) const;
  template <class I>
  void take_rows(const char* x, const I* indices, char* y) const;

  IndexedAxis axis_;
  std::int64_t outer_ = 0, inner_ = 0, count_ = 0, element_size_ = 0;
};

// y[o, j, i] = x[o, indices[o, j, i], i] for j < count.
class TakeAlongAxisOp {
 public:
  TakeAlongAxisOp(IndexedAxis axis, std::int64_t outer, std::int64_t inner, std::int64_t count,
                  std::int64_t element_size);

  // y does not overlap x. std::invalid_argument: an index is out of range; y is as before.
  template <class I>
  void run(const void* x, const I* indices, void* y) const;

 private:
  template <class Element, class I>
  void run_elements(const Element* x, const I* indices, Element* y) const;

  IndexedAxis axis_;
  std::int64_t outer_ = 0, inner_ = 0, count_ = 0, element_size_ = 0;
};

}  // namespace dlnative
