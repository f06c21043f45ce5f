// Kernels that take one element after the other: elementwise, optimizers, conversions.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "isa_harness.h"

namespace isa_test {
namespace {

using dlnative::Activation;
using dlnative::ActivationParams;
using dlnative::Binary;
using dlnative::SourceType;

// Around the lanes of all vectors and their multiples.
constexpr Index kSizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 257};
constexpr Index kLargest = 257;

std::string sized(const std::string& name, Index n) {
  return name + " n=" + std::to_string(n);
}

// What is compared how: kExact where no multiply-add can be contracted.
struct ActivationTest {
  const char* name;
  bool exact_forward, exact_backward;
  double backward_scale;  // of the terms that may cancel
};
constexpr ActivationTest kActivations[] = {
    {"linear", true, true, 0},         {"relu", true, true, 0},
    {"leaky_relu", true, true, 0},     {"elu", false, true, 0},
    {"selu", false, true, 0},          {"gelu", false, false, 4},
    {"gelu_tanh", false, false, 4},    {"silu", false, false, 4},
    {"sigmoid", false, true, 0},       {"hard_sigmoid", true, true, 0},
    {"tanh", false, true, 0},          {"softplus", false, false, 0},
    {"softsign", true, true, 0},       {"exponential", false, true, 0},
    {"step", true, true, 0},           {"relu_general", true, true, 0},
};
static_assert(sizeof(kActivations) / sizeof(kActivations[0]) ==
                  static_cast<std::size_t>(Activation::kCount),
              "one test per activation");

std::vector<ActivationParams> params_of(int activation) {
  ActivationParams none;
  none.max_value = std::numeric_limits<double>::infinity();
  if (activation == static_cast<int>(Activation::kLeakyRelu)) return {{0.25, 0, 0}};
  if (activation == static_cast<int>(Activation::kElu)) return {{1, 0, 0}, {0.7, 0, 0}};
  if (activation == static_cast<int>(Activation::kReluGeneral)) {
    return {{0.1, 6, 1}, {0, 6, 0}, {0.2, none.max_value, -0.5}, {0, none.max_value, 0.25}};
  }
  return {{}};
}

template <class T>
std::vector<T> first(const std::vector<T>& values, Index n) {
  return std::vector<T>(values.begin(), values.begin() + n);
}

// A kernel f(x, y, n) of one array: its sizes, and in place. `call` calls it.
template <class T, class F>
void compare_sizes(const std::string& name, const Bound& bound, const std::vector<T>& x, F call) {
  for (const Index n : kSizes) {
    const std::vector<T> values = first(x, n);
    compare(sized(name, n), bound, [&](Call& c, const KernelTable& table) {
      const T* from = c.input(values);
      call(table, from, c.output<T>(n), n);
    });
    compare(sized(name, n) + " in place", bound, [&](Call& c, const KernelTable& table) {
      T* y = c.output(values);
      call(table, y, y, n);
    });
  }
}

// And element by element.
template <class T, class F>
void compare_map(const std::string& name, const Bound& bound, const std::vector<T>& x, F call) {
  compare_sizes(name, bound, x, call);
  const auto in_pieces = [&](Index piece) {
    return [&, piece](Call& c, const KernelTable& table) {
      T* y = c.output(x);
      for (Index i = 0; i < kLargest; i += piece) {
        call(table, y + i, y + i, std::min(piece, kLargest - i));
      }
    };
  };
  compare_parts(name, in_pieces(kLargest), in_pieces(1));
}

// The same for f(a, b, y, n), where y may be a or b.
template <class T, class F>
void compare_map(const std::string& name, const Bound& bound, const std::vector<T>& a,
                 const std::vector<T>& b, F call) {
  for (const Index n : kSizes) {
    compare(sized(name, n), bound, [&](Call& c, const KernelTable& table) {
      const T* left = c.input(first(a, n));
      const T* right = c.input(first(b, n));
      call(table, left, right, c.output<T>(n), n);
    });
    compare(sized(name, n) + " in place", bound, [&](Call& c, const KernelTable& table) {
      T* y = c.output(first(a, n));
      call(table, y, c.input(first(b, n)), y, n);
      T* z = c.output(first(b, n));
      call(table, c.input(first(a, n)), z, z, n);
    });
  }
  const auto in_pieces = [&](Index piece) {
    return [&, piece](Call& c, const KernelTable& table) {
      const T* left = c.input(a);
      T* y = c.output(b);
      for (Index i = 0; i < kLargest; i += piece) {
        call(table, left + i, y + i, y + i, std::min(piece, kLargest - i));
      }
    };
  };
  compare_parts(name, in_pieces(kLargest), in_pieces(1));
}

template <class T>
void compare_activations() {
  const double wide = sizeof(T) == 4 ? 100 : 760;  // exp of it overflows and underflows
  const std::vector<T> inputs[] = {reals<T>(kLargest, -6, 6, 1), reals<T>(kLargest, -wide, wide, 2),
                                   special_values<T>(kLargest, 3)};
  const std::vector<T> dy = reals<T>(kLargest, -2, 2, 4);
  const std::vector<T> unit = reals<T>(kLargest, -1, 1, 5);
  const auto magnitudes = [](std::vector<T> values) {
    for (T& v : values) v = std::fabs(v);
    return values;
  };
  for (int f = 0; f < static_cast<int>(Activation::kCount); ++f) {
    const ActivationTest& test = kActivations[f];
    for (const ActivationParams& params : params_of(f)) {
      for (int kind = 0; kind < 3; ++kind) {
        const std::string name = std::string(type_name<T>()) + " " + test.name + " " +
                                 (kind == 0 ? "" : kind == 1 ? "wide " : "special ");
        compare_map(name + "forward", test.exact_forward ? kExact : rounding<T>(), inputs[kind],
                    [&](const KernelTable& table, const T* x, T* y, Index n) {
                      table.get<T>().elementwise->activation_forward[f](x, y, n, params);
                    });
        const std::vector<T>& any = kind == 0 ? unit : inputs[kind];
        const bool saves_positive = f == static_cast<int>(Activation::kSoftplus);
        compare_map(name + "backward",
                    test.exact_backward ? kExact : rounding<T>(test.backward_scale), dy,
                    saves_positive ? magnitudes(any) : any,
                    [&](const KernelTable& table, const T* d, const T* saved, T* dx, Index n) {
                      table.get<T>().elementwise->activation_backward[f](d, saved, dx, n, params);
                    });
      }
    }
  }
}

template <class T>
void compare_binary() {
  constexpr const char* kNames[] = {"add", "subtract", "multiply", "divide", "maximum", "minimum"};
  static_assert(sizeof(kNames) / sizeof(kNames[0]) == static_cast<std::size_t>(Binary::kCount),
                "one name per operation");
  for (int f = 0; f < static_cast<int>(Binary::kCount); ++f) {
    for (const bool special : {false, true}) {
      const std::vector<T> a = special ? special_values<T>(kLargest, 6) : reals<T>(kLargest, -5, 5, 6);
      const std::vector<T> b = special ? special_values<T>(kLargest, 7) : reals<T>(kLargest, -5, 5, 7);
      const std::string name = std::string(type_name<T>()) + " " + kNames[f] + (special ? " special" : "");
      compare_map(name, kExact, a, b,
                  [&](const KernelTable& table, const T* x, const T* z, T* y, Index n) {
                    table.get<T>().elementwise->binary[f](x, z, y, n);
                  });
      const T scalars[] = {T(1.5), T(-0.0), std::numeric_limits<T>::infinity(),
                           std::numeric_limits<T>::quiet_NaN()};
      for (const T scalar : scalars) {
        compare_map(name + " scalar right", kExact, a,
                    [&](const KernelTable& table, const T* x, T* y, Index n) {
                      table.get<T>().elementwise->binary_scalar_right[f](x, scalar, y, n);
                    });
        compare_map(name + " scalar left", kExact, a,
                    [&](const KernelTable& table, const T* x, T* y, Index n) {
                      table.get<T>().elementwise->binary_scalar_left[f](scalar, x, y, n);
                    });
      }
    }
  }
}

template <class T>
void compare_rescale_and_bias() {
  compare_map(std::string(type_name<T>()) + " rescale", rounding<T>(4),
              reals<T>(kLargest, -3, 3, 8), [](const KernelTable& table, const T* x, T* y, Index n) {
                table.get<T>().elementwise->rescale(x, y, n, T(0.7), T(-1.1));
              });
  for (const Index cols : kSizes) {
    for (const Index rows : {0, 1, 2, 5}) {
      const std::string name = std::string(type_name<T>()) + " add_bias rows=" + std::to_string(rows) +
                               " cols=" + std::to_string(cols);
      const std::vector<T> y = reals<T>(rows * cols, -1, 1, 9);
      const std::vector<T> bias = reals<T>(cols, -1, 1, 10);
      for (const Index gap : {0, 3}) {
        compare(name, kExact, [&](Call& c, const KernelTable& table) {
          const T* added = c.input(bias);
          T* sums = c.output(y, rows, cols, cols + gap);
          table.get<T>().elementwise->add_bias(sums, cols + gap, added, rows, cols);
        });
      }
    }
  }
}

template <class T>
void compare_dropout() {
  constexpr std::uint64_t kStep = 0x123456789abcdefu;
  constexpr std::uint32_t kKey0 = 0x243f6a88u, kKey1 = 0x85a308d3u;
  const std::vector<T> x = special_values<T>(kLargest, 11);
  // The last one makes the low half of the counter overflow.
  const std::uint64_t starts[] = {0, 1, 2, 3, 1001, (std::uint64_t{4} << 32) - 130};
  for (const std::uint32_t threshold : {0u, 1u, 0x40000000u, 0x80000000u, 0xffffffffu}) {
    for (const std::uint64_t start : starts) {
      const std::string name = std::string(type_name<T>()) + " dropout threshold=" +
                               std::to_string(threshold) + " first=" + std::to_string(start);
      compare_sizes(name, kExact, x, [&](const KernelTable& table, const T* from, T* to, Index n) {
        table.get<T>().elementwise->dropout(from, to, n, start, kStep, kKey0, kKey1, threshold,
                                            T(1.25));
      });
      const auto in_pieces = [&](Index piece) {
        return [&, piece](Call& c, const KernelTable& table) {
          T* y = c.output(x);
          for (Index i = 0; i < kLargest; i += piece) {
            table.get<T>().elementwise->dropout(y + i, y + i, std::min(piece, kLargest - i),
                                                start + static_cast<std::uint64_t>(i), kStep, kKey0,
                                                kKey1, threshold, T(1.25));
          }
        };
      };
      compare_parts(name, in_pieces(kLargest), in_pieces(13));
    }
  }
}

// --- optimizers ----------------------------------------------------------------------------------

// kernel(table, param, slot1, slot2, slot3, grad, n)
template <class T, class F>
void compare_optimizer(const std::string& name, F kernel) {
  const std::vector<T> param = reals<T>(kLargest, -1, 1, 20), grad = reals<T>(kLargest, -1, 1, 21);
  // Second moments stay above the squares of the first.
  const std::vector<T> slot1 = reals<T>(kLargest, 0.3, 1, 22), slot2 = reals<T>(kLargest, 1.1, 2, 23);
  const std::vector<T> slot3 = reals<T>(kLargest, 0, 2, 24);
  for (const Index n : kSizes) {
    compare(sized(std::string(type_name<T>()) + " " + name, n), rounding<T>(1),
            [&](Call& c, const KernelTable& table) {
              T* p = c.output(first(param, n));
              T* s1 = c.output(first(slot1, n));
              T* s2 = c.output(first(slot2, n));
              T* s3 = c.output(first(slot3, n));
              kernel(*table.get<T>().optimizer, p, s1, s2, s3, c.input(first(grad, n)), n);
            });
  }
  const auto in_pieces = [&](Index piece) {
    return [&, piece](Call& c, const KernelTable& table) {
      T* p = c.output(param);
      T* s1 = c.output(slot1);
      T* s2 = c.output(slot2);
      T* s3 = c.output(slot3);
      const T* g = c.input(grad);
      for (Index i = 0; i < kLargest; i += piece) {
        const Index n = std::min(piece, kLargest - i);
        kernel(*table.get<T>().optimizer, p + i, s1 + i, s2 + i, s3 + i, g + i, n);
      }
    };
  };
  compare_parts(std::string(type_name<T>()) + " " + name, in_pieces(kLargest), in_pieces(1));
}

template <class T>
void compare_optimizers_of() {
  using Kernels = dlnative::OptimizerKernels<T>;
  for (const double decay_rate : {0.0, 0.01}) {
    const T decay = static_cast<T>(decay_rate);
    const std::string with = decay_rate == 0 ? "" : " with decay";
    for (const bool nesterov : {false, true}) {
      for (const bool momentum : {false, true}) {
        compare_optimizer<T>(
            std::string("sgd") + (momentum ? " momentum" : "") + (nesterov ? " nesterov" : "") + with,
            [=](const Kernels& k, T* p, T* s1, T*, T*, const T* g, Index n) {
              k.sgd(p, momentum ? s1 : nullptr, g, n, T(0.1), T(0.9), nesterov, decay);
            });
      }
    }
    compare_optimizer<T>("adagrad" + with,
                         [=](const Kernels& k, T* p, T* s1, T*, T*, const T* g, Index n) {
                           k.adagrad(p, s1, g, n, T(0.1), T(1e-7), decay);
                         });
    for (const bool momentum : {false, true}) {
      for (const bool centered : {false, true}) {
        compare_optimizer<T>(
            std::string("rmsprop") + (momentum ? " momentum" : "") + (centered ? " centered" : "") + with,
            [=](const Kernels& k, T* p, T* s1, T* s2, T* s3, const T* g, Index n) {
              k.rmsprop(p, s2, momentum ? s3 : nullptr, centered ? s1 : nullptr, g, n, T(0.01),
                        T(0.1), T(0.9), T(1e-7), decay);
            });
      }
    }
    for (const bool amsgrad : {false, true}) {
      compare_optimizer<T>(std::string("adam") + (amsgrad ? " amsgrad" : "") + with,
                           [=](const Kernels& k, T* p, T* s1, T* s2, T* s3, const T* g, Index n) {
                             k.adam(p, s1, s2, amsgrad ? s3 : nullptr, g, n, T(0.01), T(0.1),
                                    T(0.001), T(1e-7), decay);
                           });
    }
  }
}

// --- conversions ---------------------------------------------------------------------------------

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
  Random random(30);
  std::vector<S> values = {std::numeric_limits<S>::min(), std::numeric_limits<S>::max(), S(0), S(1),
                           static_cast<S>(-1), static_cast<S>(0x7fffffff), static_cast<S>(0x80000000u),
                           static_cast<S>(0x1000001), static_cast<S>(-0x80000000ll),
                           static_cast<S>(0x7fffffbfffffffffull), static_cast<S>(0x8000008000000001ull),
                           static_cast<S>(0xffffff8000000000ull)};
  while (values.size() < 300) values.push_back(static_cast<S>(random.next() >> random.next() % 64));
  return values;
}

