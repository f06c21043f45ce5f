#include "ops/shape.h"

#include <algorithm>
#include <cstring>

#include "core/checks.h"
#include "dispatch/dispatch.h"
#include "kernels/move_kernels.h"
#include "ops/elements.h"
#include "ops/spread.h"

namespace dlnative {

namespace {

constexpr double kTransposeCost = 0.5;  // nanoseconds per element
constexpr std::int64_t kTileRows = 256;
constexpr std::int64_t kShortRow = 32;    // elements of rows that are broadcast together
constexpr std::int64_t kPiece = 4096;     // bytes
constexpr std::int64_t kTileSize = 8192;  // elements, at least where there are so many

// Bytes from the begin of a line of the caches.
std::int64_t place_in_line(const void* p) {
  return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(p) % 64);
}

}  // namespace

CopyRowsOp::CopyRowsOp(std::int64_t rows, std::int64_t row_bytes, std::int64_t stride_to,
                       std::int64_t stride_from)
    : rows_(rows),
      row_bytes_(row_bytes),
      stride_to_(stride_to),
      stride_from_(stride_from),
      threads_(threads_for(static_cast<double>(rows * row_bytes) * kByteCost)) {
  if (row_bytes == stride_to && row_bytes == stride_from) {
    row_bytes_ *= rows_;
    rows_ = 1;
  }
}

void CopyRowsOp::run(const void* from, void* to) const {
  if (row_bytes_ == 0 || (from == to && stride_to_ == stride_from_)) return;
  const char* source = static_cast<const char*>(from);
  char* target = static_cast<char*>(to);
  const bool streamed = row_bytes_ >= kStreamedRow && no_cache_holds(2 * rows_ * row_bytes_);
  if (rows_ == 1) {
    for_each_chunk(row_bytes_, kChunkBytes, threads_, [&](std::int64_t begin, std::int64_t size) {
      copy_row(target + begin, source + begin, size, streamed);
      if (streamed) finish_stream_copies();
    });
    return;
  }
  const std::int64_t chunk_rows = std::max<std::int64_t>(1, kChunkBytes / row_bytes_);
  for_each_chunk(rows_, chunk_rows, threads_, [&](std::int64_t begin, std::int64_t count) {
    for (std::int64_t r = begin; r < begin + count; ++r) {
      copy_row(target + r * stride_to_, source + r * stride_from_, row_bytes_, streamed);
    }
    if (streamed) finish_stream_copies();
  });
}

