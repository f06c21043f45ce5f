// Divisions and multiples of sizes.
#pragma once

#include <cstdint>

namespace dlnative {

// a / b, rounded up; a >= 0, b > 0.
inline constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// The least multiple of `multiple` that is not below a.
inline constexpr std::int64_t round_up(std::int64_t a, std::int64_t multiple) {
  return ceil_div(a, multiple) * multiple;
}

}  // namespace dlnative
