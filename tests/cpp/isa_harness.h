// What compare_isas needs: guarded memory, made-up data, and the comparison of kernel tables.
//
// A test is a body, a function that makes its arrays with a Call and calls kernels of the table it
// is given. Every body runs once per table. Arrays end where a page begins that may not be touched,
// and begin after a margin of NaNs: a kernel that reads or writes past an array's end is stopped by
// the machine, one that writes before it or into the gaps of a matrix is found out afterwards, and
// what it reads there spoils its result.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/kernel_table.h"

namespace isa_test {

using dlnative::KernelTable;
using Index = std::int64_t;

// --- data: the same on every machine, without the C library's mathematics ------------------------

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {  // splitmix64
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double uniform(double low, double high) {
    return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53);
  }

 private:
  std::uint64_t state_;
};

template <class T>
std::vector<T> reals(Index n, double low, double high, std::uint64_t seed) {
  Random random(seed);
  std::vector<T> values(static_cast<std::size_t>(n));
  for (T& v : values) v = static_cast<T>(random.uniform(low, high));
  return values;
}

// Small integers: their sums and products are exact in any order.
template <class T>
std::vector<T> integers(Index n, int low, int high, std::uint64_t seed) {
  Random random(seed);
  std::vector<T> values(static_cast<std::size_t>(n));
  const auto count = static_cast<std::uint64_t>(high - low + 1);
  for (T& v : values) v = static_cast<T>(low + static_cast<int>(random.next() % count));
  return values;
}

// NaN, infinities, zeros of both signs, denormals, the largest numbers and places where kernels
// change their formula, at random among reals of [-100, 100].
template <class T>
std::vector<T> special_values(Index n, std::uint64_t seed) {
  using Limits = std::numeric_limits<T>;
  const T table[] = {Limits::quiet_NaN(),
                     Limits::infinity(),
                     Limits::max(),
                     Limits::min(),
                     Limits::denorm_min(),
                     Limits::min() / 2,
                     Limits::epsilon(),
                     T(0),
                     T(1),
                     T(1e-3),
                     T(0.549),
                     T(0.5493),
                     T(3),
                     T(6),
                     T(10),
                     T(15),
                     T(20),
                     T(30),
                     T(39),
                     T(80),
                     T(87.3365),
                     T(88.7228),
                     T(88.73),
                     T(103.9),
                     T(708.396),
                     T(709.782),
                     T(709.783),
                     T(745.1),
                     T(1e10),
                     Limits::max() / 2};
  constexpr std::uint64_t kCount = sizeof(table) / sizeof(table[0]);
  Random random(seed);
  std::vector<T> values(static_cast<std::size_t>(n));
  for (T& v : values) {
    const std::uint64_t r = random.next();
    v = r % 4 == 0 ? static_cast<T>(random.uniform(-100, 100)) : table[r / 8 % kCount];
    if ((r & 4) != 0) v = -v;
  }
  return values;
}

// Sizes around the lanes of all vectors and their multiples.
inline constexpr Index kSizes[] = {0,  1,  2,  3,  4,  5,  7,  8,  9,   15,
                                   16, 17, 31, 32, 33, 63, 64, 65, 100, 257};
inline constexpr Index kLargest = 257;

inline std::string sized(const std::string& name, Index n) {
  return name + " n=" + std::to_string(n);
}

template <class T>
std::vector<T> first(const std::vector<T>& values, Index n) {
  return std::vector<T>(values.begin(), values.begin() + n);
}

// Whether bodies run with denormals flushed to zero, as programs do.
extern bool flush_denormals;

// --- one call ------------------------------------------------------------------------------------

class Call {
 public:
  // An array that the kernel must leave alone. `shift` bytes from the guarded page: an odd number
  // makes an array that is not aligned to its type.
  template <class T>
  const T* input(const std::vector<T>& values, std::size_t shift = 0) {
    Array& a = place(sizeof(T), static_cast<Index>(values.size()), shift);
    copy_in(a, values);
    a.original.assign(a.begin, a.begin + a.bytes());
    return reinterpret_cast<const T*>(a.begin);
  }
  // An array whose contents afterwards are a result.
  template <class T>
  T* output(const std::vector<T>& initial) {
    Array& a = place(sizeof(T), static_cast<Index>(initial.size()), 0);
    copy_in(a, initial);
    a.read = &read_as<T>;
    return reinterpret_cast<T*>(a.begin);
  }
  template <class T>
  T* output(Index n) {  // NaNs at first
    Array& a = place(sizeof(T), n, 0);
    a.read = &read_as<T>;
    return reinterpret_cast<T*>(a.begin);
  }
  // rows x cols with leading dimension ld; the gaps between rows must stay NaN. `values` are those
  // of the rows without gaps, or empty for NaNs.
  template <class T>
  const T* input(const std::vector<T>& values, Index rows, Index cols, Index ld) {
    Array& a = place_matrix(values, rows, cols, ld);
    a.original.assign(a.begin, a.begin + a.bytes());
    return reinterpret_cast<const T*>(a.begin);
  }
  template <class T>
  T* output(const std::vector<T>& values, Index rows, Index cols, Index ld) {
    Array& a = place_matrix(values, rows, cols, ld);
    a.read = &read_as<T>;
    return reinterpret_cast<T*>(a.begin);
  }
  // Aligned to 64 bytes; its contents do not matter.
  template <class T>
  T* scratch(Index n) {
    return reinterpret_cast<T*>(
        place(sizeof(T), n, 64 - static_cast<std::size_t>(n) * sizeof(T) % 64).begin);
  }
  void result(double value) { results_.push_back(value); }

