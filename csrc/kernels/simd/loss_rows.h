// What the kernel files of losses share: the scale of a row's gradient, the clipping of
// probabilities, and the names that cross_entropy.cpp gives to the table in loss.cpp.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

void softmax_cross_entropy(const LossArgs<float>& args);
void softmax_cross_entropy(const LossArgs<double>& args);
void sparse_softmax_cross_entropy(const LossArgs<float>& args);
void sparse_softmax_cross_entropy(const LossArgs<double>& args);
void categorical_cross_entropy(const LossArgs<float>& args);
void categorical_cross_entropy(const LossArgs<double>& args);
void sparse_categorical_cross_entropy(const LossArgs<float>& args);
void sparse_categorical_cross_entropy(const LossArgs<double>& args);

namespace {

// d total / d loss of row r.
template <class T>
DLNATIVE_INLINE T row_scale(const LossArgs<T>& a, std::int64_t r) {
  if (a.dloss != nullptr) return a.dloss[r];
  return a.weight != nullptr ? a.dloss_scalar * a.weight[r] : a.dloss_scalar;
}

template <class T>
DLNATIVE_INLINE Vec<T> row_scales(const LossArgs<T>& a, std::int64_t r, std::int64_t n) {
  if (a.dloss != nullptr) return load_upto(a.dloss + r, n);
  const Vec<T> scale = broadcast(a.dloss_scalar);
  return a.weight != nullptr ? scale * load_upto(a.weight + r, n) : scale;
}

// Probabilities are clipped to [1e-7, 1 - 1e-7], as in Keras. The gradient is zero where that
// changes them.
template <class T>
constexpr T kLowest = static_cast<T>(1e-7);
template <class T>
constexpr T kHighest = static_cast<T>(1.0 - 1e-7);

template <class T>
DLNATIVE_INLINE Vec<T> clip(Vec<T> p) {
  return at_most<T>(at_least<T>(p, kLowest<T>), kHighest<T>);
}

template <class T>
DLNATIVE_INLINE Mask<T> is_clipped(Vec<T> p) {
  return (p < kLowest<T>) | (p > kHighest<T>);
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
