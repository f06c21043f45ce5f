// Elementwise kernels: activations and their gradients, rescaling, bias, dropout.
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

// What is compared how: kExact where no multiply-add can be contracted.
struct ActivationTest {
  const char* name;
  bool exact_forward, exact_backward;
  double backward_scale;  // of the terms that may cancel
};
constexpr ActivationTest kActivations[] = {
    {"linear", true, true, 0},       {"relu", true, true, 0},         {"leaky_relu", true, true, 0},
    {"elu", false, true, 0},         {"selu", false, true, 0},        {"gelu", false, false, 4},
    {"gelu_tanh", false, false, 4},  {"silu", false, false, 4},       {"sigmoid", false, true, 0},
    {"hard_sigmoid", true, true, 0}, {"tanh", false, true, 0},        {"softplus", false, false, 0},
    {"softsign", true, true, 0},     {"exponential", false, true, 0}, {"step", true, true, 0},
    {"relu_general", true, true, 0},
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
                                 (kind == 0   ? ""
                                  : kind == 1 ? "wide "
                                              : "special ");
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
void compare_rescale_and_bias() {
  compare_map(std::string(type_name<T>()) + " rescale", rounding<T>(4),
              reals<T>(kLargest, -3, 3, 8),
              [](const KernelTable& table, const T* x, T* y, Index n) {
                table.get<T>().elementwise->rescale(x, y, n, T(0.7), T(-1.1));
              });
  for (const Index cols : kSizes) {
    for (const Index rows : {0, 1, 2, 5}) {
      const std::string name = std::string(type_name<T>()) +
                               " add_bias rows=" + std::to_string(rows) +
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
      const std::string name = std::string(type_name<T>()) +
                               " dropout threshold=" + std::to_string(threshold) +
                               " first=" + std::to_string(start);
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

}  // namespace

void compare_elementwise() {
  compare_activations<float>();
  compare_activations<double>();
  compare_rescale_and_bias<float>();
  compare_rescale_and_bias<double>();
  compare_dropout<float>();
  compare_dropout<double>();
}

}  // namespace isa_test
