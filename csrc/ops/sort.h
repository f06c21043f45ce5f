// The order of elements along an axis, and places in a sorted array.
//
// Numbers are compared as integers of the same order: NaN, of any sign, is larger than everything
// and equals itself, -0 equals 0, and what is too small for a normal number is not flushed to zero.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/workspace.h"

namespace dlnative {

// y[o, :, i] = the indices that sort x[o, :, i]; equals keep their order.
template <class T>
class ArgsortOp {
 public:
  // std::invalid_argument: n is too large for int32.
  ArgsortOp(const std::string& name, bool descending, std::int64_t outer, std::int64_t n,
            std::int64_t inner, int threads);
  std::size_t set_workspace(void* workspace);
  void run(const T* x, std::int32_t* y) const;

 private:
  bool descending_ = false;
  std::int64_t outer_ = 0, n_ = 0, inner_ = 0;
  std::int64_t lines_ = 0;  // of a task
  int threads_ = 0;
  void* scratch_ = nullptr;  // a line for each thread
};

// y[i] = the number of elements of sorted[0, n) that are less than values[i], or with `right` less
// or equal.
template <class T>
class SearchsortedOp {
 public:
  // std::invalid_argument: n is too large for int32.
  SearchsortedOp(const std::string& name, bool right, std::int64_t n, std::int64_t count);
  void run(const T* sorted, const T* values, std::int32_t* y) const;

 private:
  template <bool kRight>
  void search(const T* sorted, const T* values, std::int32_t* y) const;

  bool right_ = false;
  std::int64_t n_ = 0, count_ = 0;
};

}  // namespace dlnative
