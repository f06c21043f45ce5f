#include "ops/shape.h"

#include <algorithm>
#include <cstring>

#include "core/checks.h"
#include "ops/elements.h"

namespace dlnative {

namespace {

constexpr double kTransposeCost = 0.5;  // nanoseconds per element
constexpr std::int64_t kTileRows = 512;
constexpr std::int64_t kTileColumns = 8;

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
  if (rows_ == 1) {
    for_each_chunk(row_bytes_, kChunkBytes, threads_, [&](std::int64_t begin, std::int64_t size) {
      std::memcpy(target + begin, source + begin, static_cast<std::size_t>(size));
    });
    return;
  }
  const std::int64_t chunk_rows = std::max<std::int64_t>(1, kChunkBytes / row_bytes_);
  for_each_chunk(rows_, chunk_rows, threads_, [&](std::int64_t begin, std::int64_t count) {
    for (std::int64_t r = begin; r < begin + count; ++r) {
      std::memcpy(target + r * stride_to_, source + r * stride_from_,
                  static_cast<std::size_t>(row_bytes_));
    }
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
  dispatch_element(element_size_, [&](auto element) {
    using Element = decltype(element);
    run_tiles(static_cast<const Element*>(x), static_cast<Element*>(y));
  });
}

// The last axis of y is that of x: whole rows are copied.
void TransposeOp::run_rows(const char* x, char* y) const {
  const std::int64_t bytes = column_.size * element_size_;
  const std::int64_t chunk =
      std::max<std::int64_t>(1, kChunkBytes / std::max<std::int64_t>(bytes, 1));
  for_each_chunk(nest_.size(), chunk, threads_, [&](std::int64_t first, std::int64_t count) {
    nest_.for_each(first, count, [&](std::int64_t, LoopNest::Offsets at) {
      std::memcpy(y + at.b * element_size_, x + at.a * element_size_,
                  static_cast<std::size_t>(bytes));
    });
  });
}

// A tile is kTileColumns wide and up to kTileRows long: it reads that many streams of x and writes
// short pieces into as many rows of y as the L1 cache keeps until their neighbours follow. With
// square tiles of 16 the streams of x meet in few sets of the cache and take two to four times as
// long (docs/performance.md, "Streams from memory").
template <class Element>
void TransposeOp::run_tiles(const Element* x, Element* y) const {
  const std::int64_t across = chunk_count(column_.size, kTileColumns);
  const std::int64_t tiles = across * chunk_count(row_.size, kTileRows);
  const std::int64_t tile_rows = std::clamp<std::int64_t>(row_.size, 1, kTileRows);
  const std::int64_t chunk = kChunk / (kTileColumns * tile_rows);
  for_each_chunk(
      nest_.size() * tiles, chunk, threads_, [&](std::int64_t first, std::int64_t count) {
        for (std::int64_t i = first; i < first + count; ++i) {
          const std::int64_t column = i % tiles % across * kTileColumns;
          const std::int64_t row = i % tiles / across * kTileRows;
          nest_.for_each(i / tiles, 1, [&](std::int64_t, LoopNest::Offsets at) {
            run_tile(x + at.a + row + column * column_.steps.a,
                     y + at.b + row * row_.steps.b + column, std::min(kTileRows, row_.size - row),
                     std::min(kTileColumns, column_.size - column));
          });
        }
      });
}

template <class Element>
void TransposeOp::run_tile(const Element* x, Element* y, std::int64_t rows,
                           std::int64_t columns) const {
  const std::int64_t step_x = column_.steps.a, step_y = row_.steps.b;
  if (columns == kTileColumns) {
    for (std::int64_t r = 0; r < rows; ++r, ++x, y += step_y) {
      for (std::int64_t c = 0; c < kTileColumns; ++c) y[c] = x[c * step_x];
    }
  } else {
    for (std::int64_t r = 0; r < rows; ++r, ++x, y += step_y) {
      for (std::int64_t c = 0; c < columns; ++c) y[c] = x[c * step_x];
    }
  }
}

BroadcastToOp::BroadcastToOp(const std::vector<std::int64_t>& x,
                             const std::vector<std::int64_t>& shape, std::int64_t element_size)
    : loops_({x}, shape),
      element_size_(element_size),
      threads_(threads_for(static_cast<double>(loops_.rows() * loops_.row_size() * element_size) *
                           kByteCost)) {}

template <class Element>
void BroadcastToOp::run_elements(const Element* x, Element* y) const {
  const std::int64_t n = loops_.row_size();
  const std::int64_t chunk = std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(n, 1));
  for_each_chunk(loops_.rows(), chunk, threads_, [&](std::int64_t first, std::int64_t count) {
    loops_.for_each_row(first, count, [&](std::int64_t row, LoopNest::Offsets at) {
      if (loops_.row_steps().a != 0) {
        std::copy_n(x + at.a, n, y + row * n);
      } else {
        std::fill_n(y + row * n, n, x[at.a]);
      }
    });
  });
}

void BroadcastToOp::run(const void* x, void* y) const {
  dispatch_element(element_size_, [&](auto element) {
    using Element = decltype(element);
    run_elements(static_cast<const Element*>(x), static_cast<Element*>(y));
  });
}

}  // namespace dlnative
