// Softmax and log-softmax over rows, and their gradients.
//
// softmax: y = exp(x - max(x)) / sum(exp(x - max(x))); log_softmax: y = x - max(x) - log(sum(...)).
// The shift keeps exp from overflowing. A NaN makes its whole row NaN.
//
// A row's result depends on the row and its length alone, never on its neighbours. Rows of at most
// kShortRow values are transposed, so that a lane holds a row and no lane is idle; longer ones are
// taken one by one. Measured: docs/performance.md, "Softmax and cross-entropy".
#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/math.h"
#include "kernels/simd/transpose.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

constexpr std::int64_t kShortRow = 32;
static_assert(kShortRow % kLanes<float> == 0, "columns are loaded a vector at a time");

// --- short rows: v[c] holds column c of kLanes rows --------------------------------------------

template <class T>
DLNATIVE_INLINE void transpose(Vec<T> (&v)[kLanes<T>]) {
  if constexpr (kLanes<T> >= 16) transpose_stage<T, 8>(v);
  if constexpr (kLanes<T> >= 8) transpose_stage<T, 4>(v);
  if constexpr (kLanes<T> >= 4) transpose_stage<T, 2>(v);
  transpose_stage<T, 1>(v);
}

// Lanes past `rows` are zero, and so are columns past `cols` up to a whole vector.
template <class T>
__attribute__((noinline)) void load_columns(const T* x, Vec<T>* v, std::int64_t rows,
                                            std::int64_t cols) {
  for (std::int64_t c = 0; c < cols; c += kLanes<T>) {
    Vec<T> block[kLanes<T>];
#pragma GCC unroll 16
    for (int r = 0; r < kLanes<T>; ++r) {
      block[r] = r < rows ? load_upto<T>(x + r * cols + c, cols - c) : Vec<T>{};
    }
    transpose<T>(block);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) v[c + i] = block[i];
  }
}

template <class T>
__attribute__((noinline)) void store_columns(T* y, const Vec<T>* v, std::int64_t rows,
                                             std::int64_t cols) {
  for (std::int64_t c = 0; c < cols; c += kLanes<T>) {
    Vec<T> block[kLanes<T>];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) block[i] = v[c + i];
    transpose<T>(block);
#pragma GCC unroll 16
    for (int r = 0; r < kLanes<T>; ++r) {
      if (r < rows) store_upto<T>(y + r * cols + c, block[r], cols - c);
    }
  }
}

// y = f(x), f in place on columns.
template <class T, class F>
DLNATIVE_INLINE void short_rows(const T* x, T* y, std::int64_t rows, std::int64_t cols, F f) {
  for (std::int64_t r = 0; r < rows; r += kLanes<T>) {
    Vec<T> v[kShortRow];
    load_columns(x + r * cols, v, rows - r, cols);
    f(v, cols);
    store_columns(y + r * cols, v, rows - r, cols);
  }
}

// dx = f(dy, y), f in place on the columns of dy.
template <class T, class F>
DLNATIVE_INLINE void short_rows(const T* dy, const T* y, T* dx, std::int64_t rows,
                                std::int64_t cols, F f) {
  for (std::int64_t r = 0; r < rows; r += kLanes<T>) {
    Vec<T> d[kShortRow], v[kShortRow];
    load_columns(dy + r * cols, d, rows - r, cols);
    load_columns(y + r * cols, v, rows - r, cols);
    f(d, v, cols);
    store_columns(dx + r * cols, d, rows - r, cols);
  }
}

// v -= max(v)
template <class T>
DLNATIVE_INLINE void shift_columns(Vec<T>* v, std::int64_t cols) {
  Vec<T> max = v[0];
  for (std::int64_t c = 1; c < cols; ++c) max = vmax<T>(v[c], max);
  for (std::int64_t c = 0; c < cols; ++c) v[c] -= max;
}

struct ShortSoftmax {
  template <class T>
  DLNATIVE_INLINE void forward(Vec<T>* v, std::int64_t cols) {
    shift_columns<T>(v, cols);
    Vec<T> sum = {};
    for (std::int64_t c = 0; c < cols; ++c) sum += v[c] = vexp_nonpositive<T>(v[c]);
    for (std::int64_t c = 0; c < cols; ++c) v[c] /= sum;
  }
  template <class T>
  DLNATIVE_INLINE void backward(Vec<T>* dy, const Vec<T>* y, std::int64_t cols) {
    Vec<T> sum = {};
    for (std::int64_t c = 0; c < cols; ++c) sum += dy[c] * y[c];
    for (std::int64_t c = 0; c < cols; ++c) dy[c] = y[c] * (dy[c] - sum);
  }
};

struct ShortLogSoftmax {
  template <class T>
  DLNATIVE_INLINE void forward(Vec<T>* v, std::int64_t cols) {
    shift_columns<T>(v, cols);
    Vec<T> sum = {};
    for (std::int64_t c = 0; c < cols; ++c) sum += vexp_nonpositive<T>(v[c]);
    const Vec<T> log_sum = vlog<T>(sum);
    for (std::int64_t c = 0; c < cols; ++c) v[c] -= log_sum;
  }
  template <class T>
  DLNATIVE_INLINE void backward(Vec<T>* dy, const Vec<T>* y, std::int64_t cols) {
    Vec<T> sum = {};
    for (std::int64_t c = 0; c < cols; ++c) sum += dy[c];
    for (std::int64_t c = 0; c < cols; ++c) dy[c] -= vexp<T>(y[c]) * sum;
  }
};

// --- long rows: lanes run along the row --------------------------------------------------------

