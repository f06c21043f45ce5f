#include "ops/sort.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "core/checks.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

constexpr double kComparisonTime = 3.0;  // nanoseconds

template <class T>
using Key = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;

// An unsigned integer of the same order as x.
template <class T>
Key<T> key_of(T x) {
  if constexpr (std::is_unsigned_v<T>) {
    return x;
  } else {
    constexpr Key<T> kSign = Key<T>{1} << (8 * sizeof(T) - 1);
    Key<T> bits;
    std::memcpy(&bits, &x, sizeof bits);
    if constexpr (std::is_floating_point_v<T>) {
      constexpr Key<T> kInfinity =
          sizeof(T) == 8 ? Key<T>{0x7FF} << (sizeof(T) == 8 ? 52 : 0) : Key<T>{0x7F800000};
      const Key<T> magnitude = bits & ~kSign;
      if (magnitude > kInfinity) return ~Key<T>{0};
      if (magnitude == 0) return kSign;
      return (bits & kSign) != 0 ? ~bits : bits | kSign;
    } else {
      return bits ^ kSign;
    }
  }
}

// A key with the index behind it, so that no two are equal and any sort is stable.
struct LongItem {
  std::uint64_t key;
  std::int64_t index;
  bool operator<(const LongItem& other) const {
    return key != other.key ? key < other.key : index < other.index;
  }
};

template <class T>
using Item = std::conditional_t<sizeof(T) == 8, LongItem, std::uint64_t>;

template <class T>
Item<T> make_item(Key<T> key, std::int64_t index) {
  if constexpr (sizeof(T) == 8) {
    return {key, index};
  } else {
    return static_cast<std::uint64_t>(key) << 32 | static_cast<std::uint64_t>(index);
  }
}

std::int32_t index_of(const LongItem& item) {
  return static_cast<std::int32_t>(item.index);
}
std::int32_t index_of(std::uint64_t item) {
  return static_cast<std::int32_t>(item & 0xFFFFFFFFU);
}

}  // namespace

template <class T>
ArgsortOp<T>::ArgsortOp(const std::string& name, bool descending, std::int64_t outer,
                        std::int64_t n, std::int64_t inner, int threads)
    : descending_(descending), outer_(outer), n_(n), inner_(inner) {
  check(n <= INT32_MAX, name, ": expected an axis of fewer than 2^31 elements, received ", n);
  if (outer * n * inner == 0) return;
  const auto elements = static_cast<double>(outer * n * inner);
  threads_ = std::min(
      threads, threads_for(elements * std::log2(static_cast<double>(n + 1)) * kComparisonTime));
  lines_ = std::max<std::int64_t>(1, kChunk / (8 * n));
  const std::int64_t tasks = chunk_count(outer * inner, lines_);
  threads_ = static_cast<int>(std::min<std::int64_t>(threads_, tasks));
}

template <class T>
std::size_t ArgsortOp<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  scratch_ = pieces.take<Item<T>>(threads_ * n_);
  return pieces.bytes();
}

template <class T>
void ArgsortOp<T>::run(const T* x, std::int32_t* y) const {
  if (outer_ * n_ * inner_ == 0) return;
  const Key<T> flip = descending_ ? ~Key<T>{0} : Key<T>{0};
  const std::int64_t count = outer_ * inner_;
  parallel_for(chunk_count(count, lines_), threads_, [&](std::int64_t task, int thread) {
    Item<T>* const items = static_cast<Item<T>*>(scratch_) + thread * n_;
    const std::int64_t end = std::min(count, (task + 1) * lines_);
    for (std::int64_t line = task * lines_; line < end; ++line) {
      const std::int64_t at = line / inner_ * n_ * inner_ + line % inner_;
      for (std::int64_t j = 0; j < n_; ++j)
        items[j] = make_item<T>(key_of(x[at + j * inner_]) ^ flip, j);
      std::sort(items, items + n_);
      for (std::int64_t j = 0; j < n_; ++j) y[at + j * inner_] = index_of(items[j]);
    }
  });
}

template <class T>
SearchsortedOp<T>::SearchsortedOp(const std::string& name, bool right, std::int64_t n,
                                  std::int64_t count)
    : right_(right), n_(n), count_(count) {
  check(n <= INT32_MAX, name, ": expected fewer than 2^31 sorted elements, received ", n);
}

template <class T>
void SearchsortedOp<T>::run(const T* sorted, const T* values, std::int32_t* y) const {
  right_ ? search<true>(sorted, values, y) : search<false>(sorted, values, y);
}

// The range is halved without branches on values, which would be guessed wrong half the time.
template <class T>
template <bool kRight>
void SearchsortedOp<T>::search(const T* sorted, const T* values, std::int32_t* y) const {
  const double comparisons = std::log2(static_cast<double>(n_ + 1));
  const int threads = threads_for(static_cast<double>(count_) * comparisons * kComparisonTime);
  for_each_chunk(count_, kChunk / 8, threads, [&](std::int64_t begin, std::int64_t size) {
    for (std::int64_t i = begin; i < begin + size; ++i) {
      const Key<T> key = key_of(values[i]);
      const auto is_before = [key](T element) {
        return kRight ? key_of(element) <= key : key_of(element) < key;
      };
      const T* base = sorted;
      std::int64_t n = n_;
      for (; n > 1; n -= n / 2) base += is_before(base[n / 2 - 1]) ? n / 2 : 0;
      const std::int64_t last = n == 1 && is_before(*base) ? 1 : 0;
      y[i] = static_cast<std::int32_t>(base - sorted + last);
    }
  });
}

#define DLNATIVE_SORT(T)       \
  template class ArgsortOp<T>; \
  template class SearchsortedOp<T>;

DLNATIVE_SORT(float)
DLNATIVE_SORT(double)
DLNATIVE_SORT(std::int32_t)
DLNATIVE_SORT(std::int64_t)
DLNATIVE_SORT(std::uint8_t)

}  // namespace dlnative
