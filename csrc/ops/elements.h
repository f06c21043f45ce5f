// Elements that are moved and not looked into: opaque values of 1, 2, 4 or 8 bytes.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/stream_copy.h"
#include "ops/chunks.h"

namespace dlnative {

inline constexpr double kByteCost = 0.05;  // nanoseconds, read and written
inline constexpr std::int64_t kChunkBytes = 4 * kChunk;

// memcpy for pieces that are often short: up to 64 bytes without a call, which takes as long as a
// few of them.
inline void copy_bytes(char* to, const char* from, std::int64_t n) {
  if (n > 64 || n < 4) {
    std::memcpy(to, from, static_cast<std::size_t>(n));
  } else if (n >= 16) {
    for (std::int64_t i = 0; i + 16 <= n; i += 16) std::memcpy(to + i, from + i, 16);
    std::memcpy(to + n - 16, from + n - 16, 16);  // may overlap the one before
  } else if (n >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + n - 8, from + n - 8, 8);
  } else {
    std::memcpy(to, from, 4);
    std::memcpy(to + n - 4, from + n - 4, 4);
  }
}

// Rows of fewer bytes are not streamed: their ends share lines with their neighbours.
inline constexpr std::int64_t kStreamedRow = 256;

inline void copy_row(char* to, const char* from, std::int64_t n, bool streamed) {
  streamed ? stream_copy(to, from, n) : copy_bytes(to, from, n);
}

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
