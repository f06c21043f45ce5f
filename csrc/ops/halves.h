// Float16 values, as those who know no float16 read them: as floats, a block at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dispatch/dispatch.h"

namespace dlnative {

// Calls visit(values, first, count) for each block of n values, of any alignment, as long as it
// returns true; returns what it returned last, and true for none.
template <class F>
bool visit_halves(const void* from, std::int64_t n, F visit) {
  constexpr std::int64_t kBlock = 64;
  float values[kBlock];
  for (std::int64_t i = 0; i < n; i += kBlock) {
    const std::int64_t count = std::min(kBlock, n - i);
    kernels<float>().convert->convert[static_cast<int>(SourceType::kFloat16)](
        static_cast<const char*>(from) + i * 2, values, count);
    if (!visit(values, i, count)) return false;
  }
  return true;
}

}  // namespace dlnative