TransposeOp::TransposeOp(const std::vector<std::int64_t>& shape,
                         const std::vector<std::int64_t>& axes, std::int64_t element_size)
    : element_size_(element_size), threads_(1) {
  const std::size_t rank = shape.size();
  check(axes.size() == rank && rank <= LoopNest::kMaxRank, "transpose: expected ", rank,
        " axes, received ", axes);
  std::vector<std::int64_t> strides(rank, 1);
  for (std::size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  std::vector<bool> seen(rank, false);
  Table<LoopNest::Axis> merged;  // axes of y, neighbours that stay neighbours as one
  for (const std::int64_t axis : axes) {
    const auto i = static_cast<std::size_t>(axis);
    check(axis >= 0 && i < rank && !seen[i], "transpose: expected a permutation of the axes of ",
          shape, ", received ", axes);
    seen[i] = true;
    if (shape[i] == 1) continue;
    if (!merged.empty() && merged.back().steps.a == shape[i] * strides[i]) {
      merged.back().size *= shape[i];
      merged.back().steps.a = strides[i];
    } else {
      merged.push_back({shape[i], {strides[i], 0}});
    }
  }
  std::int64_t size = 1;
  for (std::size_t i = merged.size(); i-- > 0;) {
    merged[i].steps.b = size;
    size *= merged[i].size;
  }
  set_tile_axes(merged);
  const std::int64_t line = std::max<std::int64_t>(8, 64 / element_size);
  tile_rows_ = std::clamp<std::int64_t>(row_.size, 1, kTileRows);
  tile_columns_ = line * std::max<std::int64_t>(1, kTileSize / (line * tile_rows_));
  streamed_ = no_cache_holds(2 * size * element_size);
  nest_ = LoopNest(std::move(merged));
  threads_ = threads_for(static_cast<double>(size) * kTransposeCost);
}

void TransposeOp::set_tile_axes(Table<LoopNest::Axis>& axes) {
  if (axes.empty()) return;
  column_ = axes.back();
  axes.pop_back();
  if (column_.steps.a == 1) return;
  const auto unit = std::find_if(axes.begin(), axes.end(),
                                 [](const LoopNest::Axis& axis) { return axis.steps.a == 1; });
  if (unit == axes.end()) return;  // only where the array is empty
  row_ = *unit;
  axes.erase(unit);
}

void TransposeOp::run(const void* x, void* y) const {
  if (column_.steps.a == 1) {
    run_rows(static_cast<const char*>(x), static_cast<char*>(y));
    return;
  }
  if (element_size_ == 4) return run_vectors(static_cast<const float*>(x), static_cast<float*>(y));
  if (element_size_ == 8)
    return run_vectors(static_cast<const double*>(x), static_cast<double*>(y));
  if (element_size_ == 2)
    return run_elements(static_cast<const std::uint16_t*>(x), static_cast<std::uint16_t*>(y));
  run_elements(static_cast<const std::uint8_t*>(x), static_cast<std::uint8_t*>(y));
}

// The last axis of y is that of x: whole rows are copied.
void TransposeOp::run_rows(const char* x, char* y) const {
  const std::int64_t bytes = column_.size * element_size_;
  const bool streamed = streamed_ && bytes >= kStreamedRow;
  const std::int64_t chunk =
      std::max<std::int64_t>(1, kChunkBytes / std::max<std::int64_t>(bytes, 1));
  for_each_chunk(nest_.size(), chunk, threads_, [&](std::int64_t first, std::int64_t count) {
    nest_.for_each(first, count, [&](std::int64_t, LoopNest::Offsets at) {
      copy_row(y + at.b * element_size_, x + at.a * element_size_, bytes, streamed);
    });
    if (streamed) finish_stream_copies();
  });
}

// A tile reads some streams of x and writes whole lines of y, wherever that begins: few enough of
// both for the table of pages, and side by side in y (docs/performance.md, "Streams from memory").
template <class F>
void TransposeOp::for_each_tile(const void* y, F&& f) const {
  const std::int64_t beyond = place_in_line(y) / element_size_;
  const std::int64_t across = chunk_count(column_.size + beyond, tile_columns_);
  const std::int64_t tiles = across * chunk_count(row_.size, tile_rows_);
  const std::int64_t chunk = std::max<std::int64_t>(1, kChunk / (tile_columns_ * tile_rows_));
  const auto run_tile = [&](std::int64_t nest, std::int64_t tile) {
    const std::int64_t begin = tile % across * tile_columns_ - beyond;
    const std::int64_t column = std::max<std::int64_t>(0, begin);
    const std::int64_t columns = std::min(begin + tile_columns_, column_.size) - column;
    const std::int64_t row = tile / across * tile_rows_;
    nest_.for_each(nest, 1, [&](std::int64_t, LoopNest::Offsets at) {
      f(at.a + row + column * column_.steps.a, at.b + row * row_.steps.b + column,
        std::min(tile_rows_, row_.size - row), columns);
    });
  };
  for_each_chunk(nest_.size() * tiles, chunk, threads_,
                 [&](std::int64_t first, std::int64_t count) {
                   for (std::int64_t i = first; i < first + count; ++i)
                     run_tile(i / tiles, i % tiles);
                 });
}

template <class T>
void TransposeOp::run_vectors(const T* x, T* y) const {
  const auto transpose = kernels<T>().move->transpose;
  for_each_tile(
      y, [&](std::int64_t from, std::int64_t to, std::int64_t rows, std::int64_t columns) {
        transpose(x + from, column_.steps.a, y + to, row_.steps.b, rows, columns, streamed_);
      });
}

template <class Element>
void TransposeOp::run_elements(const Element* x, Element* y) const {
  const std::int64_t step_x = column_.steps.a, step_y = row_.steps.b;
  for_each_tile(y,
                [&](std::int64_t from, std::int64_t to, std::int64_t rows, std::int64_t columns) {
                  for (std::int64_t r = 0; r < rows; ++r) {
                    for (std::int64_t c = 0; c < columns; ++c)
                      y[to + r * step_y + c] = x[from + c * step_x + r];
                  }
                });
}

BroadcastToOp::BroadcastToOp(const std::vector<std::int64_t>& x,
                             const std::vector<std::int64_t>& shape, std::int64_t element_size)
    : loops_({x}, shape),
      element_size_(element_size),
      threads_(threads_for(static_cast<double>(loops_.rows() * loops_.row_size() * element_size) *
                           kByteCost)),
      streamed_(no_cache_holds(2 * loops_.rows() * loops_.row_size() * element_size)) {}

void BroadcastToOp::run(const void* x, void* y) const {
  const std::int64_t n = loops_.row_size();
  if (loops_.rows() == 0 || n == 0) return;
  const auto* from = static_cast<const char*>(x);
  auto* to = static_cast<char*>(y);
  const std::int64_t neighbours = loops_.row_axis().size;
  if (loops_.rows() == 1) {
    const std::int64_t step = loops_.row_steps().a * element_size_;
    for_each_chunk(n, kChunk, threads_, [&](std::int64_t begin, std::int64_t size) {
      run_row(from + begin * step, to + begin * element_size_, size);
      if (streamed_) finish_stream_copies();
    });
    return;
  }
  const bool is_short = n <= kShortRow && n * neighbours >= 2 * kShortRow;
  for_each_chunk(loops_.rows(), std::max<std::int64_t>(1, kChunk / n), threads_,
                 [&](std::int64_t first, std::int64_t count) {
                   is_short ? run_short_rows(from, to, first, count)
                            : run_rows(from, to, first, count);
                   if (streamed_) finish_stream_copies();
                 });
}

void BroadcastToOp::run_row(const char* from, char* to, std::int64_t n) const {
  const std::int64_t bytes = n * element_size_;
  const bool streamed = streamed_ && bytes >= kStreamedRow;
  if (loops_.row_steps().a != 0) return copy_row(to, from, bytes, streamed);
  dispatch_element(element_size_, [&](auto element) {
    using Element = decltype(element);
    std::memcpy(&element, from, sizeof(element));
    if (!streamed) {
      std::fill_n(reinterpret_cast<Element*>(to), n, element);
      return;
    }
    alignas(64) char piece[kPiece];
    const std::int64_t length = std::min(bytes, kPiece);
    std::fill_n(reinterpret_cast<Element*>(piece), length / element_size_, element);
    for (std::int64_t i = 0; i < bytes; i += length)
      stream_copy(to + i, piece, std::min(length, bytes - i));
  });
}

void BroadcastToOp::run_rows(const char* from, char* to, std::int64_t first,
                             std::int64_t count) const {
  const std::int64_t n = loops_.row_size();
  loops_.for_each_row(first, count, [&](std::int64_t row, LoopNest::Offsets at) {
    run_row(from + at.a * element_size_, to + row * n * element_size_, n);
  });
}

// As many neighbours as fill a piece are one row.
void BroadcastToOp::run_short_rows(const char* from, char* to, std::int64_t first,
                                   std::int64_t count) const {
  const std::int64_t n = loops_.row_size(), bytes = n * element_size_;
  const LoopNest::Axis axis = loops_.row_axis();
  alignas(64) char piece[kPiece];
  const char* tiled = nullptr;
  std::int64_t tiled_bytes = 0, rows = 0;
  for (std::int64_t r = first; r < first + count; r += rows) {
    rows = std::min({kPiece / bytes, axis.size - r % axis.size, first + count - r});
    loops_.for_each_row(r, 1, [&](std::int64_t, LoopNest::Offsets at) {
      const char* const source = from + at.a * element_size_;
      const bool advances = loops_.row_steps().a != 0;
      if (axis.steps.a != 0 && advances)
        return copy_row(to + r * bytes, source, rows * bytes, streamed_);
      if (axis.steps.a != 0) {
        expand_column(source, element_size_, rows, n, piece);
      } else if (tiled != source || tiled_bytes < rows * bytes) {
        tile_row(source, advances ? bytes : element_size_, piece, rows * bytes);
        tiled = source;
        tiled_bytes = rows * bytes;
      }
      copy_row(to + r * bytes, piece, rows * bytes, streamed_);
    });
  }
}

}  // namespace dlnative
