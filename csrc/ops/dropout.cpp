#include "ops/dropout.h"

#include <algorithm>
#include <cmath>

#include "core/philox.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

constexpr double kElementCost = 0.8;  // nanoseconds, see Philox::kGroups in kernels/simd/philox.h
constexpr std::uint64_t kNothingKept = std::uint64_t{1} << 32;

}  // namespace

template <class T>
DropoutOp<T>::DropoutOp(std::uint64_t seed, std::uint32_t op_id, std::int64_t n)
    : kernel_(kernels<T>().elementwise->dropout),
      key0_(Philox::key(seed, op_id)[0]),
      key1_(Philox::key(seed, op_id)[1]),
      n_(n),
      threads_(threads_for(static_cast<double>(n) * kElementCost)) {}

template <class T>
void DropoutOp<T>::run(const T* x, T* y, double rate, std::uint64_t step) const {
  const double share = std::clamp(rate, 0.0, 1.0);  // NaN stays
  const std::uint64_t threshold = std::isnan(share) ? 0 : Philox::keep_threshold(share);
  const auto scale = static_cast<T>(1.0 / (1.0 - share));
  if (threshold == kNothingKept) {
    std::fill_n(y, n_, T(0));
    return;
  }
  for_each_chunk(n_, kChunk, threads_, [&](std::int64_t begin, std::int64_t size) {
    kernel_(x + begin, y + begin, size, static_cast<std::uint64_t>(begin), step, key0_, key1_,
            static_cast<std::uint32_t>(threshold), scale);
  });
}

template class DropoutOp<float>;
template class DropoutOp<double>;

}  // namespace dlnative
