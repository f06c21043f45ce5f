#include "ops/reduce.h"

#include <cmath>
#include <cstring>

#include "core/checks.h"
#include "dispatch/dispatch.h"

namespace dlnative {

namespace {

// Time of one element in nanoseconds, from memory.
constexpr double kElementTime = 0.25;

// Blocks of wide rows: parts of rows that stay in the L1 cache with their sums, and enough rows
// that writing a block's sums costs little.
constexpr std::int64_t kMaxColumns = 4096;
constexpr std::int64_t kMinRows = 64;

struct Group {
  std::int64_t size;
  bool reduced;
};

// Sizes of x with axes of size 1 left out and neighbours of one kind merged.
std::vector<Group> group_axes(const std::vector<std::int64_t>& shape,
                              const std::vector<bool>& reduced) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    if (!groups.empty() && groups.back().reduced == reduced[i]) {
      groups.back().size *= shape[i];
    } else {
      groups.push_back({shape[i], reduced[i]});
    }
  }
  return groups;
}

}  // namespace

template <class T>
ReduceOp<T>::ReduceOp(Reduction reduction, const std::string& name,
                      const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& axes)
    : kernels_(&kernels<T>()), reduction_(reduction) {
  std::vector<bool> reduced(shape.size(), false);
  for (const std::int64_t axis : axes) {
    check(axis >= 0 && axis < static_cast<std::int64_t>(shape.size()), name,
          ": expected axes in [0, ", shape.size(), "), received ", axis);
    check(!reduced[static_cast<std::size_t>(axis)], name, ": axis ", axis, " is given twice");
    reduced[static_cast<std::size_t>(axis)] = true;
  }
  for (std::size_t i = 0; i < shape.size(); ++i) {
    input_size_ *= shape[i];
    (reduced[i] ? count_ : output_size_) *= shape[i];
  }
  const bool extremum = reduction == Reduction::kMax || reduction == Reduction::kMin;
  check(!extremum || count_ > 0, name, ": an empty axis has no extremum, received shape ", shape);

  std::vector<Group> groups = group_axes(shape, reduced);
  std::int64_t inner = 1;
  for (std::size_t i = groups.size(); i-- > 0;) {
    if (!groups[i].reduced) {
      inner *= groups[i].size;
      continue;
    }
    std::int64_t outer = 1;
    for (std::size_t j = 0; j < i; ++j) outer *= groups[j].size;
    passes_.push_back(plan(outer, groups[i].size, inner));
  }
  for (std::size_t i = 0; i + 1 < passes_.size(); ++i) {
    const auto size = static_cast<std::size_t>(passes_[i].outer * passes_[i].inner);
    between_[i % 2].resize(std::max(between_[i % 2].size(), size));
  }
}

template <class T>
typename ReduceOp<T>::Pass ReduceOp<T>::plan(std::int64_t outer, std::int64_t n,
                                             std::int64_t inner) {
  Pass pass{};
  pass.outer = outer;
  pass.n = n;
  pass.inner = inner;
  pass.columns = std::min(inner, kMaxColumns);
  pass.column_blocks = pass.columns > 0 ? chunk_count(inner, pass.columns) : 0;
  pass.rows = std::max(kMinRows, kChunk / std::max<std::int64_t>(pass.columns, 1));
  if (n <= 2 * pass.rows) pass.rows = std::max<std::int64_t>(n, 1);
  pass.row_blocks = std::max<std::int64_t>(1, chunk_count(n, pass.rows));
  pass.threads = threads_for(static_cast<double>(outer * n * inner) * kElementTime);
  const std::int64_t partials = pass.row_blocks > 1 ? outer * pass.row_blocks * inner : 0;
  partial_.resize(std::max(partial_.size(), static_cast<std::size_t>(partials)));
  return pass;
}

template <class T>
void ReduceOp<T>::run(const T* x, T* y) {
  if (output_size_ == 0) return;
  if (passes_.empty()) {
    std::memcpy(y, x, static_cast<std::size_t>(output_size_) * sizeof(T));
    return;
  }
  for (std::size_t i = 0; i < passes_.size(); ++i) {
    T* to = i + 1 < passes_.size() ? between_[i % 2].data() : y;
    run_pass(passes_[i], x, to);
    x = to;
  }
  if (reduction_ != Reduction::kMean) return;
  const double count = static_cast<double>(count_);
  for (std::int64_t i = 0; i < output_size_; ++i)
    y[i] = static_cast<T>(static_cast<double>(y[i]) / count);
}

