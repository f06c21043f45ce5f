// Philox4x32-10, the counter-based random number generator behind dropout, shuffling and
// initialisation. A draw is a pure function of (seed, op, step, element), so it does not depend on
// the number of threads or on the order of evaluation, and the backward pass recomputes a mask
// instead of storing it.
//
// Reference: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cstdint>

namespace dlnative {

class Philox {
 public:
  using Key = std::array<std::uint32_t, 2>;
  using Block = std::array<std::uint32_t, 4>;

  // The bijection itself: ten rounds over one 128-bit counter.
  static constexpr Block generate(const Block& counter, const Key& key) noexcept {
    Block x = counter;
    std::uint32_t key0 = key[0];
    std::uint32_t key1 = key[1];
    for (int round = 0; round < kRounds; ++round) {
      const std::uint64_t product0 = std::uint64_t{kMultiplier0} * x[0];
      const std::uint64_t product1 = std::uint64_t{kMultiplier1} * x[2];
      x = Block{high(product1) ^ x[1] ^ key0, low(product1), high(product0) ^ x[3] ^ key1,
                low(product0)};
      key0 += kWeyl0;
      key1 += kWeyl1;
    }
    return x;
  }

  // The stream of one random op in a graph: the op's number is folded into the low half of the key.
  static constexpr Key key(std::uint64_t seed, std::uint32_t op_id) noexcept {
    return Key{low(seed) ^ op_id, high(seed)};
  }

  // The four words that belong to elements 4 * block ... 4 * block + 3 at training step `step`.
  static constexpr Block words(const Key& key, std::uint64_t block, std::uint64_t step) noexcept {
    return generate(Block{low(block), high(block), low(step), high(step)}, key);
  }

  // The word of one element. Ten rounds for a quarter of a block: use `words` in loops.
  static constexpr std::uint32_t word(const Key& key, std::uint64_t element,
                                      std::uint64_t step) noexcept {
    return words(key, element / 4, step)[element % 4];
  }

  // A multiple of 2^-53 in [0, 1) from two words: the upper 27 bits of one, the upper 26 of
  // another.
  static constexpr double unit(std::uint32_t upper, std::uint32_t lower) noexcept {
    const std::uint64_t bits = (std::uint64_t{upper >> 5} << 26) + (lower >> 6);
    return static_cast<double>(bits) * 0x1p-53;
  }

  // The smallest word that means "keep" when a share `rate` in [0, 1) of the elements is dropped:
  // round(rate * 2^32), halves upwards. It may be 2^32 (rate within 2^-33 of 1: nothing is kept),
  // hence 64 bits.
  static constexpr std::uint64_t keep_threshold(double rate) noexcept {
    return static_cast<std::uint64_t>(rate * 4294967296.0 + 0.5);
  }

 private:
  static constexpr int kRounds = 10;
  static constexpr std::uint32_t kMultiplier0 = 0xD2511F53u;
  static constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57u;
  static constexpr std::uint32_t kWeyl0 = 0x9E3779B9u;  // golden ratio
  static constexpr std::uint32_t kWeyl1 = 0xBB67AE85u;  // sqrt(3) - 1

  static constexpr std::uint32_t low(std::uint64_t x) noexcept {
    return static_cast<std::uint32_t>(x);
  }
  static constexpr std::uint32_t high(std::uint64_t x) noexcept {
    return static_cast<std::uint32_t>(x >> 32);
  }
};

}  // namespace dlnative
