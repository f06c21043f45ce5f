#include "ops/finite.h"

#include <algorithm>
#include <cstring>

#include "dispatch/dispatch.h"

namespace dlnative {

template <class T>
AllFiniteOp::Array<T>::Array(const T* x, std::int64_t n)
    : kernels(dlnative::kernels<T>().convert), data(x), size(n), wrong(n, 0.25) {}

namespace {

// Where the exponent of a value is all ones, adding 1 to it carries into the bit of the sign. Of a
// few values this takes less than to call a kernel.
bool few_are_finite(const float* x, std::int64_t n) {
  std::uint32_t carries = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    carries |= (bits & 0x7fffffffU) + 0x00800000U;
  }
  return carries >> 31 == 0;
}

bool few_are_finite(const double* x, std::int64_t n) {
  std::uint64_t carries = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    std::uint64_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    carries |= (bits & 0x7fffffffffffffffU) + 0x0010000000000000U;
  }
  return carries >> 63 == 0;
}

}  // namespace

template <class T>
bool AllFiniteOp::Array<T>::is_finite() const {
  if (size <= kFew) return few_are_finite(data, size);
  return wrong.run([this](std::int64_t begin, std::int64_t count) {
    return kernels->all_finite(data + begin, count) ? 0.0 : 1.0;
  }) == 0.0;
}

void AllFiniteOp::add(const float* x, std::int64_t n) {
  floats_.emplace_back(x, n);
}

void AllFiniteOp::add(const double* x, std::int64_t n) {
  doubles_.emplace_back(x, n);
}

std::size_t AllFiniteOp::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  for (auto& array : floats_) array.wrong.take(pieces);
  for (auto& array : doubles_) array.wrong.take(pieces);
  return pieces.bytes();
}

bool AllFiniteOp::run() const {
  const auto is_finite = [](const auto& array) { return array.is_finite(); };
  return std::all_of(floats_.begin(), floats_.end(), is_finite) &&
         std::all_of(doubles_.begin(), doubles_.end(), is_finite);
}

}  // namespace dlnative
