#include "ops/gather.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "core/aligned.h"
#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "ops/feed_range.h"
#include "ops/halves.h"

namespace dlnative {

namespace {

// Elements that one task converts: 32 K take about 5 us, several times what waking a thread costs.
constexpr std::int64_t kTaskElements = 32768;

std::int64_t item_size(SourceType type) {
  static const std::int64_t sizes[] = {1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8};
  return sizes[static_cast<int>(type)];
}

// Converts values up to one that has no T; returns whether they all have one.
template <class T>
struct Conversion {
  ConvertKernel<T> convert;
  std::int64_t item;
  RangeCheck in_range = nullptr;

  bool operator()(const char* from, T* to, std::int64_t n) const {
    if (in_range == nullptr) {
      convert(from, to, n);
      return true;
    }
    constexpr std::int64_t kBlock = 1024;  // what has been looked at is still in the first cache
    for (std::int64_t i = 0; i < n; i += kBlock) {
      const std::int64_t count = std::min(kBlock, n - i);
      if (!in_range(from + i * item, count)) return false;
      convert(from + i * item, to + i, count);
    }
    return true;
  }
};

// Makes a row of any strides contiguous, some KB at a time on the stack, and converts it.
template <class T>
class RowConverter {
 public:
  RowConverter(const RowSource& source, const Conversion<T>& convert, T* to)
      : source_(source),
        convert_(convert),
        item_(convert.item),
        most_(kBytes / convert.item),
        to_(to) {}

  // Whether each value has a T.
  bool run(const char* row) {
    take(row, 0);
    flush();
    return fits_;
  }

 private:
  static constexpr std::int64_t kBytes = 4096;

  void take(const char* row, std::size_t axis) {
    const std::int64_t n = source_.inner_shape[axis], stride = source_.inner_strides[axis];
    if (axis + 1 < source_.inner_shape.size()) {
      for (std::int64_t i = 0; i < n; ++i) take(row + i * stride, axis + 1);
      return;
    }
    for (std::int64_t i = 0; i < n; ++i) {
      std::memcpy(packed_ + count_ * item_, row + i * stride, static_cast<std::size_t>(item_));
      if (++count_ == most_) flush();
    }
  }

  void flush() {
    if (count_ > 0) fits_ &= convert_(packed_, to_, count_);
    to_ += count_;
    count_ = 0;
  }

