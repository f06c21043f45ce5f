#include "ops/scan.h"

#include <algorithm>
#include <type_traits>

#include "ops/chunks.h"
#include "ops/wrap.h"

namespace dlnative {

namespace {

constexpr double kElementTime = 1.0;  // nanoseconds, of one element after the other

constexpr std::int64_t kPanel = 256;  // columns, whose sums lie on the stack

// A panel of columns from x and y on, the rows of which are `step` apart.
template <bool kProduct, class T>
void scan_columns(const T* x, T* y, std::int64_t step, std::int64_t n, std::int64_t columns) {
  using Sum = std::conditional_t<std::is_same_v<T, float>, double, T>;
  Sum sums[kPanel];
  std::fill_n(sums, columns, static_cast<Sum>(kProduct ? 1 : 0));
  for (std::int64_t j = 0; j < n; ++j, x += step, y += step) {
    for (std::int64_t i = 0; i < columns; ++i) {
      const auto value = static_cast<Sum>(x[i]);
      sums[i] = kProduct ? wrapping_multiply(sums[i], value) : wrapping_add(sums[i], value);
      y[i] = static_cast<T>(sums[i]);
    }
  }
}

// kRows rows of n contiguous values, interleaved: a row by itself waits for its own sum.
template <bool kProduct, int kRows, class T>
void scan_rows(const T* x, T* y, std::int64_t n, bool reverse) {
  using Sum = std::conditional_t<std::is_same_v<T, float>, double, T>;
  Sum sums[kRows];
  std::fill_n(sums, kRows, static_cast<Sum>(kProduct ? 1 : 0));
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t j = reverse ? n - 1 - k : k;
    for (int r = 0; r < kRows; ++r) {
      const auto value = static_cast<Sum>(x[r * n + j]);
      sums[r] = kProduct ? wrapping_multiply(sums[r], value) : wrapping_add(sums[r], value);
      y[r * n + j] = static_cast<T>(sums[r]);
    }
  }
}

}  // namespace

template <class T>
void ScanOp<T>::run(const T* x, T* y) const {
  if (outer_ * n_ * inner_ == 0) return;
  if (inner_ == 1) return product_ ? run_rows<true>(x, y) : run_rows<false>(x, y);
  product_ ? run_columns<true>(x, y) : run_columns<false>(x, y);
}

template <class T>
template <bool kProduct>
void ScanOp<T>::run_rows(const T* x, T* y) const {
  constexpr int kRows = 8;
  const std::int64_t together = round_up(std::max<std::int64_t>(1, kChunk / n_), kRows);
  const int threads = threads_for(static_cast<double>(outer_ * n_) * kElementTime);
  for_each_chunk(outer_, together, threads, [&](std::int64_t first, std::int64_t rows) {
    std::int64_t r = first;
    for (; r + kRows <= first + rows; r += kRows)
      scan_rows<kProduct, kRows>(x + r * n_, y + r * n_, n_, reverse_);
    for (; r < first + rows; ++r) scan_rows<kProduct, 1>(x + r * n_, y + r * n_, n_, reverse_);
  });
}

template <class T>
template <bool kProduct>
void ScanOp<T>::run_columns(const T* x, T* y) const {
  const std::int64_t columns = std::min(inner_, kPanel), panels = chunk_count(inner_, columns);
  const std::int64_t together = std::max<std::int64_t>(1, kChunk / (n_ * columns));
  const std::int64_t first_row = reverse_ ? (n_ - 1) * inner_ : 0;
  const std::int64_t step = reverse_ ? -inner_ : inner_;
  const int threads = threads_for(static_cast<double>(outer_ * n_ * inner_) * kElementTime);
  for_each_chunk(outer_ * panels, together, threads, [&](std::int64_t first, std::int64_t tasks) {
    for (std::int64_t task = first; task < first + tasks; ++task) {
      const std::int64_t begin = task % panels * columns;
      const std::int64_t at = task / panels * n_ * inner_ + first_row + begin;
      scan_columns<kProduct>(x + at, y + at, step, n_, std::min(columns, inner_ - begin));
    }
  });
}

template class ScanOp<float>;
template class ScanOp<double>;
template class ScanOp<std::int32_t>;
template class ScanOp<std::int64_t>;

}  // namespace dlnative
