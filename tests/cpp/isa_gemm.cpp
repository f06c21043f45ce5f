// The matrix product: every tile, every layout, every epilogue; and the FMA loop of benchmarks.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "isa_harness.h"

namespace isa_test {
namespace {

using dlnative::Activation;
using dlnative::GemmBlock;
using dlnative::GemmEpilogue;

enum class Layout { kRows, kColumns, kStrided };
constexpr Layout kLayouts[] = {Layout::kRows, Layout::kColumns, Layout::kStrided};

// A matrix in memory: element (i, j) at i * rs + j * cs.
template <class T>
struct Matrix {
  const T* data;
  Index rs, cs;
};

// Puts rows x cols `values` into memory; leading dimensions have a gap, and the gaps are NaN.
template <class T>
Matrix<T> place(Call& c, const std::vector<T>& values, Index rows, Index cols, Layout layout,
                Index gap) {
  if (layout == Layout::kRows) return {c.input(values, rows, cols, cols + gap), cols + gap, 1};
  if (layout == Layout::kColumns) {
    std::vector<T> turned(values.size());
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < cols; ++j) {
        turned[static_cast<std::size_t>(j * rows + i)] =
            values[static_cast<std::size_t>(i * cols + j)];
      }
    }
    return {c.input(turned, cols, rows, rows + gap), 1, rows + gap};
  }
  // Each element is a row of its own, with a gap of one after it.
  if (rows * cols == 0) return {c.input(values), 2 * cols, 2};
  return {c.input(values, rows * cols, 1, 2), 2 * cols, 2};
}

struct Epilogue {
  const char* name;
  bool bias, relu, relu_saved, pre_activation;
  int activation, activation_backward;  // -1: none
};
constexpr int kNone = -1;
constexpr Epilogue kEpilogues[] = {
    {"", false, false, false, false, kNone, kNone},
    {" bias", true, false, false, false, kNone, kNone},
    {" relu", false, true, false, false, kNone, kNone},
    {" bias relu", true, true, false, false, kNone, kNone},
    {" relu_saved", false, false, true, false, kNone, kNone},
    {" bias relu_saved", true, false, true, false, kNone, kNone},
    {" pre_activation", true, false, false, true, kNone, kNone},
    {" activation", true, false, false, false, static_cast<int>(Activation::kLeakyRelu), kNone},
    {" pre_activation activation", true, false, false, true, static_cast<int>(Activation::kSigmoid),
     kNone},
    {" activation_backward", false, false, false, false, kNone,
     static_cast<int>(Activation::kLeakyRelu)},
};
constexpr int kEpilogueCount = sizeof(kEpilogues) / sizeof(kEpilogues[0]);

struct Shape {
  Index m, n, k;
};

enum class Data { kIntegers, kReals, kSpecial };

template <class T>
struct Case {
  Shape shape;
  Layout layout_a, layout_b;
  const Epilogue* epilogue;
  bool accumulate;
  Data data;
  std::vector<T> a, b, c, bias, saved;

  Case(Shape s, Layout of_a, Layout of_b, const Epilogue& e, bool accumulates, Data kind)
      : shape(s),
        layout_a(of_a),
        layout_b(of_b),
        epilogue(&e),
        accumulate(accumulates),
        data(kind) {
    const auto make = [kind](Index size, std::uint64_t seed) {
      return kind == Data::kReals ? reals<T>(size, -1, 1, seed) : integers<T>(size, -4, 4, seed);
    };
    a = make(s.m * s.k, 80);
    b = make(s.k * s.n, 81);
    if (accumulate) c = make(s.m * s.n, 82);
    bias = make(s.n, 83);
    saved = integers<T>(s.m * s.n, -1, 1, 84);
    if (kind == Data::kSpecial) {
      const T bad[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                       -std::numeric_limits<T>::infinity()};
      for (std::size_t i = 0; i < a.size(); i += 97) a[i] = bad[i % 3];
      for (std::size_t i = 5; i < b.size(); i += 89) b[i] = bad[i % 3];
      for (std::size_t i = 3; i < saved.size(); i += 7) saved[i] = bad[i % 3];
    }
  }

