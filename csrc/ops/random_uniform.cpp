#include "ops/random_uniform.h"

#include <algorithm>

#include "ops/chunks.h"

namespace dlnative {

namespace {

constexpr double kBlockCost = 12.0;  // nanoseconds of ten rounds

// The numbers that one block of four words makes; returns how many.
inline std::int64_t numbers_of(const Philox::Block& words, float* y) {
  for (std::size_t i = 0; i < 4; ++i) y[i] = static_cast<float>(words[i] >> 8) * 0x1p-24f;
  return 4;
}

inline std::int64_t numbers_of(const Philox::Block& words, double* y) {
  for (std::size_t i = 0; i < 2; ++i) y[i] = Philox::unit(words[2 * i], words[2 * i + 1]);
  return 2;
}

template <class T>
constexpr std::int64_t kPerBlock = 16 / static_cast<std::int64_t>(sizeof(T));

}  // namespace

template <class T>
RandomUniformOp<T>::RandomUniformOp(std::uint64_t seed, std::uint32_t op_id, std::int64_t n)
    : key_(Philox::key(seed, op_id)),
      n_(n),
      threads_(threads_for(static_cast<double>(n) * kBlockCost / kPerBlock<T>)) {}

template <class T>
void RandomUniformOp<T>::run(T* y, std::uint64_t step) const {
  static_assert(kChunk % kPerBlock<T> == 0, "a chunk begins with a block");
  for_each_chunk(n_, kChunk, threads_, [&](std::int64_t begin, std::int64_t size) {
    T numbers[kPerBlock<T>];
    for (std::int64_t i = 0; i < size; i += kPerBlock<T>) {
      const auto block = static_cast<std::uint64_t>((begin + i) / kPerBlock<T>);
      const std::int64_t count = numbers_of(Philox::words(key_, block, step), numbers);
      std::copy_n(numbers, std::min(count, size - i), y + begin + i);
    }
  });
}

template class RandomUniformOp<float>;
template class RandomUniformOp<double>;

}  // namespace dlnative
