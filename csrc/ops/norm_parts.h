// What the files of normalisation share: costs, and the arithmetic of single channels.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative::norm_parts {

// Threads worth waking for passes over so many arrays, at the time of one element from memory.
template <class T>
int threads_of(std::int64_t elements, int arrays) {
  constexpr double kElementTime = sizeof(T) == 4 ? 0.2 : 0.4;  // nanoseconds
  return threads_for(static_cast<double>(elements) * arrays * kElementTime);
}

// sums[i] = sum over r of rows[r, i], in a fixed order.
inline void add_rows(const double* rows, std::int64_t count, std::int64_t n, double* sums) {
  kernels<double>().reduce->sum_rows(rows, n, sums, count, n, false);
}

inline double inverse_deviation(double variance, double epsilon) {
  return 1.0 / std::sqrt(variance + epsilon);
}

template <class T>
double value_or(const T* array, std::int64_t i, double fallback) {
  return array != nullptr ? static_cast<double>(array[i]) : fallback;
}

}  // namespace dlnative::norm_parts