  std::string name() const {
    const char* letters = "rcs";  // rows, columns, strided
    return std::string(type_name<T>()) + " gemm m=" + std::to_string(shape.m) +
           " n=" + std::to_string(shape.n) + " k=" + std::to_string(shape.k) + " " +
           letters[static_cast<int>(layout_a)] + letters[static_cast<int>(layout_b)] +
           (data == Data::kIntegers ? " exact"
            : data == Data::kReals  ? ""
                                    : " special") +
           (accumulate ? " accumulate" : "") + epilogue->name;
  }

  Bound bound() const {
    // Integer sums are exact, but exp is not.
    if (data != Data::kReals && epilogue->activation != static_cast<int>(Activation::kSigmoid))
      return kExact;
    return rounding<T>(std::sqrt(static_cast<double>(shape.k)) + 1);
  }

  // C in blocks of rows x cols elements.
  void run(Call& call, const KernelTable& table, Index rows, Index cols) const {
    const auto [m, n, k] = shape;
    const auto& kernels = table.get<T>();
    const Index gap = (m + n + k) % 3;
    const Index ldc = n + gap;
    const Index ld_saved = n + (m + 2 * k) % 3;
    const Matrix<T> left = place(call, a, m, k, layout_a, gap);
    const Matrix<T> right = place(call, b, k, n, layout_b, 2 - gap);
    T* result = call.output(c, m, n, ldc);
    const Index scratch_size =
        kernels.gemm->scratch_elements(std::min(rows, m), std::min(cols, n), k);
    T* scratch = call.scratch<T>(scratch_size);
    const Epilogue& e = *epilogue;
    const T* added = e.bias ? call.input(bias) : nullptr;
    T* pre = e.pre_activation ? call.output(std::vector<T>(), m, n, ldc) : nullptr;
    const bool uses_saved = e.relu_saved || e.activation_backward != kNone;
    const T* kept = uses_saved ? call.input(saved, m, n, ld_saved) : nullptr;

    for (Index i = 0; i < m; i += rows) {
      for (Index j = 0; j < n; j += cols) {
        GemmEpilogue<T> epilogue_here;
        if (added != nullptr) epilogue_here.bias = added + j;
        epilogue_here.relu = e.relu;
        if (e.relu_saved) epilogue_here.relu_saved = kept + i * ld_saved + j;
        if (e.activation != kNone)
          epilogue_here.activation = kernels.elementwise->activation_forward[e.activation];
        if (pre != nullptr) epilogue_here.pre_activation = pre + i * ldc + j;
        if (e.activation_backward != kNone) {
          epilogue_here.activation_backward =
              kernels.elementwise->activation_backward[e.activation_backward];
          epilogue_here.saved = kept + i * ld_saved + j;
        }
        epilogue_here.ld_saved = ld_saved;
        epilogue_here.params.alpha = 0.25;
        GemmBlock<T> block;
        block.a = left.data + i * left.rs;
        block.b = right.data + j * right.cs;
        block.c = result + i * ldc + j;
        block.rs_a = left.rs;
        block.cs_a = left.cs;
        block.rs_b = right.rs;
        block.cs_b = right.cs;
        block.ldc = ldc;
        block.m = std::min(rows, m - i);
        block.n = std::min(cols, n - j);
        block.k = k;
        block.accumulate = accumulate;
        block.epilogue = &epilogue_here;
        block.scratch = scratch;
        kernels.gemm->block(block);
      }
    }
  }

  void compare_all() const {
    compare(name(), bound(),
            [this](Call& call, const KernelTable& table) { run(call, table, shape.m, shape.n); });
  }
  void compare_blocks(Index rows, Index cols) const {
    compare_parts(
        name() + " blocks of " + std::to_string(rows) + " x " + std::to_string(cols),
        [this](Call& call, const KernelTable& table) { run(call, table, shape.m, shape.n); },
        [=](Call& call, const KernelTable& table) { run(call, table, rows, cols); });
  }
};

