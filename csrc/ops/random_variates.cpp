#include "ops/random_variates.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "ops/chunks.h"

namespace dlnative {

namespace {

constexpr double kCost = 90.0;  // nanoseconds of an element: logarithms, and an attempt or two
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kTwoPi = 6.283185307179586476925;

// So many are never needed: most are accepted.
constexpr std::uint64_t kAttempts = 65535;
constexpr std::uint64_t kBoost = kAttempts;  // numbers the block of a factor that is no attempt

Philox::Block words_of(const Philox::Key& key, std::int64_t element, std::uint64_t attempt,
                       std::uint64_t step) {
  return Philox::words(key, static_cast<std::uint64_t>(element) + (attempt << 48), step);
}

// Multiples of 2^-53 and of 2^-32, moved by half of that: never 0.
double above_0(std::uint32_t high, std::uint32_t low) {
  return Philox::unit(high, low) + 0x1p-54;
}

double above_0(std::uint32_t word) {
  return (static_cast<double>(word) + 0.5) * 0x1p-32;
}

// The logarithm of a gamma number for alpha >= 1.
double log_gamma_number(const Philox::Key& key, std::int64_t element, std::uint64_t step,
                        double alpha) {
  const double d = alpha - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    const Philox::Block words = words_of(key, element, attempt, step);
    const double radius = std::sqrt(-2.0 * std::log(above_0(words[0], words[1])));
    const double x = radius * std::cos(kTwoPi * above_0(words[2]));
    const double root = 1.0 + c * x;
    if (root <= 0.0) continue;
    const double v = root * root * root;
    const double log_v = 3.0 * std::log(root);
    if (std::log(above_0(words[3])) < 0.5 * x * x + d * (1.0 - v + log_v)) {
      return std::log(d) + log_v;
    }
  }
  return kNaN;
}

// A gamma number of alpha + 1, times u^(1 / alpha), has the distribution of alpha < 1.
double log_gamma(const Philox::Key& key, std::int64_t element, std::uint64_t step, double alpha) {
  if (!(alpha > 0.0)) return kNaN;
  if (std::isinf(alpha)) return alpha;
  if (alpha >= 1.0) return log_gamma_number(key, element, step, alpha);
  const Philox::Block words = words_of(key, element, kBoost, step);
  const double power = std::log(above_0(words[0], words[1])) / alpha;
  return log_gamma_number(key, element, step, alpha + 1.0) + power;
}

// What Stirling's formula leaves: log(k!) - (k + 1/2) log(k + 1) + (k + 1) - log(2 pi) / 2.
double stirling_tail(double k) {
  static constexpr std::array<double, 10> kTails = {
      0.0810614667953272,  0.0413406959554092,  0.0276779256849983, 0.0207906721037650,
      0.0166446911898211,  0.0138761288230707,  0.0118967099458917, 0.0104112652619720,
      0.00925546218271273, 0.00833056343336287,
  };
  if (k < 10.0) return kTails[static_cast<std::size_t>(k)];
  const double square = (k + 1.0) * (k + 1.0);
  return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1.0);
}

// log(P(k) / P(m)) of the binomial distribution, by differences of logarithms that do not cancel.
double log_ratio(double n, double odds, double m, double k) {
  const double below = m - k;
  const double slope = std::log((m + 1.0) / (odds * (n - m + 1.0)));
  const double bend = std::log1p(below / (k + 1.0)) + std::log1p(below / (n - m + 1.0));
  return below * slope + (k + 0.5) * bend + (n + 1.0) * std::log1p(-below / (n - k + 1.0)) +
         stirling_tail(m) + stirling_tail(n - m) - stirling_tail(k) - stirling_tail(n - k);
}

