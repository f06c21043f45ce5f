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

}  // namespace

template <class T>
void ScanOp<T>::run(const T* x, T* y) const {
  if (outer_ * n_ * inner_ == 0) return;
  product_ ? run_columns<true>(x, y) : run_columns<false>(x, y);
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