// Around the edges of int32, too.
template <class S>
std::vector<S> any_reals() {
  std::vector<S> values = special_values<S>(300, 31);
  const double edges[] = {2147483647.0, 2147483647.5,  2147483648.0,  -2147483648.0, -2147483648.5,
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

template <class T>
void compare_all_finite() {
  const T bad_values[] = {std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                          std::numeric_limits<T>::quiet_NaN()};
  for (const Index n : kSizes) {
    std::vector<T> values = reals<T>(n, -1, 1, 32);
    for (Index i = 0; i < n; i += 5) values[static_cast<std::size_t>(i)] = std::numeric_limits<T>::max();
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

void compare_elementwise() {
  compare_activations<float>();
  compare_activations<double>();
  compare_binary<float>();
  compare_binary<double>();
  compare_rescale_and_bias<float>();
  compare_rescale_and_bias<double>();
  compare_dropout<float>();
  compare_dropout<double>();
}

void compare_optimizers() {
  compare_optimizers_of<float>();
  compare_optimizers_of<double>();
}

void compare_conversions() {
  compare_conversions_to<float>();
  compare_conversions_to<double>();
  compare_conversions_to<std::int32_t>();
  compare_all_finite<float>();
  compare_all_finite<double>();
}

}  // namespace isa_test
