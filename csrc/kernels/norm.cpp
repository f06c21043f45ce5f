// Normalisation over channels, the last axis: sums over rows, and maps with one parameter per
// channel. Single rows are in simd/norm_rows.h.
//
// Rows shorter than kJoinedColumns values are taken several at a time as one row: as many as make
// it a number of whole vectors, so that 16, 3 or 17 channels keep every lane busy; parameters are
// repeated. Four (joined) rows are handled at a time, which share the loads of parameters and sums.
#include <cstddef>
#include <cstdint>

#include "kernels/norm_kernels.h"
#include "kernels/simd/norm_rows.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

constexpr std::int64_t kPanel = 1024;  // columns whose sums lie on the stack
static_assert(kPanel >= kJoinedColumns * kLanes<float>, "a joined row is one panel");

// How many rows are taken as one: a power of two.
template <class T>
std::int64_t rows_joined(std::int64_t ld, std::int64_t cols) {
  if (cols >= kJoinedColumns || ld != cols || cols < 1) return 1;
  std::int64_t times = 1;
  while (times * cols < kJoinedColumns || times * cols % kLanes<T> != 0) times *= 2;
  return times;
}

// A matrix seen as `rows` long rows and `rest` more values, less than one.
template <class T>
struct Joined {
  Joined(std::int64_t ld_, std::int64_t rows_, std::int64_t cols_)
      : times(rows_joined<T>(ld_, cols_)),
        ld(times * ld_),
        rows(rows_ / times),
        cols(times * cols_),
        rest(rows_ % times * cols_) {}
  std::int64_t times, ld, rows, cols, rest;
};

// A per-channel array for joined rows; `space` has room for kPanel values.
template <class T>
const T* repeat(const T* p, const Joined<T>& joined, T* space) {
  if (joined.times == 1) return p;
  const std::int64_t cols = joined.cols / joined.times;
  for (std::int64_t i = 0; i < cols; ++i) space[i] = p[i];
  for (std::int64_t done = cols; done < joined.cols; done *= 2) {
    for (std::int64_t i = 0; i < done; ++i) space[done + i] = space[i];
  }
  return space;
}

