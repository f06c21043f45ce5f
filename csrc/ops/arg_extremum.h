// Where the largest or smallest elements of an axis are.
#pragma once

#include <cstdint>
#include <string>

namespace dlnative {

// y[o, i] = the index j of the first maximum or minimum of x[o, j, i]; a NaN is both.
template <class T>
class ArgExtremumOp {
 public:
  // std::invalid_argument: n is 0, or too large for int32.
  ArgExtremumOp(const std::string& name, bool max, std::int64_t outer, std::int64_t n,
                std::int64_t inner);
  void run(const T* x, std::int32_t* y) const;

 private:
  template <bool kMax>
  void run_columns(const T* x, std::int32_t* y) const;

  bool max_ = true;
  std::int64_t outer_ = 0, n_ = 0, inner_ = 0;
};

}  // namespace dlnative