  const RowSource& source_;
  const Conversion<T>& convert_;
  std::int64_t item_ = 0, most_ = 0, count_ = 0;
  bool fits_ = true;
  T* to_ = nullptr;
  alignas(kAlignment) char packed_[kBytes];
};

// Rows of up to so many values are copied in a loop: cheaper than the call of a kernel.
constexpr std::int64_t kShortRow = 16;

template <class T>
constexpr SourceType kSameType = SourceType::kCount;  // none
template <>
constexpr SourceType kSameType<std::int32_t> = SourceType::kInt32;
template <>
constexpr SourceType kSameType<float> = SourceType::kFloat32;
template <>
constexpr SourceType kSameType<double> = SourceType::kFloat64;

// Shuffled rows lie anywhere: those of the next step are prefetched while this one is computed. In
// an epoch of four-row steps over 200,000 rows this takes 0.2 us off a step of 1.1 us (2026-11).
void prefetch_rows(const RowSource& source, const std::int64_t* indices, std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r)
    __builtin_prefetch(source.data + indices[r] * source.row_stride);
}

// Conversions to integers and booleans, which data sets rarely need: plain loops. Floats become
// integers towards zero; what is not zero is true.
template <class T, class S>
void convert_plain(const void* from, T* to, std::int64_t n) {
  const char* x = static_cast<const char*>(from);
  for (std::int64_t i = 0; i < n; ++i) {
    S value;
    std::memcpy(&value, x + i * std::int64_t{sizeof(S)}, sizeof(S));  // need not be aligned
    if constexpr (std::is_same_v<T, bool>) {
      to[i] = value != S{};
    } else {
      to[i] = static_cast<T>(value);
    }
  }
}

template <class T>
void convert_halves(const void* from, T* to, std::int64_t n) {
  visit_halves(from, n, [to](const float* values, std::int64_t first, std::int64_t count) {
    convert_plain<T, float>(values, to + first, count);
    return true;
  });
}

template <class T>
ConvertKernel<T> plain_conversion(SourceType type) {
  switch (type) {
    case SourceType::kBool:
    case SourceType::kUInt8:
      return convert_plain<T, std::uint8_t>;
    case SourceType::kInt8:
      return convert_plain<T, std::int8_t>;
    case SourceType::kInt16:
      return convert_plain<T, std::int16_t>;
    case SourceType::kUInt16:
      return convert_plain<T, std::uint16_t>;
    case SourceType::kInt32:
      return convert_plain<T, std::int32_t>;
    case SourceType::kUInt32:
      return convert_plain<T, std::uint32_t>;
    case SourceType::kInt64:
      return convert_plain<T, std::int64_t>;
    case SourceType::kUInt64:
      return convert_plain<T, std::uint64_t>;
    case SourceType::kFloat32:
      return convert_plain<T, float>;
    case SourceType::kFloat64:
      return convert_plain<T, double>;
    case SourceType::kFloat16:
      return convert_halves<T>;
    default:
      throw std::invalid_argument("feed: not a type of values");
  }
}

bool is_float(SourceType type) {
  return type == SourceType::kFloat16 || type == SourceType::kFloat32 ||
         type == SourceType::kFloat64;
}

// Whether all values have a T, and are finite where `is_finite` looks at them; it is null where
// nobody does. What has just been written is in the caches.
template <class T>
bool gather(const RowSource& source, const Conversion<T>& convert, const std::int64_t* indices,
            std::int64_t first, std::int64_t rows, std::int64_t row_elements, T* target,
            bool (*is_finite)(const T*, std::int64_t) = nullptr) {
  const std::int64_t item = convert.item;
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    if (indices == nullptr && source.contiguous && source.row_stride == row_elements * item) {
      return convert(source.data + (first + begin) * source.row_stride,
                     target + begin * row_elements, (end - begin) * row_elements);
    }
    if (source.contiguous && source.type == kSameType<T> && row_elements <= kShortRow) {
      for (std::int64_t r = begin; r < end; ++r) {
        const char* row =
            source.data + (indices != nullptr ? indices[r] : first + r) * source.row_stride;
        T* out = target + r * row_elements;
        for (std::int64_t j = 0; j < row_elements; ++j)
          std::memcpy(out + j, row + j * item, sizeof(T));
      }
      return true;
    }
    bool fits = true;
    for (std::int64_t r = begin; r < end && fits; ++r) {
      const std::int64_t index = indices != nullptr ? indices[r] : first + r;
      const char* row = source.data + index * source.row_stride;
      T* const to = target + r * row_elements;
      fits = source.contiguous ? convert(row, to, row_elements)
                               : RowConverter<T>(source, convert, to).run(row);
    }
    return fits;
  };
  const auto run_and_look = [&](std::int64_t begin, std::int64_t end) {
    return run(begin, end) && (is_finite == nullptr || is_finite(target + begin * row_elements,
                                                                 (end - begin) * row_elements));
  };
  const std::int64_t per_task =
      std::max<std::int64_t>(1, kTaskElements / std::max<std::int64_t>(1, row_elements));
  if (rows <= per_task) return run_and_look(0, rows);
  std::atomic<bool> all_fit{true};
  parallel_for((rows + per_task - 1) / per_task, num_threads(), [&](std::int64_t task, int) {
    if (!run_and_look(task * per_task, std::min(rows, (task + 1) * per_task)))
      all_fit.store(false, std::memory_order_relaxed);
  });
  return all_fit.load(std::memory_order_relaxed);
}

}  // namespace

bool gather_rows(const RowSource& source, const std::int64_t* indices, std::int64_t first,
                 std::int64_t rows, std::int64_t row_elements, const Buffer& target,
                 std::int64_t rows_after, bool looks) {
  if (indices != nullptr) prefetch_rows(source, indices + rows, std::min(rows_after, rows));
  const int type = static_cast<int>(source.type);
  const std::int64_t item = item_size(source.type);
  const RangeCheck in_range = range_check(target.dtype, source.type);
  if (target.dtype == DType::kInt32) {
    return gather<std::int32_t>(source, {kernel_table().convert_i32->convert[type], item, in_range},
                                indices, first, rows, row_elements, target.as<std::int32_t>());
  }
  const auto gather_plain = [&](auto* to) {
    using T = std::remove_pointer_t<decltype(to)>;
    return gather<T>(source, {plain_conversion<T>(source.type), item, in_range}, indices, first,
                     rows, row_elements, to);
  };
  if (target.dtype == DType::kInt64) return gather_plain(target.as<std::int64_t>());
  if (target.dtype == DType::kUInt8) return gather_plain(target.as<std::uint8_t>());
  if (target.dtype == DType::kBool) return gather_plain(target.as<bool>());
  looks &= is_float(source.type);
  bool all_finite = true;
  dispatch_floating(target.dtype, "feed", [&](auto zero) {
    using T = decltype(zero);
    const ConvertKernels<T>& kernels = *dlnative::kernels<T>().convert;
    all_finite = gather<T>(source, {kernels.convert[type], item}, indices, first, rows,
                           row_elements, target.as<T>(), looks ? kernels.all_finite : nullptr);
  });
  return all_finite;
}

}  // namespace dlnative