  // Looks at the arrays after the call; returns what is wrong with them, or "".
  std::string finish();
  const std::vector<double>& results() const { return results_; }

 private:
  struct Array {
    unsigned char* begin;
    std::size_t item, shift;
    Index rows, cols, ld;                  // rows == 1 for an array without gaps
    std::vector<unsigned char> original;   // of an input
    double (*read)(const unsigned char*);  // of an output
    std::size_t bytes() const {
      return rows * cols == 0 ? 0 : item * static_cast<std::size_t>((rows - 1) * ld + cols);
    }
  };
  template <class T>
  static double read_as(const unsigned char* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    if constexpr (std::is_floating_point_v<T>) {
      // With flushing, some instructions pass a denormal on and others make it zero.
      if (flush_denormals && std::fpclassify(value) == FP_SUBNORMAL)
        value = std::copysign(T(0), value);
    }
    return static_cast<double>(value);
  }
  template <class T>
  static void copy_in(const Array& a, const std::vector<T>& values) {
    if (!values.empty()) std::memcpy(a.begin, values.data(), a.bytes());
  }
  template <class T>
  Array& place_matrix(const std::vector<T>& values, Index rows, Index cols, Index ld) {
    const Index n = rows * cols == 0 ? 0 : (rows - 1) * ld + cols;
    Array& a = place(sizeof(T), n, 0);
    a.rows = rows;
    a.cols = cols;
    a.ld = ld;
    for (Index r = 0; r < rows && !values.empty() && cols > 0; ++r) {
      std::memcpy(a.begin + static_cast<std::size_t>(r * ld) * sizeof(T), values.data() + r * cols,
                  static_cast<std::size_t>(cols) * sizeof(T));
    }
    return a;
  }
  Array& place(std::size_t item, Index n, std::size_t shift);

  std::vector<Array> arrays_;
  std::vector<double> results_;
};

// --- comparison ----------------------------------------------------------------------------------

// |got - expected| <= relative |expected| + absolute; both zero: equal bits, NaN equal to NaN.
struct Bound {
  double relative = 0.0;
  double absolute = 0.0;
};

constexpr Bound kExact = {};

// A bound far above what rounding in another order does, far below a wrong value: 1e-5 for float32,
// 1e-12 for float64, of the result and of `scale`, the size of the terms that it is made of.
template <class T>
Bound rounding(double scale = 0.0) {
  constexpr double kTolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
  return {kTolerance, kTolerance * scale + 4 * static_cast<double>(std::numeric_limits<T>::min())};
}

template <class T>
const char* type_name() {
  return std::is_same_v<T, float> ? "float" : std::is_same_v<T, double> ? "double" : "int32";
}

using Body = std::function<void(Call&, const KernelTable&)>;

// The body on every table; its results must agree with those of baseline.
void compare(const std::string& name, const Bound& bound, const Body& body);

// The body on every table, baseline's too; its results must be the expected ones to the bit.
void compare_exact(const std::string& name, const std::vector<double>& expected, const Body& body);

// Both bodies on every table; a table's results of `parts` must be those of `whole` to the bit.
void compare_parts(const std::string& name, const Body& whole, const Body& parts);

// What is known about a table in the end.
struct Score {
  const KernelTable* table;
  long calls = 0;
  long failures = 0;
  std::uint64_t digest = 0xcbf29ce484222325u;  // of the bits of all results (FNV-1a)
  double largest = 0.0;                        // deviation, in parts of the bound
  std::string largest_at;
};

// The tables to compare; baseline comes first.
std::vector<Score>& scores();

// The table and test that run now, for a signal handler.
const char* running_name();

// The topics.
void compare_elementwise();
void compare_maps();
void compare_optimizers();
void compare_conversions();
void compare_reductions();
void compare_softmax();
void compare_losses();
void compare_gemm();

}  // namespace isa_test
