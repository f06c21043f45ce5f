// Kernels that combine elements, and those that work on rows: reductions, softmax, losses.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "isa_harness.h"

namespace isa_test {
namespace {

using dlnative::Loss;
using dlnative::LossArgs;

// The last ones are beyond the blocks of sums (2048) and those of extrema.
constexpr Index kLengths[] = {0,  1,  2,  3,   7,   8,   9,   15,  16,   17,   31,   32,  33,
                              63, 64, 65, 100, 127, 128, 129, 257, 2047, 2048, 2049, 4500};

std::string sized(const std::string& name, Index rows, Index cols) {
  return name + " rows=" + std::to_string(rows) + " cols=" + std::to_string(cols);
}

template <class T>
void compare_sums() {
  for (const Index n : kLengths) {
    for (const bool whole : {true, false}) {
      const auto x = whole ? integers<T>(n, -9, 9, 40) : reals<T>(n, -1, 1, 40);
      const auto y = whole ? integers<T>(n, -9, 9, 41) : reals<T>(n, -1, 1, 41);
      const std::string name =
          std::string(type_name<T>()) + (whole ? " exact " : " ") + "sums n=" + std::to_string(n);
      compare(name, whole ? kExact : rounding<T>(static_cast<double>(n)),
              [&](Call& c, const KernelTable& table) {
                const auto& reduce = *table.get<T>().reduce;
                const T* a = c.input(x);
                const T* b = c.input(y);
                c.result(reduce.sum(a, n));
                c.result(reduce.sum_of_squares(a, n));
                c.result(reduce.dot(a, b, n));
              });
    }
  }
}

template <class T>
void compare_extrema() {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  const auto extrema = [](Call& c, const KernelTable& table, const T* x, Index n) {
    const auto& reduce = *table.get<T>().reduce;
    c.result(static_cast<double>(reduce.max(x, n)));
    c.result(static_cast<double>(reduce.min(x, n)));
    c.result(static_cast<double>(reduce.argmax(x, n)));
  };
  for (const Index n : kLengths) {
    if (n == 0) continue;  // has no extremum
    const std::string name = std::string(type_name<T>()) + " extrema n=" + std::to_string(n);
    const std::vector<T> inputs[] = {
        reals<T>(n, -1, 1, 42),
        reals<T>(n, 1, 2, 43),
        reals<T>(n, -2, -1, 44),
        integers<T>(n, 1, 3, 45),
        std::vector<T>(static_cast<std::size_t>(n), -kInfinity),
        special_values<T>(n, 46),
    };
    for (const std::vector<T>& input : inputs) {
      compare(name, kExact,
              [&](Call& c, const KernelTable& table) { extrema(c, table, c.input(input), n); });
    }
    compare(name + " at every place", kExact, [&](Call& c, const KernelTable& table) {
      T* x = c.output(inputs[0]);
      const Index step = n > 300 ? 61 : 1;
      for (Index i = 0; i < n; i += step) {
        const T old = x[i];
        for (const T extreme : {T(5), T(-5), kInfinity, std::numeric_limits<T>::quiet_NaN()}) {
          x[i] = extreme;
          extrema(c, table, x, n);
        }
        x[i] = old;
      }
    });
  }
}

template <class T>
void compare_sum_rows() {
  for (const Index rows : {0, 1, 2, 3, 4, 5, 7, 9, 30, 255, 256, 257, 600}) {
    for (const Index cols :
         {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 255, 256, 257, 300}) {
      if (rows > 30 && cols > 65) continue;
      for (const bool whole : {true, false}) {
        const auto x =
            whole ? integers<T>(rows * cols, -9, 9, 47) : reals<T>(rows * cols, -1, 1, 47);
        const auto out = integers<T>(cols, -9, 9, 48);
        const Index gap = (rows + cols) % 2 * 5;
        for (const bool accumulate : {false, true}) {
          compare(
              sized(std::string(type_name<T>()) + (accumulate ? " accumulate" : "") + " sum_rows",
                    rows, cols),
              whole ? kExact : rounding<T>(static_cast<double>(rows)),
              [&](Call& c, const KernelTable& table) {
                const T* from = c.input(x, rows, cols, cols + gap);
                T* to = accumulate ? c.output(out) : c.output<T>(cols);
                table.get<T>().reduce->sum_rows(from, cols + gap, to, rows, cols, accumulate);
              });
        }
      }
    }
  }
}

// --- softmax -------------------------------------------------------------------------------------

constexpr Index kRows[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33};
// 1030 and 2100 are beyond the 128 vectors of a partial sum.
constexpr Index kColumns[] = {1,  2,  3,  4,  7,  8,  9,  10,  15,  16,   17,  24,
                              31, 32, 33, 48, 63, 64, 65, 100, 257, 1030, 2100};

template <class T>
void compare_softmax_of() {
  using Forward = void (*)(const T*, T*, Index, Index);
  using Backward = void (*)(const T*, const T*, T*, Index, Index);
  for (const bool log : {false, true}) {
    const std::string name = std::string(type_name<T>()) + (log ? " log_softmax" : " softmax");
    const auto forward = [log](const KernelTable& table) -> Forward {
      const auto& softmax = *table.get<T>().softmax;
      return log ? softmax.log_softmax : softmax.softmax;
    };
    const auto backward = [log](const KernelTable& table) -> Backward {
      const auto& softmax = *table.get<T>().softmax;
      return log ? softmax.log_softmax_backward : softmax.softmax_backward;
    };
    for (const Index cols : kColumns) {
      for (const Index rows : kRows) {
        if (rows > 3 && cols > 300) continue;
        const Index n = rows * cols;
        std::vector<T> x = reals<T>(n, -8, 8, 50);
        if (n > 40) x[static_cast<std::size_t>(n) / 2] = std::numeric_limits<T>::quiet_NaN();
        if (n > 50) x[7] = -std::numeric_limits<T>::infinity();
        const auto y = log ? reals<T>(n, -9, 0, 51) : reals<T>(n, 0, 1, 51);
        const auto dy = reals<T>(n, -1, 1, 52);
        const Bound bound = rounding<T>(log ? 16 : 0);
        // Sums of dy y, or of dy, cancel.
        const Bound gradient_bound = rounding<T>(static_cast<double>(cols));
        compare(sized(name, rows, cols), bound, [&](Call& c, const KernelTable& table) {
          const T* from = c.input(x);
          forward(table)(from, c.output<T>(n), rows, cols);
          T* in_place = c.output(x);
          forward(table)(in_place, in_place, rows, cols);
        });
        compare(sized(name + "_backward", rows, cols), gradient_bound,
                [&](Call& c, const KernelTable& table) {
                  const T* d = c.input(dy);
                  const T* saved = c.input(y);
                  backward(table)(d, saved, c.output<T>(n), rows, cols);
                  T* in_place = c.output(dy);
                  backward(table)(in_place, saved, in_place, rows, cols);
                });
        const auto in_pieces = [&](Index piece) {
          return [&, piece](Call& c, const KernelTable& table) {
            T* z = c.output(x);
            T* dz = c.output(dy);
            const T* saved = c.input(y);
            for (Index r = 0; r < rows; r += piece) {
              const Index count = std::min(piece, rows - r);
              forward(table)(z + r * cols, z + r * cols, count, cols);
              backward(table)(dz + r * cols, saved + r * cols, dz + r * cols, count, cols);
            }
          };
        };
        compare_parts(sized(name, rows, cols), in_pieces(rows), in_pieces(1));
      }
    }
  }
}

// --- losses --------------------------------------------------------------------------------------

struct LossTest {
  const char* name;
  bool sparse;
  double low, high;  // of predictions
};
constexpr LossTest kLosses[] = {
    {"softmax_cross_entropy", false, -6, 6},
    {"sparse_softmax_cross_entropy", true, -6, 6},
    {"categorical_cross_entropy", false, 0.01, 1},
    {"sparse_categorical_cross_entropy", true, 0.01, 1},
    {"binary_cross_entropy_with_logits", false, -9, 9},
    {"binary_cross_entropy", false, 0.001, 0.999},
    {"mean_squared_error", false, -3, 3},
    {"mean_absolute_error", false, -3, 3},
};
static_assert(sizeof(kLosses) / sizeof(kLosses[0]) == static_cast<std::size_t>(Loss::kCount),
              "one test per loss");

// Which optional arrays a call has.
struct LossForm {
  bool losses, dpred, in_place, dloss, weight, smoothing;
};
constexpr LossForm kForms[] = {
    {true, false, false, false, false, false}, {false, true, false, false, false, false},
    {true, true, false, true, false, false},   {true, true, true, false, true, false},
    {true, true, false, false, false, true},   {false, true, true, true, false, true},
};

template <class T>
void compare_loss(int loss, const LossForm& form, Index rows, Index cols) {
  const LossTest& test = kLosses[loss];
  const Index n = rows * cols;
  std::vector<T> pred = reals<T>(n, test.low, test.high, 60);
  std::vector<T> labels = reals<T>(n, 0, 1, 61);
  if (loss == static_cast<int>(Loss::kBinaryCrossEntropy) && n > 4)
    pred[2] = 0, pred[4] = 1;  // clipped
  if (loss == static_cast<int>(Loss::kCategoricalCrossEntropy) && n > 4 && cols > 4) pred[2] = 0;
  if (loss == static_cast<int>(Loss::kMeanAbsoluteError) && n > 4) pred[2] = labels[2];
  std::vector<std::int32_t> classes =
      integers<std::int32_t>(rows, 0, static_cast<int>(cols) - 1, 62);
  if (rows > 5) classes[3] = -1, classes[5] = static_cast<std::int32_t>(cols);  // give NaN
  const auto dloss = reals<T>(rows, -1, 1, 63), weight = reals<T>(rows, 0, 1, 64);
  compare(sized(std::string(type_name<T>()) + " " + test.name, rows, cols),
          rounding<T>(test.high > 6 ? 10 : 4), [&](Call& c, const KernelTable& table) {
            LossArgs<T> a{};
            T* changed = form.in_place ? c.output(pred) : nullptr;
            a.pred = form.in_place ? changed : c.input(pred);
            a.labels = test.sparse ? static_cast<const void*>(c.input(classes)) : c.input(labels);
            a.dloss = form.dloss ? c.input(dloss) : nullptr;
            a.weight = form.weight ? c.input(weight) : nullptr;
            a.losses = form.losses ? c.output<T>(rows) : nullptr;
            a.dpred = !form.dpred ? nullptr : form.in_place ? changed : c.output<T>(n);
            a.rows = rows;
            a.cols = cols;
            a.dloss_scalar = T(0.75);
            a.label_smoothing = form.smoothing ? T(0.1) : T(0);
            table.get<T>().loss->loss[loss](a);
          });
}

template <class T>
void compare_losses_of() {
  int turn = 0;
  for (int loss = 0; loss < static_cast<int>(Loss::kCount); ++loss) {
    for (const Index cols : kColumns) {
      for (const Index rows : {0, 1, 3, 7, 8, 9, 16, 17, 32, 33, 65}) {
        if (rows > 3 && cols > 65) continue;
        // Two forms of six at a time: over all sizes each meets each.
        for (int i = 0; i < 2; ++i) compare_loss<T>(loss, kForms[turn++ % 6], rows, cols);
        ++turn;
      }
    }
  }
}

template <class T>
void compare_accuracies() {
  for (const Index cols : kColumns) {
    for (const Index rows : {0, 1, 7, 16, 33}) {
      if (rows > 7 && cols > 300) continue;
      const Index n = rows * cols;
      std::vector<T> pred = integers<T>(n, 0, 9, 70);
      if (n > 20) pred[13] = std::numeric_limits<T>::quiet_NaN();
      const auto labels = integers<T>(n, 0, 1, 71);
      const auto classes =
          integers<std::int32_t>(rows, 0, static_cast<int>(std::min<Index>(cols, 3)) - 1, 72);
      compare(sized(std::string(type_name<T>()) + " accuracies", rows, cols), kExact,
              [&](Call& c, const KernelTable& table) {
                const auto& loss = *table.get<T>().loss;
                const T* p = c.input(pred);
                const T* t = c.input(labels);
                loss.categorical_accuracy(p, t, c.output<T>(rows), rows, cols);
                loss.sparse_categorical_accuracy(p, c.input(classes), c.output<T>(rows), rows,
                                                 cols);
                loss.binary_accuracy(p, t, c.output<T>(rows), rows, cols, T(4));
              });
    }
  }
}

}  // namespace

void compare_reductions() {
  compare_sums<float>();
  compare_sums<double>();
  compare_extrema<float>();
  compare_extrema<double>();
  compare_sum_rows<float>();
  compare_sum_rows<double>();
}

void compare_softmax() {
  compare_softmax_of<float>();
  compare_softmax_of<double>();
}

void compare_losses() {
  compare_losses_of<float>();
  compare_losses_of<double>();
  compare_accuracies<float>();
  compare_accuracies<double>();
}

}  // namespace isa_test
