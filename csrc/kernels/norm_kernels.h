// Normalisation: the contract between ops and kernels.
//
// Rows are channels-last: row r of x begins at x + r * ldx and has `cols` values, one per channel.
// Per-channel arrays have `cols` values. Without gaps between them, rows of few channels are taken
// several at a time, as one longer row: the values of maps do not depend on that, and the order of
// sums depends on `rows`, `cols` and the vector length alone.
#pragma once

#include "kernels/kernel_table.h"

namespace dlnative {

// y = act((x - mean) * scale + offset + residual). y may be x or residual. All arrays are
// [rows, cols] without gaps.
template <class T>
struct NormalizeArgs {
  const T* x;
  const T* residual;  // may be null
  T* y;
  std::int64_t rows, cols;
  const T* mean;
  const T* scale;
  const T* offset;
  bool relu;
  bool stream;  // y is too large for the caches
};

// With g = saved > 0 ? dy : 0, or dy where `saved` is null: sum_g[c] = sum of g over the rows and
// sum_gx[c] = sum of g * (x - mean); rows <= 256. Rows lie `ld` apart.
// Where dx is given (then saved is null), also dx = dy * scale; dx may be dy or x.
template <class T>
struct ProductSumArgs {
  const T* dy;
  const T* x;
  const T* saved;
  std::int64_t ld, rows, cols;
  const T* mean;
  double* sum_g;
  double* sum_gx;
  const T* scale;
  T* dx;
};

// dx = a * g + b * (x - mean) + d with g as above; dresidual (may be null) = g.
// dx may be dy, dresidual may be x, and the other way round.
template <class T>
struct NormBackwardArgs {
  const T* dy;
  const T* x;
  const T* saved;  // may be null
  T* dx;
  T* dresidual;  // may be null
  std::int64_t rows, cols;
  const T* mean;
  const T* a;
  const T* b;
  const T* d;
  bool stream;  // dx and dresidual are too large for the caches
};

// Rows that are normalised one by one (layer normalisation), [rows, cols] without gaps:
// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta. y may be x.
template <class T>
struct RowNormArgs {
  const T* x;
  T* y;
  std::int64_t rows, cols;
  const T* gamma;
  const T* beta;
  double epsilon;
  bool stream;  // y is too large for the caches
};

// What the gradient of one row needs: xhat = (x - mean) * inverse + shift, and with g = dy * gamma
// dx = g * inverse + (x - mean) * slope + offset.
template <class T>
struct RowGradient {
  T mean, inverse, shift, slope, offset;
};

template <class T>
struct RowNormBackwardArgs {
  const T* dy;
  const T* x;
  T* dx;  // may be dy or x
  std::int64_t ld, rows, cols;
  const T* gamma;
  RowGradient<T>* gradients;  // one per row
  T* dgamma;                  // += sum over the rows of dy * xhat
  T* dbeta;                   // += sum over the rows of dy
  double epsilon;
  bool stream;  // dx is too large for the caches
};

// Rows of fewer values without gaps are summed several at a time. So a part of the columns has the
// bits of all of them if it has at least so many.
inline constexpr std::int64_t kJoinedColumns = 64;

template <class T>
struct NormKernels {
  // Mean and sum of squared deviations from it of a block of at least one row, per channel. While
  // summing, deviations are taken from the first row. As that is one of the sample, its own squared
  // deviation is at most the result, so the sum is at most (rows + 1) times the result: with rows
  // <= 256 the digits of the result survive, whatever the mean is.
  void (*channel_moments)(const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t cols,
                          T* mean, T* m2);
  void (*channel_moments_wide)(const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t cols,
                               double* mean, double* m2);
  // Mean and sum of squared deviations of all rows, from those of blocks of rows: moments is
  // [blocks, 2, cols], `block_rows` rows each, `last_rows` in the last block. (Chan, Golub, LeVeque
  // 1979: the blocks' sums, plus their rows times the squared deviation of their mean.)
  void (*merge_moments)(const T* moments, std::int64_t blocks, std::int64_t block_rows,
                        std::int64_t last_rows, std::int64_t cols, double* mean, double* m2);
  void (*merge_moments_wide)(const double* moments, std::int64_t blocks, std::int64_t block_rows,
                             std::int64_t last_rows, std::int64_t cols, double* mean, double* m2);
  void (*normalize)(const NormalizeArgs<T>& args);
  void (*product_sums)(const ProductSumArgs<T>& args);
  void (*backward)(const NormBackwardArgs<T>& args);
  void (*row_norm)(const RowNormArgs<T>& args);
  // Fills `gradients`, from whole rows; reads dy, x and gamma only.
  void (*row_gradients)(const RowNormBackwardArgs<T>& args);
  // The rest, for any columns of these rows.
  void (*row_norm_backward)(const RowNormBackwardArgs<T>& args);
  // state = state * momentum + value * one_minus_momentum
  void (*moving_average)(T* state, const T* value, std::int64_t n, T momentum,
                         T one_minus_momentum);
};

}  // namespace dlnative