// Calls f(i, kLanes) for whole vectors and f(i, rest) for what is left of [0, n). The second
// argument of the whole ones is a constant, so load_upto and its kin cost nothing there.
template <class T, class F>
DLNATIVE_INLINE void for_each_vector(std::int64_t n, F f) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) f(i, kLanes<T>);
  if (i < n) f(i, n - i);
}

// y[i] = f(i, count)
template <class T, class F>
DLNATIVE_INLINE void fill_row(T* y, std::int64_t n, F f) {
  for_each_vector<T>(
      n, [&](std::int64_t i, std::int64_t count) { store_upto<T>(y + i, f(i, count), count); });
}

template <class T>
DLNATIVE_INLINE Vec<T> row_max(const T* x, std::int64_t n) {
  Vec<T> best = broadcast<T>(-infinity<T>());
  for_each_vector<T>(n, [&](std::int64_t i, std::int64_t count) {
    best = vmax<T>(keep_first<T>(load_upto<T>(x + i, count), count, -infinity<T>()), best);
  });
  return broadcast<T>(reduce_max<T>(best));
}

// The sum over the vectors f(i, count), in blocks: a lane adds at most 128 values in one chain.
template <class T, class F>
DLNATIVE_INLINE Vec<T> row_sum(std::int64_t n, F f) {
  constexpr std::int64_t kBlock = 128 * kLanes<T>;
  Vec<T> total = {};
  for (std::int64_t start = 0; start < n; start += kBlock) {
    Vec<T> sum = {};
    for_each_vector<T>(n - start < kBlock ? n - start : kBlock,
                       [&](std::int64_t i, std::int64_t count) {
                         sum += keep_first<T>(f(start + i, count), count);
                       });
    total += sum;
  }
  return broadcast<T>(reduce_add<T>(total));
}

template <class T>
void long_softmax(const T* x, T* y, std::int64_t n) {
  const Vec<T> max = row_max(x, n);
  const Vec<T> sum = row_sum<T>(n, [&](std::int64_t i, std::int64_t count) {
    const Vec<T> e = vexp_nonpositive<T>(load_upto<T>(x + i, count) - max);
    store_upto<T>(y + i, e, count);
    return e;
  });
  fill_row<T>(y, n,
              [&](std::int64_t i, std::int64_t count) { return load_upto<T>(y + i, count) / sum; });
}

template <class T>
void long_log_softmax(const T* x, T* y, std::int64_t n) {
  const Vec<T> max = row_max(x, n);
  const Vec<T> log_sum = vlog<T>(row_sum<T>(n, [&](std::int64_t i, std::int64_t count) {
    return vexp_nonpositive<T>(load_upto<T>(x + i, count) - max);
  }));
  fill_row<T>(y, n, [&](std::int64_t i, std::int64_t count) {
    return (load_upto<T>(x + i, count) - max) - log_sum;
  });
}

template <class T>
void long_softmax_backward(const T* dy, const T* y, T* dx, std::int64_t n) {
  const Vec<T> sum = row_sum<T>(n, [&](std::int64_t i, std::int64_t count) {
    return load_upto<T>(dy + i, count) * load_upto<T>(y + i, count);
  });
  fill_row<T>(dx, n, [&](std::int64_t i, std::int64_t count) {
    return load_upto<T>(y + i, count) * (load_upto<T>(dy + i, count) - sum);
  });
}

template <class T>
void long_log_softmax_backward(const T* dy, const T* y, T* dx, std::int64_t n) {
  const Vec<T> sum = row_sum<T>(
      n, [&](std::int64_t i, std::int64_t count) { return load_upto<T>(dy + i, count); });
  fill_row<T>(dx, n, [&](std::int64_t i, std::int64_t count) {
    return load_upto<T>(dy + i, count) - vexp<T>(load_upto<T>(y + i, count)) * sum;
  });
}

// --- kernels -----------------------------------------------------------------------------------

template <class T, class Short, void (*Long)(const T*, T*, std::int64_t)>
void forward(const T* x, T* y, std::int64_t rows, std::int64_t cols) {
  if (cols == 0) return;
  if (cols <= kShortRow) {
    short_rows(x, y, rows, cols,
               [](Vec<T>* v, std::int64_t n) { Short::template forward<T>(v, n); });
  } else {
    for (std::int64_t r = 0; r < rows; ++r) Long(x + r * cols, y + r * cols, cols);
  }
}

template <class T, class Short, void (*Long)(const T*, const T*, T*, std::int64_t)>
void backward(const T* dy, const T* y, T* dx, std::int64_t rows, std::int64_t cols) {
  if (cols == 0) return;
  if (cols <= kShortRow) {
    short_rows(dy, y, dx, rows, cols, [](Vec<T>* d, const Vec<T>* v, std::int64_t n) {
      Short::template backward<T>(d, v, n);
    });
  } else {
    for (std::int64_t r = 0; r < rows; ++r) {
      Long(dy + r * cols, y + r * cols, dx + r * cols, cols);
    }
  }
}

template <class T>
constexpr SoftmaxKernels<T> make_table() {
  return {forward<T, ShortSoftmax, long_softmax<T>>,
          forward<T, ShortLogSoftmax, long_log_softmax<T>>,
          backward<T, ShortSoftmax, long_softmax_backward<T>>,
          backward<T, ShortLogSoftmax, long_log_softmax_backward<T>>};
}

}  // namespace

extern const SoftmaxKernels<float> softmax_f32;
extern const SoftmaxKernels<double> softmax_f64;
const SoftmaxKernels<float> softmax_f32 = make_table<float>();
const SoftmaxKernels<double> softmax_f64 = make_table<double>();

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
