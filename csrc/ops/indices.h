// Indices of take and scatter: checked before anything is written; negative ones count from the
// end.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>

#include "core/checks.h"
#include "ops/chunks.h"

namespace dlnative {

// What an op does with the elements of one axis, and how a message names them.
struct IndexedAxis {
  std::string op;
  std::int64_t axis = 0;
  std::int64_t size = 0;
};

template <class I>
bool all_in_range(const I* indices, std::int64_t count, std::int64_t size) {
  I low = 0, high = -1;  // of none: a range that every size contains
  for (std::int64_t i = 0; i < count; ++i) {
    low = std::min(low, indices[i]);
    high = std::max(high, indices[i]);
  }
  return low >= -size && high < size;
}

// Throws std::invalid_argument, with the first index that is out of range. Returns false where
// interrupted() became true: the indices are not to be used then.
template <class I>
bool check_indices(const IndexedAxis& at, const I* indices, std::int64_t count) {
  constexpr double kTime = 0.3;  // nanoseconds per index
  std::atomic<bool> valid{true};
  for_each_chunk(count, kChunk, threads_for(static_cast<double>(count) * kTime),
                 [&](std::int64_t begin, std::int64_t n) {
                   if (!all_in_range(indices + begin, n, at.size))
                     valid.store(false, std::memory_order_relaxed);
                 });
  if (!valid.load(std::memory_order_relaxed)) {
    const I* wrong =
        std::find_if(indices, indices + count, [&](I i) { return i < -at.size || i >= at.size; });
    fail(at.op, ": index ", *wrong, " is out of range for axis ", at.axis, " of size ", at.size);
  }
  return count <= kChunk || !interrupted();
}

// The place of a valid index.
template <class I>
std::int64_t place_of(I index, std::int64_t size) {
  const auto i = static_cast<std::int64_t>(index);
  return i < 0 ? i + size : i;
}

}  // namespace dlnative
