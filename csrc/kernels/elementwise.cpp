// Elementwise kernels: activations and their gradients, rescaling, bias, dropout.
//
// Every kernel is one loop over whole vectors and one masked vector for the rest; both run the same
// expression, so an element's bits do not depend on its place in the array.
#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/simd/activations.h"
#include "kernels/simd/philox.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// y[i] = f(x[i])
template <class T, class F>
DLNATIVE_INLINE void map(const T* x, T* y, std::int64_t n, F f) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) store<T>(y + i, f(load<T>(x + i)));
  if (i < n) store_first(y + i, f(load_first(x + i, n - i)), n - i);
}

// y[i] = f(a[i], b[i])
template <class T, class F>
DLNATIVE_INLINE void map(const T* a, const T* b, T* y, std::int64_t n, F f) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    store<T>(y + i, f(load<T>(a + i), load<T>(b + i)));
  }
  if (i < n) store_first(y + i, f(load_first(a + i, n - i), load_first(b + i, n - i)), n - i);
}

template <class T>
DLNATIVE_INLINE void copy(const T* x, T* y, std::int64_t n) {
  if (x != y) map(x, y, n, [](Vec<T> v) { return v; });
}

template <class T, class F>
void activation(const T* x, T* y, std::int64_t n, const ActivationParams& params) {
  const Params<T> p(params);
  map(x, y, n, [&p](Vec<T> v) { return F::template forward<T>(v, p); });
}

template <class T, class F>
void gradient(const T* dy, const T* saved, T* dx, std::int64_t n, const ActivationParams& params) {
  const Params<T> p(params);
  map(dy, saved, dx, n, [&p](Vec<T> d, Vec<T> s) { return F::template backward<T>(d, s, p); });
}

template <class T>
void linear(const T* x, T* y, std::int64_t n, const ActivationParams&) {
  copy(x, y, n);
}

template <class T>
void linear_gradient(const T* dy, const T*, T* dx, std::int64_t n, const ActivationParams&) {
  copy(dy, dx, n);
}

template <class T>
void zero_gradient(const T*, const T*, T* dx, std::int64_t n, const ActivationParams&) {
  __builtin_memset(dx, 0, static_cast<std::size_t>(n) * sizeof(T));
}

template <class T>
void rescale(const T* x, T* y, std::int64_t n, T scale, T offset) {
  map(x, y, n, [=](Vec<T> v) { return v * scale + offset; });
}

template <class T>
void add_bias(T* y, std::int64_t ldy, const T* bias, std::int64_t rows, std::int64_t cols) {
  for (std::int64_t r = 0; r < rows; ++r) {
    T* row = y + r * ldy;
    map(row, bias, row, cols, [](Vec<T> u, Vec<T> v) { return u + v; });
  }
}

// The elements whose words are at least `threshold` are kept.
DLNATIVE_INLINE Mask<float> kept(const std::uint32_t* words, std::uint32_t threshold, float) {
  Bits<float> w;
  __builtin_memcpy(&w, words, sizeof(w));
  return w >= threshold;
}
DLNATIVE_INLINE Mask<double> kept(const std::uint32_t* words, std::uint32_t threshold, double) {
  typedef std::uint32_t Half __attribute__((vector_size(kVectorBytes / 2)));
  Half w;
  __builtin_memcpy(&w, words, sizeof(w));
  return __builtin_convertvector(w, Mask<double>) >= static_cast<std::int64_t>(threshold);
}

// At most Philox::kWords elements, with their words at hand.
template <class T>
DLNATIVE_INLINE void drop(const T* x, T* y, std::int64_t n, const std::uint32_t* words,
                          std::uint32_t threshold, T scale) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    store<T>(y + i, kept(words + i, threshold, T{}) ? load<T>(x + i) * scale : Vec<T>{});
  }
  if (i == n) return;
  const Vec<T> rest = load_first(x + i, n - i) * scale;
  store_first(y + i, kept(words + i, threshold, T{}) ? rest : Vec<T>{}, n - i);
}

template <class T>
void dropout(const T* x, T* y, std::int64_t n, std::uint64_t first, std::uint64_t step,
             std::uint32_t key0, std::uint32_t key1, std::uint32_t threshold, T scale) {
  const Philox philox(step, key0, key1);
  // `drop` may read a vector beyond the words of an incomplete piece.
  alignas(64) std::uint32_t words[Philox::kWords + kLanes<float>] = {};
  std::uint64_t block = first / 4;
  std::int64_t i = 0;
  if (first % 4 != 0 && n > 0) {
    const auto skip = static_cast<std::int64_t>(first % 4);
    philox.words(block, words);
    i = 4 - skip < n ? 4 - skip : n;
    drop(x, y, i, words + skip, threshold, scale);
    ++block;
  }
  for (; i + Philox::kWords <= n; i += Philox::kWords, block += Philox::kWords / 4) {
    philox.words(block, words);
    drop<T>(x + i, y + i, Philox::kWords, words, threshold, scale);
  }
  if (i < n) {
    philox.words(block, words);
    drop(x + i, y + i, n - i, words, threshold, scale);
  }
}

template <class T, class F>
constexpr void set_activation(ElementwiseKernels<T>& table, Activation id) {
  table.activation_forward[static_cast<int>(id)] = activation<T, F>;
  table.activation_backward[static_cast<int>(id)] = gradient<T, F>;
}

template <class T>
constexpr ElementwiseKernels<T> make_table() {
  ElementwiseKernels<T> table = {};
  table.activation_forward[static_cast<int>(Activation::kLinear)] = linear<T>;
  table.activation_backward[static_cast<int>(Activation::kLinear)] = linear_gradient<T>;
  set_activation<T, Relu>(table, Activation::kRelu);
  set_activation<T, LeakyRelu>(table, Activation::kLeakyRelu);
  set_activation<T, Elu>(table, Activation::kElu);
  set_activation<T, Selu>(table, Activation::kSelu);
  set_activation<T, Gelu>(table, Activation::kGelu);
  set_activation<T, GeluTanh>(table, Activation::kGeluTanh);
  set_activation<T, Silu>(table, Activation::kSilu);
  set_activation<T, Sigmoid>(table, Activation::kSigmoid);
  set_activation<T, HardSigmoid>(table, Activation::kHardSigmoid);
  set_activation<T, Tanh>(table, Activation::kTanh);
  set_activation<T, Softplus>(table, Activation::kSoftplus);
  set_activation<T, Softsign>(table, Activation::kSoftsign);
  set_activation<T, Exponential>(table, Activation::kExponential);
  table.activation_forward[static_cast<int>(Activation::kStep)] = activation<T, Step>;
  table.activation_backward[static_cast<int>(Activation::kStep)] = zero_gradient<T>;
  set_activation<T, ReluGeneral>(table, Activation::kReluGeneral);
  table.rescale = rescale<T>;
  table.add_bias = add_bias<T>;
  table.dropout = dropout<T>;
  return table;
}

}  // namespace

extern const ElementwiseKernels<float> elementwise_f32;
extern const ElementwiseKernels<double> elementwise_f64;
const ElementwiseKernels<float> elementwise_f32 = make_table<float>();
const ElementwiseKernels<double> elementwise_f64 = make_table<double>();

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