// Every shape with every layout; epilogues, accumulation and kinds of data take turns.
template <class T>
void compare_shapes() {
  int turn = 0, shapes = 0;
  for (const Index m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 25, 241}) {
    for (const Index n : {1, 7, 8, 9, 10, 15, 16, 17, 31, 33, 48, 63, 64, 65, 130}) {
      for (const Index k : {0, 1, 2, 7, 33, 385}) {
        ++shapes;
        for (const Layout a : kLayouts) {
          for (const Layout b : kLayouts) {
            ++turn;
            // The largest ones have a third of the layouts each.
            const int layouts = static_cast<int>(a) + static_cast<int>(b) + shapes;
            if (m * n * k > 1000000 && layouts % 3 != 0) continue;
            Case<T>({m, n, k}, a, b, kEpilogues[turn % kEpilogueCount],
                    turn / kEpilogueCount % 2 == 1,
                    turn / 3 % 2 == 0 ? Data::kIntegers : Data::kReals)
                .compare_all();
          }
        }
      }
    }
  }
}

// Every epilogue with every layout, on a few shapes.
template <class T>
void compare_epilogues() {
  for (const Shape shape :
       {Shape{1, 17, 33}, Shape{7, 65, 33}, Shape{13, 64, 2}, Shape{6, 130, 40}}) {
    for (const Layout a : kLayouts) {
      for (const Layout b : kLayouts) {
        for (const Epilogue& e : kEpilogues) {
          for (const bool accumulate : {false, true}) {
            Case<T>(shape, a, b, e, accumulate, Data::kIntegers).compare_all();
            Case<T>(shape, a, b, e, accumulate, Data::kSpecial).compare_all();
          }
        }
      }
    }
  }
}

// Shapes beyond the blocks of all tables: A packed (7 panels of B: 448 columns with AVX-512),
// several blocks of rows (144 to 216), of products (256, 576) and of columns (1024); rows of A
// outside a few panels of B.
template <class T>
void compare_large() {
  int turn = 0;
  for (const Shape shape : {Shape{5, 449, 40}, Shape{6, 448, 70}, Shape{13, 470, 600},
                            Shape{250, 449, 20}, Shape{13, 1100, 33}, Shape{245, 1030, 7},
                            Shape{260, 449, 390}, Shape{3, 20, 1200}, Shape{230, 40, 590}}) {
    for (const Layout a : kLayouts) {
      for (const Layout b : kLayouts) {
        if (shape.m * shape.n * shape.k > 10000000 && a != b) continue;
        const Epilogue& e = kEpilogues[turn % kEpilogueCount];
        Case<T>(shape, a, b, e, turn % 2 == 0, Data::kIntegers).compare_all();
        turn += 3;
      }
    }
  }
}

// Any block of C has the bits that it has in the whole.
template <class T>
void compare_cuts() {
  for (const Layout a : kLayouts) {
    for (const Layout b : kLayouts) {
      for (const Epilogue& e : {kEpilogues[0], kEpilogues[3]}) {
        const Case<T> small({25, 130, 33}, a, b, e, false, Data::kReals);
        small.compare_blocks(1, 130);
        small.compare_blocks(7, 64);
        small.compare_blocks(25, 17);
        small.compare_blocks(12, 1);
      }
    }
  }
  const Case<T> deep({25, 70, 800}, Layout::kRows, Layout::kRows, kEpilogues[1], true,
                     Data::kReals);
  deep.compare_blocks(4, 33);
  const Case<T> packed({13, 470, 50}, Layout::kRows, Layout::kColumns, kEpilogues[1], false,
                       Data::kReals);
  packed.compare_blocks(13, 65);
  packed.compare_blocks(2, 470);
  const Case<T> tall({241, 70, 50}, Layout::kColumns, Layout::kRows, kEpilogues[3], false,
                     Data::kReals);
  tall.compare_blocks(31, 70);
}

}  // namespace

void compare_gemm() {
  compare_shapes<float>();
  compare_shapes<double>();
  compare_epilogues<float>();
  compare_epilogues<double>();
  compare_large<float>();
  compare_large<double>();
  compare_cuts<float>();
  compare_cuts<double>();
  compare("fma_loop", kExact, [](Call& c, const KernelTable& table) {
    // Operations per byte of the vector and iteration are the same for all.
    c.result(table.fma_loop_f32(20) / table.vector_bytes);
    c.result(table.fma_loop_f64(20) / table.vector_bytes);
  });
}

}  // namespace isa_test
