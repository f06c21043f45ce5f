// Activations without parameters and their gradients as lines of loops. As instructions of their
// own they have factories, with parameters and epilogues.
#include <algorithm>

#include "dispatch/dispatch.h"
#include "ops/map_table.h"

namespace dlnative {

namespace {

// y[i] = f(x[i])
template <class T, Activation kActivation>
void forward(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  if (n == 0) return;
  const auto f =
      kernels<T>().elementwise->activation_forward[static_cast<std::size_t>(kActivation)];
  T* to = static_cast<T*>(y);
  const bool once = steps[0] == 0;
  f(static_cast<const T*>(in[0]), to, once ? 1 : n, ActivationParams{});
  if (once) std::fill_n(to, n, T(to[0]));
}

// dx[i] = dy[i] * f'(saved[i])
template <class T, Activation kActivation>
void backward(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  const auto f =
      kernels<T>().elementwise->activation_backward[static_cast<std::size_t>(kActivation)];
  const T* dy = static_cast<const T*>(in[0]);
  const T* saved = static_cast<const T*>(in[1]);
  T* to = static_cast<T*>(y);
  if (steps[0] != 0 && steps[1] != 0) {
    f(dy, saved, to, n, ActivationParams{});
    return;
  }
  if (n == 0) return;
  // One of them is a scalar, such as the cotangent of a row.
  constexpr std::int64_t kPiece = 256;
  T values[kPiece];
  std::fill_n(values, std::min(n, kPiece), steps[0] == 0 ? *dy : *saved);
  const T scalar = *saved;  // y may be where it lies
  for (std::int64_t i = 0; i < n; i += kPiece) {
    const std::int64_t size = std::min(kPiece, n - i);
    if (steps[0] != 0) {
      f(dy + i, values, to + i, size, ActivationParams{});
    } else if (steps[1] != 0) {
      f(values, saved + i, to + i, size, ActivationParams{});
    } else {
      f(values, &scalar, to + i, 1, ActivationParams{});
      std::fill_n(to + i, size, T(to[i]));
    }
  }
}

template <Activation kActivation>
void add(MapTable& table, const std::string& name, double nanoseconds) {
  const auto add_row = [&](const std::string& row_name, int operands, MapFunction f32,
                           MapFunction f64) {
    MapRow& row = table[row_name];
    row.operands = operands;
    row.is_instruction = false;
    row[DType::kFloat32] = {f32, Map::kCount, false, nanoseconds};
    row[DType::kFloat64] = {f64, Map::kCount, false, 2.5 * nanoseconds};
  };
  add_row(name, 1, forward<float, kActivation>, forward<double, kActivation>);
  add_row(name + "_backward", 2, backward<float, kActivation>, backward<double, kActivation>);
}

}  // namespace

void add_activation_maps(MapTable& table) {
  add<Activation::kRelu>(table, "relu", 0.15);
  add<Activation::kSelu>(table, "selu", 0.5);
  add<Activation::kGelu>(table, "gelu", 1.0);
  add<Activation::kSilu>(table, "silu", 0.6);
  add<Activation::kSigmoid>(table, "sigmoid", 0.5);
  add<Activation::kHardSigmoid>(table, "hard_sigmoid", 0.2);
  add<Activation::kTanh>(table, "tanh", 0.6);
  add<Activation::kSoftplus>(table, "softplus", 0.9);
  add<Activation::kSoftsign>(table, "softsign", 0.4);
  add<Activation::kExponential>(table, "exponential", 0.4);
}

}  // namespace dlnative
