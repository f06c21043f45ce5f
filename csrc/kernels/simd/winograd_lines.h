// The transforms of Winograd's convolution: two passes of short sums over a square of vectors.
#pragma once

#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// The points are 0, +-kP, +-kQ and infinity.
constexpr double kP = 2.0 / 3.0, kQ = 3.0 / 2.0;
// The divisors of Lagrange's interpolation there; that of 0 is (kP kQ)^2 = 1.
constexpr double kOverP = 1.0 / (2.0 * kP * kP * (kP * kP - kQ * kQ));
constexpr double kOverQ = 1.0 / (2.0 * kQ * kQ * (kQ * kQ - kP * kP));

constexpr double power(double x, int n) {
  return n == 0 ? 1.0 : x * power(x, n - 1);
}

// A line takes a vector of kIn values x to one of kOut, of which value j is scale(j) times what
// `apply` leaves in y[j]. No product is left for an addition of the next pass: of two products the
// compiler could fuse either with the addition, and other bits would follow wherever it is inlined.

// Rows of B', which are the polynomials that vanish at all points but one.
struct InputLine {
  static constexpr int kIn = 6, kOut = 6;
  static constexpr double scale(int) { return 1.0; }
  template <class T>
  DLNATIVE_INLINE void apply(const Vec<T> (&x)[kIn], Vec<T> (&y)[kOut]) {
    constexpr T p = static_cast<T>(kP), q = static_cast<T>(kQ), pp = static_cast<T>(kP * kP),
                qq = static_cast<T>(kQ * kQ), sum = static_cast<T>(kP * kP + kQ * kQ);
    const Vec<T> even_p = x[4] - qq * x[2], odd_p = x[3] - qq * x[1];
    const Vec<T> even_q = x[4] - pp * x[2], odd_q = x[3] - pp * x[1];
    y[0] = x[4] + x[0] - sum * x[2];
    y[1] = even_p + p * odd_p;
    y[2] = even_p - p * odd_p;
    y[3] = even_q + q * odd_q;
    y[4] = even_q - q * odd_q;
    y[5] = x[5] + x[1] - sum * x[3];
  }
};

// The terms of a polynomial with even powers (first = 0) or odd ones, over point^first.
template <class T, int kCount>
DLNATIVE_INLINE Vec<T> terms(const Vec<T> (&x)[kCount], int first, double point) {
  Vec<T> sum = x[first];
#pragma GCC unroll 4
  for (int j = first + 2; j < kCount; j += 2) sum += static_cast<T>(power(point, j - first)) * x[j];
  return sum;
}

// Rows of G (kDivided) and A: a polynomial of kCount coefficients at the points, over the divisors.
template <int kCount, bool kDivided>
struct EvaluationLine {
  static constexpr int kIn = kCount, kOut = 6;
  static constexpr double scale(int j) {
    return !kDivided || j == 0 || j == 5 ? 1.0 : j < 3 ? kOverP : kOverQ;
  }
  template <class T>
  DLNATIVE_INLINE void apply(const Vec<T> (&x)[kIn], Vec<T> (&y)[kOut]) {
    const Vec<T> even_p = terms<T>(x, 0, kP), odd_p = terms<T>(x, 1, kP);
    const Vec<T> even_q = terms<T>(x, 0, kQ), odd_q = terms<T>(x, 1, kQ);
    y[0] = x[0];
    y[1] = even_p + static_cast<T>(kP) * odd_p;
    y[2] = even_p - static_cast<T>(kP) * odd_p;
    y[3] = even_q + static_cast<T>(kQ) * odd_q;
    y[4] = even_q - static_cast<T>(kQ) * odd_q;
    y[5] = x[kCount - 1];
  }
};

// Columns of G (kDivided) and A.
template <int kCount, bool kDivided>
struct InterpolationLine {
  static constexpr int kIn = 6, kOut = kCount;
  static constexpr double scale(int j) { return (kDivided ? kOverQ : 1.0) * power(kQ, j); }
  template <class T>
  DLNATIVE_INLINE void apply(const Vec<T> (&x)[kIn], Vec<T> (&y)[kOut]) {
    const Vec<T> of_p[2] = {x[1] + x[2], x[1] - x[2]}, of_q[2] = {x[3] + x[4], x[3] - x[4]};
#pragma GCC unroll 6
    for (int j = 0; j < kCount; ++j) {
      const double over = (kDivided ? kOverP : 1.0) * power(kP, j);
      y[j] = of_q[j % 2] + static_cast<T>(over / scale(j)) * of_p[j % 2];
    }
    y[0] += static_cast<T>(1.0 / scale(0)) * x[0];
    y[kCount - 1] += static_cast<T>(1.0 / scale(kCount - 1)) * x[5];
  }
};

// L X L' of a square of vectors: read(r, s) gives one, write(r, s, v) takes one.
template <class T, class Line, class Read, class Write>
DLNATIVE_INLINE void transform(const Read& read, const Write& write) {
  Vec<T> half[Line::kOut][Line::kIn];
#pragma GCC unroll 6
  for (int s = 0; s < Line::kIn; ++s) {
    Vec<T> x[Line::kIn], y[Line::kOut];
#pragma GCC unroll 6
    for (int r = 0; r < Line::kIn; ++r) x[r] = read(r, s);
    Line::template apply<T>(x, y);
#pragma GCC unroll 6
    for (int r = 0; r < Line::kOut; ++r) half[r][s] = y[r];
  }
#pragma GCC unroll 6
  for (int r = 0; r < Line::kOut; ++r) {
    Vec<T> y[Line::kOut];
    Line::template apply<T>(half[r], y);
#pragma GCC unroll 6
    for (int s = 0; s < Line::kOut; ++s)
      write(r, s, static_cast<T>(Line::scale(r) * Line::scale(s)) * y[s]);
  }
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
