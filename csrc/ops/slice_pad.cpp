#include "ops/slice_pad.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/checks.h"
#include "ops/elements.h"

namespace dlnative {

namespace {

constexpr double kStridedCost = 0.4;  // nanoseconds per element

// Blocks of at least so many elements that are not padded themselves are rows of their own.
constexpr std::int64_t kLongUnit = 1024;

// y[i] = x[i * step]
template <class Element>
void copy_strided(const Element* x, std::int64_t step, Element* y, std::int64_t n, bool streamed) {
  if (step == 1) {
    copy_row(reinterpret_cast<char*>(y), reinterpret_cast<const char*>(x),
             n * static_cast<std::int64_t>(sizeof(Element)), streamed);
  } else if (step == -1) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = x[-i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = x[i * step];
  }
}

}  // namespace

StridedSliceOp::StridedSliceOp(const Sizes& shape, const Sizes& starts, const Sizes& sizes,
                               const Sizes& steps, std::int64_t element_size)
    : element_size_(element_size) {
  const std::size_t rank = shape.size();
  check(starts.size() == rank && sizes.size() == rank && steps.size() == rank &&
            rank <= LoopNest::kMaxRank,
        "strided_slice: expected starts, sizes and steps of ", rank, " axes, received ", starts,
        ", ", sizes, " and ", steps);
  Table<LoopNest::Axis> axes;
  std::int64_t size = 1;
  for (const std::int64_t n : sizes) size *= n;
  std::int64_t stride = 1, stride_y = 1;
  for (std::size_t i = rank; i-- > 0; stride *= shape[i]) {
    const std::int64_t n = sizes[i], step = steps[i];
    check(n >= 0 && n <= shape[i] && step != 0, "strided_slice: cannot take ", sizes,
          " elements with steps ", steps, " from shape ", shape);
    if (n == 0) continue;
    const bool is_near = n == 1 || (step <= shape[i] && step >= -shape[i]);
    const std::int64_t first = starts[i], last = n > 1 && is_near ? first + (n - 1) * step : first;
    check(is_near && first >= 0 && first < shape[i] && last >= 0 && last < shape[i],
          "strided_slice: ", sizes, " elements from ", starts, " with steps ", steps,
          " lie outside of shape ", shape);
    start_ += first * stride;
    if (n == 1) continue;
    // Neighbours whose elements follow each other in x are one axis.
    if (!axes.empty() && axes.back().size * axes.back().steps.a == step * stride) {
      axes.back().size *= n;
    } else {
      axes.push_back({n, {step * stride, stride_y}});
    }
    stride_y *= n;
  }
  if (size == 0) {
    row_.size = 0;
    return;
  }
  if (!axes.empty()) {
    row_ = axes.front();
    axes.erase(axes.begin());
    std::reverse(axes.begin(), axes.end());
  }
  nest_ = LoopNest(std::move(axes));
  threads_ = threads_for(
      static_cast<double>(size) *
      (row_.steps.a == 1 ? kByteCost * static_cast<double>(element_size) : kStridedCost));
}

template <class Element>
void StridedSliceOp::run_elements(const Element* x, Element* y) const {
  const std::int64_t n = row_.size, step = row_.steps.a, size = sizeof(Element);
  const bool streamed =
      step == 1 && n * size >= kStreamedRow && no_cache_holds(2 * nest_.size() * n * size);
  x += start_;
  if (n <= kChunk) {
    const std::int64_t rows = kChunk / n;
    for_each_chunk(nest_.size(), rows, threads_, [&](std::int64_t first, std::int64_t count) {
      nest_.for_each(first, count, [&](std::int64_t, LoopNest::Offsets at) {
        copy_strided(x + at.a, step, y + at.b, n, streamed);
      });
      if (streamed) finish_stream_copies();
    });
    return;
  }
  const std::int64_t pieces = chunk_count(n, kChunk);
  parallel_for(nest_.size() * pieces, threads_, [&](std::int64_t task, int) {
    const std::int64_t begin = task % pieces * kChunk;
    nest_.for_each(task / pieces, 1, [&](std::int64_t, LoopNest::Offsets at) {
      copy_strided(x + at.a + begin * step, step, y + at.b + begin, std::min(kChunk, n - begin),
                   streamed);
    });
    if (streamed) finish_stream_copies();
  });
}

void StridedSliceOp::run(const void* x, void* y) const {
  if (row_.size == 0) return;
  dispatch_element(element_size_, [&](auto element) {
    using Element = decltype(element);
    run_elements(static_cast<const Element*>(x), static_cast<Element*>(y));
  });
}

PadOp::PadOp(const Sizes& shape, const Sizes& low, const Sizes& high, const Sizes& interior,
             const Sizes& padded, const void* value, std::int64_t element_size)
    : element_size_(element_size) {
  const std::size_t rank = shape.size();
  check(
      low.size() == rank && high.size() == rank && interior.size() == rank && padded.size() == rank,
      "pad: expected low, high and interior of ", rank, " axes, received ", low, ", ", high,
      " and ", interior);
  std::memcpy(&value_, value, static_cast<std::size_t>(element_size));
  Table<Axis> axes;  // the last one first
  std::int64_t stride = 1, total = 1;
  for (std::size_t i = rank; i-- > 0;) {
    const std::int64_t n = shape[i], size = padded[i];
    const std::int64_t between = n > 1 ? interior[i] : 0;
    check(low[i] >= 0 && high[i] >= 0 && interior[i] >= 0 && low[i] <= size && high[i] <= size &&
              between <= size &&
              low[i] + n + std::max<std::int64_t>(n - 1, 0) * between + high[i] == size,
          "pad: ", low, " before, ", high, " after and ", interior, " between do not make ", padded,
          " of ", shape);
    total *= size;
    const Axis axis{n, size, low[i], between + 1, stride};
    stride *= n;
    if (axis.is_plain() && n == 1) continue;
    if (!axes.empty() && axes.back().is_plain() && axis.is_plain()) {
      axes.back().size *= n;
      axes.back().padded *= n;
    } else {
      axes.push_back(axis);
    }
  }
  set_row(axes);
  outer_ = std::move(axes);
  if (total == 0) rows_ = 0;
  threads_ = threads_for(static_cast<double>(total * element_size) * kByteCost);
}

// The last axis is a row; with the one before where it is short and that one is padded.
void PadOp::set_row(Table<Axis>& axes) {
  if (!axes.empty()) {
    std::size_t count = 1;
    row_ = axes[0];
    if (row_.is_plain() && row_.size < kLongUnit && axes.size() > 1) {
      unit_ = row_.size;
      row_ = axes[1];
      count = 2;
    }
    axes.erase(axes.begin(), axes.begin() + static_cast<std::ptrdiff_t>(count));
  }
  for (const Axis& axis : axes) rows_ *= axis.padded;
}

std::int64_t PadOp::source_of(std::int64_t r) const {
  std::int64_t at = 0;
  for (std::size_t k = 0; k < outer_.size(); ++k) {
    const Axis& axis = outer_[k];
    std::int64_t i = r;
    if (k + 1 < outer_.size()) {
      i = r % axis.padded;
      r /= axis.padded;
    }
    i -= axis.low;
    if (i < 0) return -1;
    if (axis.step != 1) {
      if (i % axis.step != 0) return -1;
      i /= axis.step;
    }
    if (i >= axis.size) return -1;
    at += i * axis.stride;
  }
  return at;
}

// Indices begin to end of a row of y, which begins at y; x is its row, or null.
template <class Element>
void PadOp::run_piece(const Element* x, Element* y, Element value, std::int64_t begin,
                      std::int64_t end) const {
  const auto fill = [&](std::int64_t from, std::int64_t to) {
    if (from < to) std::fill(y + from * unit_, y + to * unit_, value);
  };
  if (x == nullptr || row_.size == 0) return fill(begin, end);
  const std::int64_t low = row_.low, step = row_.step;
  const std::int64_t high = low + (row_.size - 1) * step + 1;  // after the last element of x
  fill(begin, std::min(end, low));
  const std::int64_t from = std::max(begin, low), to = std::min(end, high);
  if (step == 1) {
    if (from < to) {
      std::memcpy(y + from * unit_, x + (from - low) * unit_,
                  static_cast<std::size_t>((to - from) * unit_) * sizeof(Element));
    }
  } else {
    fill(from, to);
    for (std::int64_t i = ceil_div(from - low, step); low + i * step < to; ++i) {
      Element* const target = y + (low + i * step) * unit_;
      for (std::int64_t j = 0; j < unit_; ++j) target[j] = x[i * unit_ + j];
    }
  }
  fill(std::max(begin, high), end);
}

template <class Element>
void PadOp::run_elements(const Element* x, Element* y, Element value) const {
  const std::int64_t size = row_.padded;
  const auto source = [&](std::int64_t r) {
    const std::int64_t at = source_of(r);
    return at < 0 ? nullptr : x + at;
  };
  const std::int64_t piece = std::max<std::int64_t>(1, kChunk / unit_);
  if (size <= piece) {
    const std::int64_t rows = std::max<std::int64_t>(1, kChunk / (size * unit_));
    for_each_chunk(rows_, rows, threads_, [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t r = first; r < first + count; ++r)
        run_piece(source(r), y + r * size * unit_, value, 0, size);
    });
    return;
  }
  const std::int64_t pieces = chunk_count(size, piece);
  parallel_for(rows_ * pieces, threads_, [&](std::int64_t task, int) {
    const std::int64_t r = task / pieces, begin = task % pieces * piece;
    run_piece(source(r), y + r * size * unit_, value, begin, std::min(size, begin + piece));
  });
}

void PadOp::run(const void* x, void* y) const {
  if (rows_ == 0) return;
  dispatch_element(element_size_, [&](auto element) {
    using Element = decltype(element);
    Element value;
    std::memcpy(&value, &value_, sizeof value);
    run_elements(static_cast<const Element*>(x), static_cast<Element*>(y), value);
  });
}

}  // namespace dlnative
