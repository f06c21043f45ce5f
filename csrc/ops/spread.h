// Copies of operands that are broadcast, for several short rows at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/integers.h"

namespace dlnative {

// Fills `total` bytes at `to` with the `bytes` of a row, over and over.
inline void tile_row(const void* row, std::int64_t bytes, void* to, std::int64_t total) {
  char* const start = static_cast<char*>(to);
  std::int64_t done = std::min(bytes, total);
  std::memcpy(start, row, static_cast<std::size_t>(done));
  for (; done < total; done *= 2)
    std::memcpy(start + done, start, static_cast<std::size_t>(std::min(done, total - done)));
}

// Each of `rows` elements n times, in blocks of kBlock copies: those that are too many lie where
// the copies of the next element follow.
template <int kBlock, class Element>
void expand_in_blocks(const Element* from, std::int64_t rows, std::int64_t n, Element* to) {
  const std::int64_t total = rows * n;
  std::int64_t r = 0;
  for (; r * n + round_up(n, kBlock) <= total; ++r) {
    const Element value = from[r];
    for (std::int64_t i = 0; i < n; i += kBlock) {
      for (int j = 0; j < kBlock; ++j) to[r * n + i + j] = value;
    }
  }
  for (; r < rows; ++r) std::fill_n(to + r * n, n, from[r]);
}

template <class Element>
void expand_elements(const void* column, std::int64_t rows, std::int64_t n, void* to) {
  const auto* from = static_cast<const Element*>(column);
  auto* y = static_cast<Element*>(to);
  if (n <= 4) return expand_in_blocks<4>(from, rows, n, y);
  if (n <= 8) return expand_in_blocks<8>(from, rows, n, y);
  expand_in_blocks<16>(from, rows, n, y);
}

// Each of `rows` elements n times, for elements of 1, 2, 4 or 8 bytes; n > 0.
inline void expand_column(const void* column, std::int64_t bytes, std::int64_t rows, std::int64_t n,
                          void* to) {
  if (bytes == 1) return expand_elements<std::uint8_t>(column, rows, n, to);
  if (bytes == 2) return expand_elements<std::uint16_t>(column, rows, n, to);
  if (bytes == 4) return expand_elements<std::uint32_t>(column, rows, n, to);
  expand_elements<std::uint64_t>(column, rows, n, to);
}

}  // namespace dlnative