template <class T>
std::int64_t whole_vectors(std::int64_t cols) {
  return (cols + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

// sums[i] += sums[i + cols], and so on: the joined rows' sums become one row's, in a tree.
template <class T>
void fold(T* sums, const Joined<T>& joined) {
  for (std::int64_t times = joined.times / 2; times > 0; times /= 2) {
    const std::int64_t n = joined.cols / joined.times * times;
    for (std::int64_t i = 0; i < n; ++i) sums[i] += sums[i + n];
  }
}

// A number of rows that is known when compiling.
template <int n>
struct RowCount {
  static constexpr int rows = n;
};

// f(RowCount, offset of the first value, column, lanes) for all vectors, four rows at a time. One
// where they are written past the caches: few lines are written at once then.
template <bool kStream = false, class T, class F>
DLNATIVE_INLINE void for_each_tile(const Joined<T>& joined, F f) {
  constexpr int kRows = kStream ? 1 : 4;
  std::int64_t r = 0;
  for (; kRows > 1 && r + kRows <= joined.rows; r += kRows) {
    for_each_vector<T>(joined.cols, [&](std::int64_t c, auto lanes) {
      f(RowCount<kRows>{}, r * joined.ld + c, c, lanes);
    });
  }
  for (; r < joined.rows; ++r) {
    for_each_vector<T>(joined.cols, [&](std::int64_t c, auto lanes) {
      f(RowCount<1>{}, r * joined.ld + c, c, lanes);
    });
  }
  for_each_vector<T>(joined.rest, [&](std::int64_t c, auto lanes) {
    f(RowCount<1>{}, r * joined.ld + c, c, lanes);
  });
}

// --- statistics ---------------------------------------------------------------------------------

template <class T, class Out>
void panel_moments(const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t cols, Out* mean,
                   Out* m2) {
  const Joined<T> joined(ldx, rows, cols);
  alignas(64) T space[kPanel];
  alignas(64) T sums[kPanel];
  alignas(64) T squares[kPanel];
  const T* shift = repeat(x, joined, space);
  for (std::int64_t c = 0; c < whole_vectors<T>(joined.cols); ++c) sums[c] = squares[c] = 0;
  for_each_tile(joined, [&](auto count, std::int64_t at, std::int64_t c, auto lanes) {
    const Vec<T> from = lanes.template get<T>(shift + c);
    Vec<T> sum = load(sums + c), square = load(squares + c);
#pragma GCC unroll 4
    for (int r = 0; r < count.rows; ++r) {
      prefetch_ahead(x + at + r * joined.ld);
      const Vec<T> d = lanes.template get<T>(x + at + r * joined.ld) - from;
      sum += d;
      square += d * d;
    }
    store<T>(sums + c, sum);
    store<T>(squares + c, square);
  });
  fold(sums, joined);
  fold(squares, joined);
  const Out count = static_cast<Out>(rows);
  for (std::int64_t c = 0; c < cols; ++c) {
    const Out sum = sums[c], deviation = sum / count;
    const Out square = static_cast<Out>(squares[c]) - sum * deviation;
    mean[c] = static_cast<Out>(x[c]) + deviation;
    m2[c] = square < 0 ? Out(0) : square;
  }
}

template <class T, class Out>
void channel_moments(const T* x, std::int64_t ldx, std::int64_t rows, std::int64_t cols, Out* mean,
                     Out* m2) {
  for (std::int64_t first = 0; first < cols; first += kPanel) {
    const std::int64_t width = cols - first < kPanel ? cols - first : kPanel;
    panel_moments(x + first, ldx, rows, width, mean + first, m2 + first);
  }
}

// Means are merged as deviations from the first block's: a constant channel stays exactly constant.
template <class T>
void merge_moments(const T* moments, std::int64_t blocks, std::int64_t block_rows,
                   std::int64_t last_rows, std::int64_t cols, double* __restrict mean,
                   double* __restrict m2) {
  const double total = static_cast<double>((blocks - 1) * block_rows + last_rows);
  for (std::int64_t c = 0; c < cols; ++c) {
    mean[c] = 0.0;
    m2[c] = moments[cols + c];
  }
  for (std::int64_t b = 1; b < blocks; ++b) {
    const T* block = moments + b * 2 * cols;
    const double share = static_cast<double>(b + 1 < blocks ? block_rows : last_rows) / total;
    for (std::int64_t c = 0; c < cols; ++c) {
      mean[c] += share * (static_cast<double>(block[c]) - static_cast<double>(moments[c]));
    }
  }
  for (std::int64_t c = 0; c < cols; ++c) mean[c] += static_cast<double>(moments[c]);
  if (blocks == 1) return;
  for (std::int64_t b = 0; b < blocks; ++b) {
    const T* block = moments + b * 2 * cols;
    const double rows = static_cast<double>(b + 1 < blocks ? block_rows : last_rows);
    for (std::int64_t c = 0; c < cols; ++c) {
      const double d = static_cast<double>(block[c]) - mean[c];
      m2[c] += rows * d * d + (b > 0 ? static_cast<double>(block[cols + c]) : 0.0);
    }
  }
}

// --- maps ---------------------------------------------------------------------------------------

template <bool kStream, bool kResidual, bool kRelu, class T>
void normalize_as(const NormalizeArgs<T>& args, const Joined<T>& joined) {
  alignas(64) T space[3][kPanel];
  const T* mean = repeat(args.mean, joined, space[0]);
  const T* scale = repeat(args.scale, joined, space[1]);
  const T* offset = repeat(args.offset, joined, space[2]);
  for_each_tile<kStream>(joined, [&](auto count, std::int64_t at, std::int64_t c, auto lanes) {
    const Vec<T> m = lanes.template get<T>(mean + c);
    const Vec<T> s = lanes.template get<T>(scale + c);
    const Vec<T> o = lanes.template get<T>(offset + c);
#pragma GCC unroll 4
    for (int r = 0; r < count.rows; ++r) {
      const std::int64_t i = at + r * joined.ld;
      prefetch_ahead(args.x + i);
      if constexpr (kResidual) prefetch_ahead(args.residual + i);
      Vec<T> y = (lanes.template get<T>(args.x + i) - m) * s + o;
      if constexpr (kResidual) y += lanes.template get<T>(args.residual + i);
      if constexpr (kRelu) y = at_least<T>(y, 0);
      write<kStream, T>(lanes, args.y + i, y);
    }
  });
}

template <bool kStream, class T>
void normalize_to(const NormalizeArgs<T>& args, const Joined<T>& joined) {
  if (args.residual != nullptr) {
    args.relu ? normalize_as<kStream, true, true>(args, joined)
              : normalize_as<kStream, true, false>(args, joined);
  } else {
    args.relu ? normalize_as<kStream, false, true>(args, joined)
              : normalize_as<kStream, false, false>(args, joined);
  }
}

template <class T>
void normalize(const NormalizeArgs<T>& args) {
  const Joined<T> joined(args.cols, args.rows, args.cols);
  if (!args.stream || !can_stream(args.y, joined.ld)) return normalize_to<false>(args, joined);
  normalize_to<true>(args, joined);
  finish_streaming();
}

template <bool kMasked, bool kDx, class T>
void panel_products(const ProductSumArgs<T>& args, std::int64_t first, std::int64_t cols) {
  const Joined<T> joined(args.ld, args.rows, cols);
  alignas(64) T space[2][kPanel];
  alignas(64) T sums[kPanel];
  alignas(64) T products[kPanel];
  const T* mean = repeat(args.mean + first, joined, space[0]);
  const T* scale = kDx ? repeat(args.scale + first, joined, space[1]) : nullptr;
  for (std::int64_t c = 0; c < whole_vectors<T>(joined.cols); ++c) sums[c] = products[c] = 0;
  for_each_tile(joined, [&](auto count, std::int64_t at, std::int64_t c, auto lanes) {
    const Vec<T> m = lanes.template get<T>(mean + c);
    Vec<T> sum = load(sums + c), product = load(products + c);
#pragma GCC unroll 4
    for (int r = 0; r < count.rows; ++r) {
      const std::int64_t i = first + at + r * joined.ld;
      prefetch_ahead(args.dy + i);
      prefetch_ahead(args.x + i);
      if constexpr (kMasked) prefetch_ahead(args.saved + i);
      Vec<T> g = lanes.template get<T>(args.dy + i);
      if constexpr (kMasked) g = lanes.template get<T>(args.saved + i) > 0 ? g : Vec<T>{};
      sum += g;
      product += g * (lanes.template get<T>(args.x + i) - m);
      if constexpr (kDx) lanes.template put<T>(args.dx + i, g * lanes.template get<T>(scale + c));
    }
    store<T>(sums + c, sum);
    store<T>(products + c, product);
  });
  fold(sums, joined);
  fold(products, joined);
  for (std::int64_t c = 0; c < cols; ++c) {
    args.sum_g[first + c] = static_cast<double>(sums[c]);
    args.sum_gx[first + c] = static_cast<double>(products[c]);
  }
}

template <class T>
void product_sums(const ProductSumArgs<T>& args) {
  for (std::int64_t first = 0; first < args.cols; first += kPanel) {
    const std::int64_t width = args.cols - first < kPanel ? args.cols - first : kPanel;
    if (args.saved != nullptr) {
      panel_products<true, false>(args, first, width);
    } else {
      args.dx != nullptr ? panel_products<false, true>(args, first, width)
                         : panel_products<false, false>(args, first, width);
    }
  }
}

template <bool kStream, bool kMasked, bool kResidual, class T>
void backward_as(const NormBackwardArgs<T>& args, const Joined<T>& joined) {
  alignas(64) T space[4][kPanel];
  const T* mean = repeat(args.mean, joined, space[0]);
  const T* a = repeat(args.a, joined, space[1]);
  const T* b = repeat(args.b, joined, space[2]);
  const T* d = repeat(args.d, joined, space[3]);
  for_each_tile<kStream>(joined, [&](auto count, std::int64_t at, std::int64_t c, auto lanes) {
    const Vec<T> vm = lanes.template get<T>(mean + c), va = lanes.template get<T>(a + c);
    const Vec<T> vb = lanes.template get<T>(b + c), vd = lanes.template get<T>(d + c);
#pragma GCC unroll 4
    for (int r = 0; r < count.rows; ++r) {
      const std::int64_t i = at + r * joined.ld;
      prefetch_ahead(args.dy + i);
      prefetch_ahead(args.x + i);
      if constexpr (kMasked) prefetch_ahead(args.saved + i);
      Vec<T> g = lanes.template get<T>(args.dy + i);
      const Vec<T> x = lanes.template get<T>(args.x + i);
      if constexpr (kMasked) g = lanes.template get<T>(args.saved + i) > 0 ? g : Vec<T>{};
      write<kStream, T>(lanes, args.dx + i, g * va + ((x - vm) * vb + vd));
      if constexpr (kResidual) write<kStream, T>(lanes, args.dresidual + i, g);
    }
  });
}

template <bool kMasked, class T>
void stream_residual_gradient(const NormBackwardArgs<T>& args) {
  for_each_vector<T>(args.rows * args.cols, [&](std::int64_t i, auto lanes) {
    Vec<T> g = lanes.template get<T>(args.dy + i);
    if constexpr (kMasked) g = lanes.template get<T>(args.saved + i) > 0 ? g : Vec<T>{};
    write<true, T>(lanes, args.dresidual + i, g);
  });
}

// Two outputs take turns of 4 KB, as memory slows down where both are written line by line: 64 MB
// take 28 ms instead of 34 to 41 (docs/performance.md, "Streams from memory").
template <bool kMasked, class T>
void stream_backward(const NormBackwardArgs<T>& args, const Joined<T>& joined) {
  constexpr std::int64_t kTurn = 4096 / static_cast<int>(sizeof(T));
  if (args.dresidual == nullptr) return backward_as<true, kMasked, false>(args, joined);
  const std::int64_t rows_per_turn = kTurn / joined.cols > 1 ? kTurn / joined.cols : 1;
  const std::int64_t step = rows_per_turn * joined.times;
  for (std::int64_t r = 0; r < args.rows; r += step) {
    const std::int64_t at = r * args.cols;
    NormBackwardArgs<T> part = args;
    part.rows = args.rows - r < step ? args.rows - r : step;
    part.dy += at;
    part.x += at;
    part.dx += at;
    part.dresidual += at;
    if constexpr (kMasked) part.saved += at;
    backward_as<true, kMasked, false>(part, Joined<T>(args.cols, part.rows, args.cols));
    stream_residual_gradient<kMasked>(part);
  }
}

template <bool kMasked, class T>
void masked_backward(const NormBackwardArgs<T>& args) {
  const Joined<T> joined(args.cols, args.rows, args.cols);
  if (!args.stream || !can_stream(args.dx, joined.ld) ||
      (args.dresidual != nullptr && !can_stream(args.dresidual, joined.ld))) {
    return args.dresidual != nullptr ? backward_as<false, kMasked, true>(args, joined)
                                     : backward_as<false, kMasked, false>(args, joined);
  }
  stream_backward<kMasked>(args, joined);
  finish_streaming();
}

template <class T>
void backward(const NormBackwardArgs<T>& args) {
  args.saved != nullptr ? masked_backward<true>(args) : masked_backward<false>(args);
}

template <class T>
void moving_average(T* state, const T* value, std::int64_t n, T momentum, T one_minus_momentum) {
  for (std::int64_t i = 0; i < n; ++i) {
    state[i] = state[i] * momentum + value[i] * one_minus_momentum;
  }
}

template <class T>
constexpr NormKernels<T> norm_table() {
  return {channel_moments<T, T>, channel_moments<T, double>,
          merge_moments<T>,      merge_moments<double>,
          normalize<T>,          product_sums<T>,
          backward<T>,           row_norm<T>,
          row_gradients<T>,      row_norm_backward<T>,
          moving_average<T>};
}

}  // namespace

extern const NormKernels<float> norm_f32;
extern const NormKernels<double> norm_f64;
const NormKernels<float> norm_f32 = norm_table<float>();
const NormKernels<double> norm_f64 = norm_table<double>();

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
