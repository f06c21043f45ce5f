#include "ops/scatter.h"

#include <utility>

#include "ops/shape.h"
#include "ops/wrap.h"

namespace dlnative {

namespace {

// Nanoseconds of an update.
constexpr double kRowTime = 0.4;      // of one element in a row
constexpr double kElementTime = 1.5;  // of one element anywhere

// From here on rows are cut into columns; shorter ones are dealt out whole, and those of few
// elements take less time than looking for one's own.
constexpr std::int64_t kWideRow = 128;
constexpr std::int64_t kNarrowRow = 16;
constexpr std::int64_t kColumns = 64;  // at least, of a task

struct Add {
  template <class T>
  static T of(T y, T update) {
    return wrapping_add(y, update);
  }
};
struct Multiply {
  template <class T>
  static T of(T y, T update) {
    return wrapping_multiply(y, update);
  }
};
struct Set {
  template <class T>
  static T of(T, T update) {
    return update;
  }
};
struct Max {
  template <class T>
  static T of(T y, T update) {
    return y >= update || y != y ? y : update;
  }
};
struct Min {
  template <class T>
  static T of(T y, T update) {
    return y <= update || y != y ? y : update;
  }
};

template <class F>
void dispatch_mode(ScatterMode mode, F&& f) {
  switch (mode) {
    case ScatterMode::kAdd:
      return f(Add{});
    case ScatterMode::kSet:
      return f(Set{});
    case ScatterMode::kMax:
      return f(Max{});
    case ScatterMode::kMin:
      return f(Min{});
    case ScatterMode::kMultiply:
      return f(Multiply{});
  }
}

template <class T>
void copy_unless_same(const T* x, T* y, std::int64_t size) {
  const std::int64_t bytes = size * static_cast<std::int64_t>(sizeof(T));
  CopyRowsOp(1, bytes, bytes, bytes).run(x, y);
}

}  // namespace

ScatterMode scatter_mode(const std::string& op, const std::string& name) {
  if (name == "add") return ScatterMode::kAdd;
  if (name == "set") return ScatterMode::kSet;
  if (name == "max") return ScatterMode::kMax;
  if (name == "min") return ScatterMode::kMin;
  if (name == "multiply") return ScatterMode::kMultiply;
  fail(op, ": expected a mode 'add', 'set', 'max', 'min' or 'multiply', received '", name, "'");
}

template <class T>
ScatterOp<T>::ScatterOp(IndexedAxis axis, ScatterMode mode, std::int64_t inner, std::int64_t count)
    : axis_(std::move(axis)), mode_(mode), inner_(inner), count_(count) {}

template <class T>
template <class I>
void ScatterOp<T>::run(const T* x, const I* indices, const T* updates, T* y) const {
  if (!check_indices(axis_, indices, count_)) return;
  copy_unless_same(x, y, axis_.size * inner_);
  dispatch_mode(mode_, [&](auto update) { update_rows<decltype(update)>(indices, updates, y); });
}

// However the work is cut, every element sees its updates in their order.
template <class T>
template <class Update, class I>
void ScatterOp<T>::update_rows(const I* indices, const T* updates, T* y) const {
  const std::int64_t inner = inner_, size = axis_.size;
  const auto update = [&](std::int64_t j, std::int64_t row, std::int64_t begin, std::int64_t end) {
    T* const to = y + row * inner;
    const T* const from = updates + j * inner;
    for (std::int64_t i = begin; i < end; ++i) to[i] = Update::of(to[i], from[i]);
  };
  const int wanted = threads_for(static_cast<double>(count_ * inner) * kRowTime);
  const std::int64_t parts = inner < kNarrowRow ? 1 : std::min(wanted, num_threads());
  if (inner == 1) {
    for (std::int64_t j = 0; j < count_; ++j) {
      T& target = y[place_of(indices[j], size)];
      target = Update::of(target, updates[j]);
    }
  } else if (parts == 1) {
    for (std::int64_t j = 0; j < count_; ++j) update(j, place_of(indices[j], size), 0, inner);
  } else if (inner >= kWideRow) {
    const std::int64_t columns = std::max(kColumns, round_up(ceil_div(inner, parts), 16));
    parallel_for(chunk_count(inner, columns), wanted, [&](std::int64_t task, int) {
      const std::int64_t begin = task * columns, end = std::min(inner, begin + columns);
      for (std::int64_t j = 0; j < count_; ++j) update(j, place_of(indices[j], size), begin, end);
    });
  } else {
    const std::int64_t rows = ceil_div(size, parts);
    parallel_for(chunk_count(size, rows), wanted, [&](std::int64_t task, int) {
      const std::int64_t first = task * rows;
      for (std::int64_t j = 0; j < count_; ++j) {
        const std::int64_t row = place_of(indices[j], size);
        if (row >= first && row < first + rows) update(j, row, 0, inner);
      }
    });
  }
}

template <class T>
ScatterAlongAxisOp<T>::ScatterAlongAxisOp(IndexedAxis axis, ScatterMode mode, std::int64_t outer,
                                          std::int64_t inner, std::int64_t count)
    : axis_(std::move(axis)), mode_(mode), outer_(outer), inner_(inner), count_(count) {}

template <class T>
template <class I>
void ScatterAlongAxisOp<T>::run(const T* x, const I* indices, const T* updates, T* y) const {
  if (!check_indices(axis_, indices, outer_ * count_ * inner_)) return;
  copy_unless_same(x, y, outer_ * axis_.size * inner_);
  if (outer_ * count_ * inner_ == 0) return;
  dispatch_mode(mode_, [&](auto update) { update_columns<decltype(update)>(indices, updates, y); });
}

template <class T>
template <class Update, class I>
void ScatterAlongAxisOp<T>::update_columns(const I* indices, const T* updates, T* y) const {
  const std::int64_t inner = inner_, size = axis_.size;
  const std::int64_t columns = std::min(inner, kColumns), panels = chunk_count(inner, columns);
  const std::int64_t together = std::max<std::int64_t>(1, kChunk / (count_ * columns));
  const int threads = threads_for(static_cast<double>(outer_ * count_ * inner) * kElementTime);
  for_each_chunk(outer_ * panels, together, threads, [&](std::int64_t first, std::int64_t tasks) {
    for (std::int64_t task = first; task < first + tasks; ++task) {
      const std::int64_t o = task / panels, begin = task % panels * columns;
      const std::int64_t end = std::min(inner, begin + columns);
      T* const to = y + o * size * inner;
      for (std::int64_t row = o * count_; row < (o + 1) * count_; ++row) {
        for (std::int64_t i = begin; i < end; ++i) {
          T& target = to[place_of(indices[row * inner + i], size) * inner + i];
          target = Update::of(target, updates[row * inner + i]);
        }
      }
    }
  });
}

#define DLNATIVE_SCATTER(T, I)                                                \
  template void ScatterOp<T>::run<I>(const T*, const I*, const T*, T*) const; \
  template void ScatterAlongAxisOp<T>::run<I>(const T*, const I*, const T*, T*) const;
#define DLNATIVE_SCATTER_OF(T)          \
  template class ScatterOp<T>;          \
  template class ScatterAlongAxisOp<T>; \
  DLNATIVE_SCATTER(T, std::int32_t)     \
  DLNATIVE_SCATTER(T, std::int64_t)

DLNATIVE_SCATTER_OF(float)
DLNATIVE_SCATTER_OF(double)
DLNATIVE_SCATTER_OF(std::int32_t)
DLNATIVE_SCATTER_OF(std::int64_t)
DLNATIVE_SCATTER_OF(std::uint8_t)
DLNATIVE_SCATTER_OF(bool)

}  // namespace dlnative
