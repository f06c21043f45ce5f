#include "ops/arg_extremum.h"

#include <algorithm>
#include <type_traits>

#include "core/checks.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

constexpr std::int64_t kPanel = 256;  // columns, whose extrema lie on the stack

// Whether `value` takes the place of `best`, which was met before it.
template <bool kMax, class T>
bool is_better(T value, T best) {
  if constexpr (std::is_floating_point_v<T>) {
    const bool worse = kMax ? value <= best : value >= best;
    return !worse & (best == best);
  } else {
    return kMax ? value > best : value < best;
  }
}

// The first of n elements that equals `value`, or is NaN as `value` is: there is one. Blocks of
// which none does are passed over without looking at each.
template <class T>
std::int64_t find_first(const T* x, std::int64_t n, T value) {
  constexpr std::int64_t kBlock = 64;
  const bool is_nan = value != value;
  std::int64_t begin = 0;
  for (; begin + kBlock <= n; begin += kBlock) {
    int found = 0;
    for (std::int64_t j = begin; j < begin + kBlock; ++j)
      found |= is_nan ? x[j] != x[j] : x[j] == value;
    if (found != 0) break;
  }
  std::int64_t j = begin;
  while (j + 1 < n && !(is_nan ? x[j] != x[j] : x[j] == value)) ++j;
  return j;
}

// The first extremum of n > 0 contiguous elements.
template <bool kMax, class T>
std::int64_t find_extremum(const T* x, std::int64_t n) {
  if constexpr (std::is_floating_point_v<T>) {
    const ReduceKernels<T>& reduce = *kernels<T>().reduce;
    return kMax ? reduce.argmax(x, n) : find_first(x, n, reduce.min(x, n));
  } else {
    T best = x[0];
    for (std::int64_t j = 1; j < n; ++j) best = is_better<kMax>(x[j], best) ? x[j] : best;
    return find_first(x, n, best);
  }
}

// y[i] = index j of the first extremum of x[j * ldx + i] for `columns` <= kPanel columns.
template <bool kMax, class T>
void find_in_columns(const T* x, std::int64_t ldx, std::int64_t n, std::int64_t columns,
                     std::int32_t* __restrict y) {
  T best[kPanel];
  std::copy_n(x, columns, best);
  std::fill_n(y, columns, 0);
  for (std::int64_t j = 1; j < n; ++j) {
    const T* const row = x + j * ldx;
    for (std::int64_t i = 0; i < columns; ++i) {
      const bool better = is_better<kMax>(row[i], best[i]);
      best[i] = better ? row[i] : best[i];
      y[i] = better ? static_cast<std::int32_t>(j) : y[i];
    }
  }
}

}  // namespace

template <class T>
ArgExtremumOp<T>::ArgExtremumOp(const std::string& name, bool max, std::int64_t outer,
                                std::int64_t n, std::int64_t inner)
    : max_(max), outer_(outer), n_(n), inner_(inner) {
  check(n > 0, name, ": expected an axis that is not empty");
  check(n <= INT32_MAX, name, ": expected an axis of fewer than 2^31 elements, received ", n);
}

template <class T>
void ArgExtremumOp<T>::run(const T* x, std::int32_t* y) const {
  if (inner_ == 0) return;
  max_ ? run_columns<true>(x, y) : run_columns<false>(x, y);
}

template <class T>
template <bool kMax>
void ArgExtremumOp<T>::run_columns(const T* x, std::int32_t* y) const {
  const std::int64_t columns = std::min(inner_, kPanel), panels = chunk_count(inner_, columns);
  const std::int64_t step = n_ * inner_;
  const std::int64_t together = std::max<std::int64_t>(1, kChunk / (n_ * columns));
  const int threads = threads_for(static_cast<double>(outer_ * step) * 0.5);
  for_each_chunk(outer_ * panels, together, threads, [&](std::int64_t first, std::int64_t tasks) {
    for (std::int64_t task = first; task < first + tasks; ++task) {
      const std::int64_t o = task / panels, begin = task % panels * columns;
      const T* const from = x + o * step + begin;
      std::int32_t* const to = y + o * inner_ + begin;
      if (inner_ == 1) {
        *to = static_cast<std::int32_t>(find_extremum<kMax>(from, n_));
      } else {
        find_in_columns<kMax>(from, inner_, n_, std::min(columns, inner_ - begin), to);
      }
    }
  });
}

template class ArgExtremumOp<float>;
template class ArgExtremumOp<double>;
template class ArgExtremumOp<std::int32_t>;
template class ArgExtremumOp<std::int64_t>;
template class ArgExtremumOp<std::uint8_t>;

}  // namespace dlnative
