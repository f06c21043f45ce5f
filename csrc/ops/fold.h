// Reductions of integers and bool, and products: what needs no kernel of its own.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "ops/reduce_passes.h"
#include "ops/wrap.h"

namespace dlnative {

// A fold of elements of type T: the type of its results while it runs, the result of nothing, an
// element as a result, and two results in one.
template <class T>
struct SumFold {
  using Element = T;
  using Result = T;
  static constexpr Result kEmpty = 0;
  static Result of(T x) { return x; }
  static Result join(Result a, Result b) { return wrapping_add(a, b); }
};

// float32 is multiplied in float64: the product of many factors fits where that of some does not.
template <class T>
struct ProductFold {
  using Element = T;
  using Result = std::conditional_t<std::is_same_v<T, float>, double, T>;
  static constexpr Result kEmpty = 1;
  template <class V>
  static Result of(V x) {
    return static_cast<Result>(x);
  }
  static Result join(Result a, Result b) { return wrapping_multiply(a, b); }
};

template <class T>
struct MaxFold {
  using Element = T;
  using Result = T;
  static constexpr Result kEmpty = std::numeric_limits<T>::lowest();
  static Result of(T x) { return x; }
  static Result join(Result a, Result b) { return a > b ? a : b; }
};

template <class T>
struct MinFold {
  using Element = T;
  using Result = T;
  static constexpr Result kEmpty = std::numeric_limits<T>::max();
  static Result of(T x) { return x; }
  static Result join(Result a, Result b) { return a < b ? a : b; }
};

// bool is read as bytes, of which NumPy may make other numbers than 0 and 1.
struct AnyFold {
  using Element = std::uint8_t;
  using Result = std::uint8_t;
  static constexpr Result kEmpty = 0;
  static Result of(Element x) { return x != 0; }
  static Result join(Result a, Result b) { return a | b; }
};

struct AllFold {
  using Element = std::uint8_t;
  using Result = std::uint8_t;
  static constexpr Result kEmpty = 1;
  static Result of(Element x) { return x != 0; }
  static Result join(Result a, Result b) { return a & b; }
};

// y = fold of x over `axes`; y has the remaining axes in their order.
template <class Fold>
class FoldOp {
 public:
  using Element = typename Fold::Element;

  // std::invalid_argument: an axis is out of range or named twice.
  FoldOp(const std::string& name, const std::vector<std::int64_t>& shape,
         const std::vector<std::int64_t>& axes);

  const ReducePasses& passes() const { return passes_; }
  std::size_t set_workspace(void* workspace);

  // y does not overlap x.
  void run(const Element* x, Element* y) const;

 private:
  using Result = typename Fold::Result;

  ReducePasses passes_;
  Result* between_[2] = {};  // results of passes, but for the last where it gives y itself
  Result* partial_ = nullptr;
};

}  // namespace dlnative
