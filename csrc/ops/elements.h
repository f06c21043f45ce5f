// Elements that are moved and not looked into: opaque values of 1, 2, 4 or 8 bytes.
#pragma once

#include <cstdint>

#include "ops/chunks.h"

namespace dlnative {

inline constexpr double kByteCost = 0.05;  // nanoseconds, read and written
inline constexpr std::int64_t kChunkBytes = 4 * kChunk;

// Calls f(E{}) with an unsigned integer of `element_size` bytes.
template <class F>
void dispatch_element(std::int64_t element_size, F&& f) {
  switch (element_size) {
    case 1:
      return f(std::uint8_t{});
    case 2:
      return f(std::uint16_t{});
    case 4:
      return f(std::uint32_t{});
    default:
      return f(std::uint64_t{});
  }
}

}  // namespace dlnative