// For p <= 1/2 where 10 or more are expected.
double by_transformed_rejection(const Philox::Key& key, std::int64_t element, std::uint64_t step,
                                double n, double p) {
  const double spread = std::sqrt(n * p * (1.0 - p));
  const double b = 1.15 + 2.53 * spread;
  const double a = -0.0873 + 0.0248 * b + 0.01 * p;
  const double centre = n * p + 0.5;
  const double inner = 0.92 - 4.2 / b;
  const double alpha = (2.83 + 5.1 / b) * spread;
  const double mode = std::floor((n + 1.0) * p);
  for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    const Philox::Block words = words_of(key, element, attempt, step);
    const double u = Philox::unit(words[0], words[1]) - 0.5;
    const double v = above_0(words[2], words[3]);
    const double edge = 0.5 - std::fabs(u);
    const double k = std::floor((2.0 * a / edge + b) * u + centre);
    if (edge >= 0.07 && v <= inner) return k;
    if (!(k >= 0.0 && k <= n)) continue;
    const double height = std::log(v * alpha / (a / (edge * edge) + b));
    if (height <= log_ratio(n, p / (1.0 - p), mode, k)) return k;
  }
  return kNaN;
}

// For p <= 1/2 where less than 10 are expected: adds probabilities until they exceed u.
double by_inversion(const Philox::Key& key, std::int64_t element, std::uint64_t step, double n,
                    double p) {
  constexpr double kLast = 128.0;  // beyond it lies less than the last digit of u
  const double odds = p / (1.0 - p);
  const double first = std::exp(n * std::log1p(-p));
  for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    const Philox::Block words = words_of(key, element, attempt, step);
    double u = above_0(words[0], words[1]);
    double probability = first;
    for (double k = 0.0; k <= std::min(n, kLast); ++k) {
      if (u <= probability) return k;
      u -= probability;
      probability *= (n - k) / (k + 1.0) * odds;
    }
  }
  return kNaN;
}

double binomial(const Philox::Key& key, std::int64_t element, std::uint64_t step, double n,
                double p) {
  const bool fits = n >= 0.0 && n <= 0x1p53 && n == std::floor(n) && p >= 0.0 && p <= 1.0;
  if (!fits) return kNaN;
  const double q = std::min(p, 1.0 - p);
  const double k = n * q < 10.0 ? by_inversion(key, element, step, n, q)
                                : by_transformed_rejection(key, element, step, n, q);
  return q < p ? n - k : k;
}

}  // namespace

template <class T>
RandomGammaOp<T>::RandomGammaOp(std::uint64_t seed, std::uint32_t op_id, bool log, std::int64_t n)
    : key_(Philox::key(seed, op_id)),
      log_(log),
      n_(n),
      threads_(threads_for(static_cast<double>(n) * kCost)) {}

template <class T>
void RandomGammaOp<T>::run(Parameter alpha, T* y, std::uint64_t step) const {
  for_each_chunk(n_, task_size(kCost), threads_, [&](std::int64_t begin, std::int64_t size) {
    for (std::int64_t i = begin; i < begin + size; ++i) {
      const double value = log_gamma(key_, i, step, alpha[i]);
      y[i] = static_cast<T>(log_ ? value : std::exp(value));
    }
  });
}

template <class T>
RandomBinomialOp<T>::RandomBinomialOp(std::uint64_t seed, std::uint32_t op_id, std::int64_t n)
    : key_(Philox::key(seed, op_id)),
      n_(n),
      threads_(threads_for(static_cast<double>(n) * kCost)) {}

template <class T>
void RandomBinomialOp<T>::run(Parameter counts, Parameter probabilities, T* y,
                              std::uint64_t step) const {
  for_each_chunk(n_, task_size(kCost), threads_, [&](std::int64_t begin, std::int64_t size) {
    for (std::int64_t i = begin; i < begin + size; ++i) {
      y[i] = static_cast<T>(binomial(key_, i, step, counts[i], probabilities[i]));
    }
  });
}

template class RandomGammaOp<float>;
template class RandomGammaOp<double>;
template class RandomBinomialOp<float>;
template class RandomBinomialOp<double>;

}  // namespace dlnative
