#include "ops/feed_range.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include "ops/halves.h"

namespace dlnative {

namespace {

template <class S>
S value_at(const void* from, std::int64_t i) {
  S value;
  std::memcpy(&value, static_cast<const char*>(from) + i * std::int64_t{sizeof(S)}, sizeof(S));
  return value;
}

// What an integer target T and an integer source S both have.
template <class T, class S>
struct Shared {
  static constexpr std::int64_t kLow =
      std::max(static_cast<std::int64_t>(std::numeric_limits<T>::min()),
               static_cast<std::int64_t>(std::numeric_limits<S>::min()));
  static constexpr std::uint64_t kHigh =
      std::min(static_cast<std::uint64_t>(std::numeric_limits<T>::max()),
               static_cast<std::uint64_t>(std::numeric_limits<S>::max()));
  static constexpr std::uint64_t kSpan = kHigh - static_cast<std::uint64_t>(kLow);
  static constexpr bool kIsAll = kLow == static_cast<std::int64_t>(std::numeric_limits<S>::min()) &&
                                 kHigh == static_cast<std::uint64_t>(std::numeric_limits<S>::max());
};

// The span is 2^k - 1: a value is within it where no higher bit of its distance from the lowest is
// set. So no comparison is needed, which vectors of 64-bit integers do without AVX2.
template <class T, class S>
bool integers_fit(const void* from, std::int64_t n) {
  using Range = Shared<T, S>;
  using Bits = std::make_unsigned_t<S>;
  static_assert((Range::kSpan & (Range::kSpan + 1)) == 0);
  constexpr auto kLow = static_cast<Bits>(Range::kLow);
  constexpr auto kBeyond = static_cast<Bits>(~Range::kSpan);
  Bits seen = 0;
  for (std::int64_t i = 0; i < n; ++i)
    seen = static_cast<Bits>(seen | static_cast<Bits>(value_at<Bits>(from, i) - kLow));
  return (seen & kBeyond) == 0;
}

// The lowest T is a float, but the number before it, from which on fractions are lost, need not be.
template <class T, class S>
bool reals_fit(const void* from, std::int64_t n) {
  using Flag = std::conditional_t<sizeof(S) == 4, std::uint32_t, std::uint64_t>;
  constexpr auto kLow = static_cast<S>(std::numeric_limits<T>::min());
  constexpr S kBefore = kLow - S{1}, kAfter = static_cast<S>(std::numeric_limits<T>::max()) + S{1};
  Flag outside = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const S value = value_at<S>(from, i);
    const bool above = kBefore < kLow ? value > kBefore : value >= kLow;
    outside |= static_cast<Flag>(!(above & (value < kAfter)));
  }
  return outside == 0;
}

template <class T>
bool halves_fit(const void* from, std::int64_t n) {
  return visit_halves(from, n, [](const float* values, std::int64_t, std::int64_t count) {
    return reals_fit<T, float>(values, count);
  });
}

template <class T, class S>
constexpr RangeCheck kIntegersFit = Shared<T, S>::kIsAll ? nullptr : integers_fit<T, S>;

// In the order of SourceType.
template <class T>
constexpr RangeCheck kRangeChecks[] = {
    nullptr,
    kIntegersFit<T, std::int8_t>,
    kIntegersFit<T, std::uint8_t>,
    kIntegersFit<T, std::int16_t>,
    kIntegersFit<T, std::uint16_t>,
    kIntegersFit<T, std::int32_t>,
    kIntegersFit<T, std::uint32_t>,
    kIntegersFit<T, std::int64_t>,
    kIntegersFit<T, std::uint64_t>,
    halves_fit<T>,
    reals_fit<T, float>,
    reals_fit<T, double>,
};

}  // namespace

RangeCheck range_check(DType target, SourceType source) {
  const int type = static_cast<int>(source);
  switch (target) {
    case DType::kInt32:
      return kRangeChecks<std::int32_t>[type];
    case DType::kInt64:
      return kRangeChecks<std::int64_t>[type];
    case DType::kUInt8:
      return kRangeChecks<std::uint8_t>[type];
    default:
      return nullptr;
  }
}

}  // namespace dlnative