template <class T>
void ReduceOp<T>::run_pass(const Pass& pass, const T* x, T* y) {
  const std::int64_t step = pass.n * pass.inner;  // of one outer index
  if (pass.row_blocks == 1 && pass.column_blocks == 1) {
    const std::int64_t rows_per_chunk =
        std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(step, 1));
    for_each_chunk(
        pass.outer, rows_per_chunk, pass.threads, [&](std::int64_t begin, std::int64_t size) {
          for (std::int64_t o = begin; o < begin + size; ++o) {
            reduce_block(x + o * step, pass.inner, pass.n, pass.inner, y + o * pass.inner);
          }
        });
    return;
  }
  T* to = pass.row_blocks > 1 ? partial_.data() : y;
  const std::int64_t tasks = pass.outer * pass.row_blocks * pass.column_blocks;
  parallel_for(tasks, pass.threads, [&](std::int64_t task, int) {
    const std::int64_t column = task % pass.column_blocks * pass.columns;
    const std::int64_t block = task / pass.column_blocks;  // over outer and row blocks
    const std::int64_t row = block % pass.row_blocks * pass.rows;
    const T* from = x + block / pass.row_blocks * step + row * pass.inner + column;
    reduce_block(from, pass.inner, std::min(pass.rows, pass.n - row),
                 std::min(pass.columns, pass.inner - column), to + block * pass.inner + column);
  });
  if (pass.row_blocks == 1) return;
  for (std::int64_t o = 0; o < pass.outer; ++o) {
    reduce_block(partial_.data() + o * pass.row_blocks * pass.inner, pass.inner, pass.row_blocks,
                 pass.inner, y + o * pass.inner);
  }
}

// y[i] = sum or extremum over j of x[j, i]; where ldx is 1, of one contiguous row.
template <class T>
void ReduceOp<T>::reduce_block(const T* x, std::int64_t ldx, std::int64_t rows,
                               std::int64_t columns, T* y) const {
  const bool max = reduction_ == Reduction::kMax;
  if (max || reduction_ == Reduction::kMin) {
    if (ldx == 1) {
      *y = max ? kernels_->reduce->max(x, rows) : kernels_->reduce->min(x, rows);
      return;
    }
    const Binary binary = max ? Binary::kMaximum : Binary::kMinimum;
    const auto combine = kernels_->elementwise->binary[static_cast<int>(binary)];
    std::memcpy(y, x, static_cast<std::size_t>(columns) * sizeof(T));
    for (std::int64_t j = 1; j < rows; ++j) combine(y, x + j * ldx, y, columns);
  } else if (ldx == 1) {
    *y = static_cast<T>(kernels_->reduce->sum(x, rows));
  } else {
    kernels_->reduce->sum_rows(x, ldx, y, rows, columns, false);
  }
}

template <class T>
ArgmaxOp<T>::ArgmaxOp(std::int64_t outer, std::int64_t n, std::int64_t inner)
    : kernels_(kernels<T>().reduce), outer_(outer), n_(n), inner_(inner) {
  check(n > 0, "argmax: expected an axis that is not empty");
  check(n <= INT32_MAX, "argmax: expected an axis of fewer than 2^31 elements, received ", n);
}

template <class T>
void ArgmaxOp<T>::run(const T* x, std::int32_t* y) const {
  const std::int64_t step = n_ * inner_;
  const double time = static_cast<double>(outer_ * step) * (inner_ == 1 ? 0.5 : 2.0);
  const std::int64_t rows_per_chunk =
      std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(step, 1));
  for_each_chunk(outer_, rows_per_chunk, threads_for(time),
                 [&](std::int64_t begin, std::int64_t size) {
                   for (std::int64_t o = begin; o < begin + size; ++o) {
                     const T* row = x + o * step;
                     if (inner_ == 1) {
                       y[o] = static_cast<std::int32_t>(kernels_->argmax(row, n_));
                       continue;
                     }
                     for (std::int64_t i = 0; i < inner_; ++i) {
                       std::int64_t best = 0;
                       for (std::int64_t j = 1;
                            j < n_ && row[best * inner_ + i] == row[best * inner_ + i]; ++j) {
                         const T value = row[j * inner_ + i];
                         if (!(value <= row[best * inner_ + i]))
                           best = j;  // larger, or the first NaN
                       }
                       y[o * inner_ + i] = static_cast<std::int32_t>(best);
                     }
                   }
                 });
}

template <class T>
NormOp<T>::NormOp(const std::vector<Array>& arrays) : kernels_(kernels<T>().reduce) {
  std::int64_t total = 0;
  for (const Array& array : arrays) {
    for (std::int64_t begin = 0; begin < array.size; begin += kChunk) {
      chunks_.push_back({array.data + begin, std::min(kChunk, array.size - begin)});
    }
    total += array.size;
  }
  partial_.resize(chunks_.size());
  threads_ = threads_for(static_cast<double>(total) * kElementTime);
}

template <class T>
double NormOp<T>::run() {
  const auto count = static_cast<std::int64_t>(chunks_.size());
  parallel_for(count, threads_, [&](std::int64_t task, int) {
    const auto i = static_cast<std::size_t>(task);
    partial_[i] = kernels_->sum_of_squares(chunks_[i].data, chunks_[i].size);
  });
  double total = 0.0;
  for (const double part : partial_) total += part;
  return std::sqrt(total);
}

template class ReduceOp<float>;
template class ReduceOp<double>;
template class ArgmaxOp<float>;
template class ArgmaxOp<double>;
template class NormOp<float>;
template class NormOp<double>;

}  // namespace dlnative
