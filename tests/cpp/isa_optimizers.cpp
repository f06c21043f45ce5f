// One step of each optimizer.
#include <algorithm>
#include <string>
#include <vector>

#include "isa_harness.h"

namespace isa_test {
namespace {

// kernel(table, param, slot1, slot2, slot3, grad, n)
template <class T, class F>
void compare_optimizer(const std::string& name, F kernel) {
  const std::vector<T> param = reals<T>(kLargest, -1, 1, 20), grad = reals<T>(kLargest, -1, 1, 21);
  // Second moments stay above the squares of the first.
  const std::vector<T> slot1 = reals<T>(kLargest, 0.3, 1, 22),
                       slot2 = reals<T>(kLargest, 1.1, 2, 23);
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
        compare_optimizer<T>(std::string("sgd") + (momentum ? " momentum" : "") +
                                 (nesterov ? " nesterov" : "") + with,
                             [=](const Kernels& k, T* p, T* s1, T*, T*, const T* g, Index n) {
                               k.sgd(p, momentum ? s1 : nullptr, g, n, T(0.1), T(0.9), nesterov,
                                     decay);
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

}  // namespace

void compare_optimizers() {
  compare_optimizers_of<float>();
  compare_optimizers_of<double>();
}

}  // namespace isa_test
