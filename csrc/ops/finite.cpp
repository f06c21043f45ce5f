#include "ops/finite.h"

#include <algorithm>
#include <cmath>

#include "dispatch/dispatch.h"

namespace dlnative {

template <class T>
AllFiniteOp::Array<T>::Array(const T* x, std::int64_t n)
    : kernels(dlnative::kernels<T>().reduce), data(x), size(n), sum(n, 0.25) {}

template <class T>
bool AllFiniteOp::Array<T>::is_finite() const {
  const double total = sum.run(
      [this](std::int64_t begin, std::int64_t count) { return kernels->sum(data + begin, count); });
  return std::isfinite(total) ||
         std::all_of(data, data + size, [](T value) { return std::isfinite(value); });
}

void AllFiniteOp::add(const float* x, std::int64_t n) {
  floats_.emplace_back(x, n);
}

void AllFiniteOp::add(const double* x, std::int64_t n) {
  doubles_.emplace_back(x, n);
}

std::size_t AllFiniteOp::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  for (auto& array : floats_) array.sum.take(pieces);
  for (auto& array : doubles_) array.sum.take(pieces);
  return pieces.bytes();
}

bool AllFiniteOp::run() const {
  const auto is_finite = [](const auto& array) { return array.is_finite(); };
  return std::all_of(floats_.begin(), floats_.end(), is_finite) &&
         std::all_of(doubles_.begin(), doubles_.end(), is_finite);
}

}  // namespace dlnative
