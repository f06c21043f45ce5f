// Conversions of stored types, and the search for values that are not finite.
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "isa_harness.h"

namespace isa_test {
namespace {

using dlnative::SourceType;

template <class T>
const dlnative::ConvertKernels<T>& convert_kernels(const KernelTable& table) {
  if constexpr (std::is_same_v<T, std::int32_t>) {
    return *table.convert_i32;
  } else {
    return *table.get<T>().convert;
  }
}

template <class T, class S>
void compare_conversion(SourceType type, const char* source, const std::vector<S>& values) {
  const std::string name = std::string(source) + " to " + type_name<T>();
  std::vector<Index> sizes(std::begin(kSizes), std::end(kSizes));
  sizes.push_back(static_cast<Index>(values.size()));
  for (const Index n : sizes) {
    for (const std::size_t shift : {0, 1}) {
      compare(sized(name, n) + (shift == 0 ? "" : " unaligned"), kExact,
              [&](Call& c, const KernelTable& table) {
                const S* from = c.input(first(values, n), shift);
                convert_kernels<T>(table).convert[static_cast<int>(type)](from, c.output<T>(n), n);
              });
    }
  }
}

// Random bits, and the edges of the type.
template <class S>
std::vector<S> any_integers() {
  const std::uint64_t edges[] = {0, 1, 0x7fffffff, 0x80000000, 0x1000001, ~std::uint64_t{0},
                                 // 2^31, 2^63 and just below it, just above ties of float32
                                 0x80000081, 0xffffff81, 0x8000008000000001, 0x7fffffbfffffffff,
                                 0xffffff8000000000, 0xffffffff80000000, 0xffffffff7fffffff};
  std::vector<S> values = {std::numeric_limits<S>::min(), std::numeric_limits<S>::max()};
  for (const std::uint64_t edge : edges) values.push_back(static_cast<S>(edge));
  Random random(30);
  while (values.size() < 300) {
    const std::uint64_t bits = random.next();
    values.push_back(static_cast<S>(bits >> random.next() % 64));
  }
  return values;
}

// Around the edges of int32, too.
template <class S>
std::vector<S> any_reals() {
  std::vector<S> values = special_values<S>(300, 31);
  const double edges[] = {2147483647.0,  2147483647.5, 2147483648.0,  -2147483648.0, -2147483648.5,
                          -2147483649.0, 2147483520.0, -2147483904.0, 0.99999,       -0.99999};
  std::size_t i = 0;
  for (const double edge : edges) values[3 * i++] = static_cast<S>(edge);
  return values;
}

template <class T>
void compare_conversions_to() {
  std::vector<std::uint16_t> halves(0x10000);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i * 40503);
  compare_conversion<T>(SourceType::kBool, "bool", any_integers<std::uint8_t>());
  compare_conversion<T>(SourceType::kInt8, "int8", any_integers<std::int8_t>());
  compare_conversion<T>(SourceType::kUInt8, "uint8", any_integers<std::uint8_t>());
  compare_conversion<T>(SourceType::kInt16, "int16", any_integers<std::int16_t>());
  compare_conversion<T>(SourceType::kUInt16, "uint16", any_integers<std::uint16_t>());
  compare_conversion<T>(SourceType::kInt32, "int32", any_integers<std::int32_t>());
  compare_conversion<T>(SourceType::kUInt32, "uint32", any_integers<std::uint32_t>());
  compare_conversion<T>(SourceType::kInt64, "int64", any_integers<std::int64_t>());
  compare_conversion<T>(SourceType::kUInt64, "uint64", any_integers<std::uint64_t>());
  compare_conversion<T>(SourceType::kFloat16, "float16", halves);
  compare_conversion<T>(SourceType::kFloat32, "float32", any_reals<float>());
  compare_conversion<T>(SourceType::kFloat64, "float64", any_reals<double>());
}

// The nearest T, ties to even, rounded in integers: no conversion of the machine takes part that
// could round, let alone twice.
template <class T>
double nearest(std::uint64_t magnitude) {
  constexpr int kDigits = std::numeric_limits<T>::digits;
  int shift = 0;
  while (magnitude >> shift >> kDigits != 0) ++shift;
  if (shift == 0) return static_cast<double>(magnitude);
  std::uint64_t kept = magnitude >> shift;
  const std::uint64_t rest = magnitude - (kept << shift), half = std::uint64_t{1} << (shift - 1);
  if (rest > half || (rest == half && kept % 2 != 0)) ++kept;
  return std::ldexp(static_cast<double>(kept), shift);  // at most 53 bits: exact
}

// Integers of every length, two thirds of them at a tie of T or one beside it.
template <class T, class S>
std::vector<S> integers_near_ties() {
  constexpr int kDigits = std::numeric_limits<T>::digits;
  Random random(33);
  std::vector<S> values;
  while (values.size() < 3000) {
    std::uint64_t bits = random.next();
    const auto length = static_cast<int>(random.next() % std::numeric_limits<S>::digits) + 1;
    if (length > kDigits && values.size() % 3 != 0) {
      const std::uint64_t last = std::uint64_t{1} << (63 - kDigits);  // half a unit, at the top
      const std::uint64_t step = std::uint64_t{1} << (64 - length);
      bits = ((bits | std::uint64_t{1} << 63) & ~(2 * last - 1)) + last +
             (random.next() % 3 - 1) * step;
    }
    bits >>= 64 - length;
    values.push_back(static_cast<S>(std::is_signed_v<S> && random.next() % 2 != 0 ? ~bits : bits));
  }
  return values;
}

template <class T, class S>
void compare_with_nearest(SourceType type, const char* source) {
  const std::vector<S> values = integers_near_ties<T, S>();
  std::vector<double> expected;
  for (const S value : values) {
    const auto bits = static_cast<std::uint64_t>(value);
    expected.push_back(value < 0 ? -nearest<T>(0 - bits) : nearest<T>(bits));
  }
  const auto n = static_cast<Index>(values.size());
  compare_exact(std::string(source) + " to the nearest " + type_name<T>(), expected,
                [&](Call& c, const KernelTable& table) {
                  convert_kernels<T>(table).convert[static_cast<int>(type)](c.input(values),
                                                                            c.output<T>(n), n);
                });
}

template <class T>
void compare_integers_with_nearest() {
  compare_with_nearest<T, std::int32_t>(SourceType::kInt32, "int32");
  compare_with_nearest<T, std::uint32_t>(SourceType::kUInt32, "uint32");
  compare_with_nearest<T, std::int64_t>(SourceType::kInt64, "int64");
  compare_with_nearest<T, std::uint64_t>(SourceType::kUInt64, "uint64");
}

template <class T>
void compare_all_finite() {
  const T bad_values[] = {std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                          std::numeric_limits<T>::quiet_NaN()};
  for (const Index n : kSizes) {
    std::vector<T> values = reals<T>(n, -1, 1, 32);
    for (Index i = 0; i < n; i += 5)
      values[static_cast<std::size_t>(i)] = std::numeric_limits<T>::max();
    compare(sized(std::string(type_name<T>()) + " all_finite", n), kExact,
            [&](Call& c, const KernelTable& table) {
              const auto all_finite = convert_kernels<T>(table).all_finite;
              T* x = c.output(values);
              c.result(all_finite(x, n));
              for (Index i = 0; i < n; ++i) {  // every place
                x[i] = bad_values[i % 3];
                c.result(all_finite(x, n));
                x[i] = T(1);
              }
            });
  }
}

}  // namespace

void compare_conversions() {
  compare_conversions_to<float>();
  compare_conversions_to<double>();
  compare_conversions_to<std::int32_t>();
  compare_integers_with_nearest<float>();
  compare_integers_with_nearest<double>();
  compare_all_finite<float>();
  compare_all_finite<double>();
}

}  // namespace isa_test
