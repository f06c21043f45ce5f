#include "ops/take.h"

#include <utility>

#include "ops/elements.h"

namespace dlnative {

namespace {

constexpr double kElementCost = 1.0;  // nanoseconds, of an element from anywhere

}  // namespace

TakeOp::TakeOp(IndexedAxis axis, std::int64_t outer, std::int64_t inner, std::int64_t count,
               std::int64_t element_size)
    : axis_(std::move(axis)),
      outer_(outer),
      inner_(inner),
      count_(count),
      element_size_(element_size) {}

template <class I>
void TakeOp::run(const void* x, const I* indices, void* y) const {
  if (!check_indices(axis_, indices, count_) || outer_ * inner_ * count_ == 0) return;
  if (inner_ > 1) {
    take_rows(static_cast<const char*>(x), indices, static_cast<char*>(y));
    return;
  }
  dispatch_element(element_size_, [&](auto element) {
    using Element = decltype(element);
    take_elements(static_cast<const Element*>(x), indices, static_cast<Element*>(y));
  });
}

template <class Element, class I>
void TakeOp::take_elements(const Element* x, const I* indices, Element* y) const {
  const std::int64_t pieces = chunk_count(count_, kChunk), n = axis_.size;
  const std::int64_t together = std::max<std::int64_t>(1, kChunk / count_);
  const int threads = threads_for(static_cast<double>(outer_ * count_) * kElementCost);
  for_each_chunk(outer_ * pieces, together, threads, [&](std::int64_t first, std::int64_t tasks) {
    for (std::int64_t task = first; task < first + tasks; ++task) {
      const std::int64_t o = task / pieces, begin = task % pieces * kChunk;
      const std::int64_t end = std::min(count_, begin + kChunk);
      const Element* const from = x + o * n;
      Element* const to = y + o * count_;
      for (std::int64_t j = begin; j < end; ++j) to[j] = from[place_of(indices[j], n)];
    }
  });
}

// Rows of kChunkBytes and more are cut into pieces. What comes from anywhere is prefetched.
template <class I>
void TakeOp::take_rows(const char* x, const I* indices, char* y) const {
  constexpr std::int64_t kAhead = 8, kLongest = 512;  // rows, and bytes of one that is prefetched
  const std::int64_t bytes = inner_ * element_size_, n = axis_.size;
  const std::int64_t piece = std::min(bytes, kChunkBytes), pieces = chunk_count(bytes, piece);
  const std::int64_t size = outer_ * count_ * bytes;
  const bool streamed = bytes >= kStreamedRow && no_cache_holds(2 * size);
  const int threads = threads_for(static_cast<double>(outer_ * count_) *
                                  (kElementCost + kByteCost * static_cast<double>(bytes)));
  for_each_chunk(outer_ * count_ * pieces, kChunkBytes / piece, threads,
                 [&](std::int64_t first, std::int64_t tasks) {
                   std::int64_t row = first / pieces, begin = first % pieces * piece;  // of y
                   std::int64_t o = row / count_, j = row % count_;
                   for (std::int64_t task = 0; task < tasks; ++task) {
                     const char* const from = x + o * n * bytes;
                     if (bytes <= kLongest && j + kAhead < count_) {
                       const char* const later = from + place_of(indices[j + kAhead], n) * bytes;
                       for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(later + i);
                     }
                     copy_row(y + row * bytes + begin,
                              from + place_of(indices[j], n) * bytes + begin,
                              std::min(piece, bytes - begin), streamed);
                     begin += piece;
                     if (begin < bytes) continue;
                     begin = 0;
                     ++row;
                     if (++j < count_) continue;
                     j = 0;
                     ++o;
                   }
                   if (streamed) finish_stream_copies();
                 });
}

TakeAlongAxisOp::TakeAlongAxisOp(IndexedAxis axis, std::int64_t outer, std::int64_t inner,
                                 std::int64_t count, std::int64_t element_size)
    : axis_(std::move(axis)),
      outer_(outer),
      inner_(inner),
      count_(count),
      element_size_(element_size) {}

template <class I>
void TakeAlongAxisOp::run(const void* x, const I* indices, void* y) const {
  const std::int64_t size = outer_ * count_ * inner_;
  if (!check_indices(axis_, indices, size) || size == 0) return;
  dispatch_element(element_size_, [&](auto element) {
    using Element = decltype(element);
    run_elements(static_cast<const Element*>(x), indices, static_cast<Element*>(y));
  });
}

template <class Element, class I>
void TakeAlongAxisOp::run_elements(const Element* x, const I* indices, Element* y) const {
  const std::int64_t n = axis_.size, inner = inner_;
  const int threads = threads_for(static_cast<double>(outer_ * count_ * inner_) * kElementCost);
  if (inner == 1) {
    const std::int64_t pieces = chunk_count(count_, kChunk);
    const std::int64_t together = std::max<std::int64_t>(1, kChunk / count_);
    for_each_chunk(outer_ * pieces, together, threads, [&](std::int64_t first, std::int64_t tasks) {
      for (std::int64_t task = first; task < first + tasks; ++task) {
        const std::int64_t o = task / pieces, begin = task % pieces * kChunk;
        const std::int64_t end = std::min(count_, begin + kChunk);
        const Element* const from = x + o * n;
        for (std::int64_t j = o * count_ + begin; j < o * count_ + end; ++j)
          y[j] = from[place_of(indices[j], n)];
      }
    });
    return;
  }
  const std::int64_t together = std::max<std::int64_t>(1, kChunk / inner);
  for_each_chunk(outer_ * count_, together, threads, [&](std::int64_t first, std::int64_t rows) {
    for (std::int64_t r = first; r < first + rows; ++r) {
      const Element* const from = x + r / count_ * n * inner;
      for (std::int64_t i = 0; i < inner; ++i)
        y[r * inner + i] = from[place_of(indices[r * inner + i], n) * inner + i];
    }
  });
}

template void TakeOp::run(const void*, const std::int32_t*, void*) const;
template void TakeOp::run(const void*, const std::int64_t*, void*) const;
template void TakeAlongAxisOp::run(const void*, const std::int32_t*, void*) const;
template void TakeAlongAxisOp::run(const void*, const std::int64_t*, void*) const;

}  // namespace dlnative
