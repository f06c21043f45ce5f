// Uniform random numbers that are a function of seed, op, step and element.
#pragma once

#include <cstdint>

#include "core/philox.h"

namespace dlnative {

// y[i] = numbers of [0, 1) for n values. With the words of core/philox.h, float32: the upper 24
// bits of word i, divided by 2^24; float64: the upper 27 bits of word 2 i and the upper 26 of word
// 2 i + 1, divided by 2^53.
template <class T>
class RandomUniformOp {
 public:
  RandomUniformOp(std::uint64_t seed, std::uint32_t op_id, std::int64_t n);
  void run(T* y, std::uint64_t step) const;

 private:
  Philox::Key key_;
  std::int64_t n_ = 0;
  int threads_ = 0;
};

extern template class RandomUniformOp<float>;
extern template class RandomUniformOp<double>;

}  // namespace dlnative
