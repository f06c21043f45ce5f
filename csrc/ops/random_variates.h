// Random numbers of distributions that are drawn by rejection: gamma and binomial. Attempt a for
// element i takes the block of words (i + a 2^48) of core/philox.h, so a result is a function of
// seed, op_id, step and i, whatever the others needed.
#pragma once

#include <cstdint>

#include "core/philox.h"

namespace dlnative {

// A parameter of a distribution: one number for each element (stride 1) or for all (stride 0).
struct Parameter {
  const double* data = nullptr;
  std::int64_t stride = 0;
  double operator[](std::int64_t i) const { return data[i * stride]; }
};

// y[i] = a number of the gamma distribution of shape alpha[i] and scale 1, or its logarithm, which
// keeps what underflows for a small alpha. NaN where alpha is not above 0, infinite where it is.
//
// Reference: Marsaglia and Tsang 2000, "A simple method for generating gamma variables".
template <class T>
class RandomGammaOp {
 public:
  RandomGammaOp(std::uint64_t seed, std::uint32_t op_id, bool log, std::int64_t n);
  void run(Parameter alpha, T* y, std::uint64_t step) const;

 private:
  Philox::Key key_;
  bool log_ = false;
  std::int64_t n_ = 0;
  int threads_ = 0;
};

// y[i] = how many of counts[i] trials succeed, each with the probability probabilities[i]. NaN
// where the count is no whole number of [0, 2^53] or the probability not in [0, 1].
//
// Reference: Hormann 1993, "The generation of binomial random variates", algorithm BTRS; inversion
// where less than 10 are expected.
template <class T>
class RandomBinomialOp {
 public:
  RandomBinomialOp(std::uint64_t seed, std::uint32_t op_id, std::int64_t n);
  void run(Parameter counts, Parameter probabilities, T* y, std::uint64_t step) const;

 private:
  Philox::Key key_;
  std::int64_t n_ = 0;
  int threads_ = 0;
};

extern template class RandomGammaOp<float>;
extern template class RandomGammaOp<double>;
extern template class RandomBinomialOp<float>;
extern template class RandomBinomialOp<double>;

}  // namespace dlnative
