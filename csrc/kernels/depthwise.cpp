// Depthwise convolution: vectors run over the channels, and a block of pixels shares the weights.
//
// The loop over channels is the inner one: a pixel's channels lie side by side, while the column of
// one channel would be a value per cache line, in few sets of the cache where the number of
// channels is a power of two. A block is 4 neighbours times the two vectors of a cache line (8 of
// one vector where that is a line); its 8 sums stay in registers. Per row of the kernel it takes
//
//   tap by tap      2 weights and 8 pixels for 8 products, for any kernel
//   pixels shared   for 3 taps of stride 1, 6 weights and 12 pixels for 24 products
//
// and adds the products in the same order in both ways. Half a line of 8 neighbours would share
// weights better, but pixels of many channels evict each other before the other half of their lines
// is used.
//
// The hardware prefetcher finds none of this: where x and y come from memory, a block prefetches
// what the one below it will need, and y is streamed past the caches. Measured:
// docs/performance.md, "Depthwise convolution".
#include "kernels/depthwise_kernels.h"
#include "kernels/simd/stream.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {

namespace {

// A vector of channels; with kPart the first n of them are there.
template <class T, bool kPart>
DLNATIVE_INLINE Vec<T> read(const T* p, std::int64_t n) {
  if constexpr (kPart) return load_first(p, n);
  return load<T>(p);
}
template <class T, bool kPart>
DLNATIVE_INLINE void write(T* p, Vec<T> v, std::int64_t n) {
  if constexpr (kPart) return store_first(p, v, n);
  store<T>(p, v);
}

// How the pixels of a block meet the taps of a row of the kernel: tap by tap (kTaps = 0), or kTaps
// taps whose pixels, kStride taps apart, are shared.
template <int kTaps_, int kStride_>
struct Shape {
  static constexpr int kTaps = kTaps_;
  static constexpr int kStride = kStride_;
};
using TapByTap = Shape<0, 0>;

// sums[p] += x k over the taps of one row of the kernel, for kPixels pixels of kVectors vectors.
template <class T, int kPixels, int kVectors, bool kPart, class S>
DLNATIVE_INLINE void correlate_row(const DepthwiseRow& row, std::int64_t taps, const T* x,
                                   const T* k, std::int64_t n, Vec<T> (&sums)[kPixels][kVectors]) {
  constexpr int kStep = kLanes<T>;
  if constexpr (S::kTaps == 0) {
    for (std::int64_t j = 0; j < taps; ++j) {
      Vec<T> weight[kVectors];
      for (int v = 0; v < kVectors; ++v) weight[v] = read<T, kPart>(k + v * kStep, n);
      const T* pixel = x;
#pragma GCC unroll 8
      for (int p = 0; p < kPixels; ++p) {
        for (int v = 0; v < kVectors; ++v)
          sums[p][v] += read<T, kPart>(pixel + v * kStep, n) * weight[v];
        pixel += row.x_pixel;
      }
      x += row.x_tap;
      k += row.k_tap;
    }
  } else {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      Vec<T> weights[S::kTaps];
#pragma GCC unroll 5
      for (int j = 0; j < S::kTaps; ++j)
        weights[j] = read<T, kPart>(k + j * row.k_tap + v * kStep, n);
      const T* at = x + v * kStep;
#pragma GCC unroll 24
      for (int q = 0; q < (kPixels - 1) * S::kStride + S::kTaps; ++q) {
        const Vec<T> pixel = read<T, kPart>(at, n);
        at += row.x_tap;
#pragma GCC unroll 5
        for (int j = 0; j < S::kTaps; ++j) {
          const int p = (q - j) / S::kStride;
          if (q >= j && (q - j) % S::kStride == 0 && p < kPixels) sums[p][v] += pixel * weights[j];
        }
      }
    }
  }
}

// k += x y over one row of the kernel, for kPixels pixels whose values of y are given.
template <class T, int kPixels, int kVectors, bool kPart, class S>
DLNATIVE_INLINE void accumulate_row(const DepthwiseRow& row, std::int64_t taps, const T* x, T* k,
                                    std::int64_t n, const Vec<T> (&y)[kPixels][kVectors]) {
  constexpr int kStep = kLanes<T>;
  if constexpr (S::kTaps == 0) {
    for (std::int64_t j = 0; j < taps; ++j) {
      Vec<T> weight[kVectors];
      for (int v = 0; v < kVectors; ++v) weight[v] = read<T, kPart>(k + v * kStep, n);
      const T* pixel = x;
#pragma GCC unroll 8
      for (int p = 0; p < kPixels; ++p) {
        for (int v = 0; v < kVectors; ++v)
          weight[v] += read<T, kPart>(pixel + v * kStep, n) * y[p][v];
        pixel += row.x_pixel;
      }
      for (int v = 0; v < kVectors; ++v) write<T, kPart>(k + v * kStep, weight[v], n);
      x += row.x_tap;
      k += row.k_tap;
    }
  } else {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      Vec<T> weights[S::kTaps];
#pragma GCC unroll 5
      for (int j = 0; j < S::kTaps; ++j)
        weights[j] = read<T, kPart>(k + j * row.k_tap + v * kStep, n);
      const T* at = x + v * kStep;
#pragma GCC unroll 24
      for (int q = 0; q < (kPixels - 1) * S::kStride + S::kTaps; ++q) {
        const Vec<T> pixel = read<T, kPart>(at, n);
        at += row.x_tap;
#pragma GCC unroll 5
        for (int j = 0; j < S::kTaps; ++j) {
          const int p = (q - j) / S::kStride;
          if (q >= j && (q - j) % S::kStride == 0 && p < kPixels) weights[j] += pixel * y[p][v];
        }
      }
#pragma GCC unroll 5
      for (int j = 0; j < S::kTaps; ++j)
        write<T, kPart>(k + j * row.k_tap + v * kStep, weights[j], n);
    }
  }
}

template <class T>
struct Correlate {
  const T* x;
  const T* k;
  T* y;
  const T* bias;
  bool relu, past_caches;

  static const T* read_y() { return nullptr; }

  // kVectors vectors of channels from c on, of kPixels pixels of a run.
  template <int kPixels, int kVectors, bool kPart, class S>
  __attribute__((always_inline)) void vectors(const DepthwiseRow& row, const DepthwiseRun& run,
                                              std::int64_t c) const {
    const std::int64_t n = row.channels - c;
    Vec<T> sums[kPixels][kVectors] = {};
    for (std::int64_t i = 0; i < row.rows; ++i) {
      correlate_row<T, kPixels, kVectors, kPart, S>(row, run.taps, x + run.x + c + i * row.x_row,
                                                    k + run.k + c + i * row.k_row, n, sums);
    }
    if (bias != nullptr || relu) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        const Vec<T> shift =
            bias != nullptr ? read<T, kPart>(bias + c + v * kLanes<T>, n) : Vec<T>{};
        const T low = relu ? T(0) : -infinity<T>();
#pragma GCC unroll 8
        for (int p = 0; p < kPixels; ++p) sums[p][v] = at_least<T>(sums[p][v] + shift, low);
      }
    }
    T* to = y + run.y + c;
    if (!kPart && past_caches) {
#pragma GCC unroll 8
      for (int p = 0; p < kPixels; ++p, to += row.y_pixel) {
        for (int v = 0; v < kVectors; ++v) stream(to + v * kLanes<T>, sums[p][v]);
      }
      return;
    }
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p, to += row.y_pixel) {
      for (int v = 0; v < kVectors; ++v) write<T, kPart>(to + v * kLanes<T>, sums[p][v], n);
    }
  }
};

template <class T>
struct Accumulate {
  const T* x;
  T* k;
  const T* y;

  const T* read_y() const { return y; }

  template <int kPixels, int kVectors, bool kPart, class S>
  __attribute__((always_inline)) void vectors(const DepthwiseRow& row, const DepthwiseRun& run,
                                              std::int64_t c) const {
    const std::int64_t n = row.channels - c;
    Vec<T> values[kPixels][kVectors];
    const T* from = y + run.y + c;
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) {
      for (int v = 0; v < kVectors; ++v) values[p][v] = read<T, kPart>(from + v * kLanes<T>, n);
      from += row.y_pixel;
    }
    for (std::int64_t i = 0; i < row.rows; ++i) {
      accumulate_row<T, kPixels, kVectors, kPart, S>(row, run.taps, x + run.x + c + i * row.x_row,
                                                     k + run.k + c + i * row.k_row, n, values);
    }
  }
};

// A block is kBlockPixels pixels of a cache line or two vectors: 8 sums or values in registers.
constexpr int kBlockVectors = kVectorBytes == 64 ? 1 : 2;
constexpr int kBlockPixels = 8 / kBlockVectors;

// All channels of kPixels pixels.
template <class T, int kPixels, class S, class Work>
void all_channels(const Work& of_row, const DepthwiseRow& a_row, const DepthwiseRun& a_run) {
  // Copies stay in registers; what the references name could be overwritten by any store to y.
  const Work work = of_row;
  const DepthwiseRow row = a_row;
  const DepthwiseRun run = a_run;
  constexpr std::int64_t kStep = kBlockVectors * kLanes<T>;
  std::int64_t c = 0;
  for (; c + kStep <= row.channels; c += kStep) {
    work.template vectors<kPixels, kBlockVectors, false, S>(row, run, c);
  }
  if (kBlockVectors > 1 && c + kLanes<T> <= row.channels) {
    work.template vectors<kPixels, 1, false, S>(row, run, c);
    c += kLanes<T>;
  }
  if (c < row.channels) work.template vectors<kPixels, 1, true, S>(row, run, c);
}

// Prefetches what the next row of y is the first to need of x, below the first `pixels` of a run,
// and for those of the next row of y where they are read.
template <class T>
__attribute__((noinline)) void prefetch_next_row(const DepthwiseRow& row, const DepthwiseRun& run,
                                                 std::int64_t pixels, const T* x, const T* y) {
  const std::int64_t more = pixels >= run.pixels ? run.taps - 1 : 0;
  asm volatile("");  // a function that only prefetches could be left out
  for (std::int64_t r = 0; r < row.new_rows; ++r) {
    prefetch(x + run.x + row.new_row + r * row.x_step,
             (pixels * row.new_pixels + more) * row.channels);
  }
  if (y == nullptr) return;
  for (std::int64_t p = 0; p < pixels; ++p)
    prefetch(y + run.y + row.y_row + p * row.y_pixel, row.channels);
}

// The pixels of one run in blocks; five are left as three and two, since a single pixel has the
// weights to itself.
template <class T, class S, class Work>
DLNATIVE_INLINE void blocks_of_run(const Work& work, const DepthwiseRow& row, DepthwiseRun run) {
  while (run.pixels > 0) {
    std::int64_t done = 1;
    if (row.stream) {
      prefetch_next_row(row, run, run.pixels < kBlockPixels ? run.pixels : kBlockPixels, work.x,
                        work.read_y());
    }
    if (kBlockPixels > 4 && run.pixels >= kBlockPixels) {
      done = kBlockPixels;
      all_channels<T, kBlockPixels, S>(work, row, run);
    } else if (run.pixels >= 4 && run.pixels != 5) {
      done = 4;
      all_channels<T, 4, S>(work, row, run);
    } else if (run.pixels >= 3) {
      done = 3;
      all_channels<T, 3, S>(work, row, run);
    } else if (run.pixels == 2) {
      done = 2;
      all_channels<T, 2, S>(work, row, run);
    } else {
      all_channels<T, 1, TapByTap>(work, row, run);
    }
    run.pixels -= done;
    run.y += done * row.y_pixel;
    run.x += done * row.x_pixel;
  }
}

template <class T, class Work>
void all_runs(const Work& work, const DepthwiseRow& row) {
  for (std::int64_t i = 0; i < row.run_count; ++i) {
    const DepthwiseRun& run = row.runs[i];
    if (run.taps == 3 && row.x_pixel == row.x_tap) {
      blocks_of_run<T, Shape<3, 1>>(work, row, run);
    } else if (run.taps == 3 && row.x_pixel == 2 * row.x_tap) {
      blocks_of_run<T, Shape<3, 2>>(work, row, run);
    } else if (run.taps == 5 && row.x_pixel == row.x_tap) {
      blocks_of_run<T, Shape<5, 1>>(work, row, run);
    } else {
      blocks_of_run<T, TapByTap>(work, row, run);
    }
  }
}

template <class T>
void correlate(const DepthwiseRow& row, const T* x, const T* k, T* y, const T* bias, bool relu) {
  const bool past_caches = row.stream && can_stream(y, row.channels);
  all_runs<T>(Correlate<T>{x, k, y, bias, relu, past_caches}, row);
  if (past_caches) finish_streaming();
}

template <class T>
void accumulate(const DepthwiseRow& row, const T* x, const T* y, T* k) {
  all_runs<T>(Accumulate<T>{x, k, y}, row);
}

template <class T>
void expand(const T* x, T* y, std::int64_t n, std::int64_t multiplier) {
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t m = 0; m < multiplier; ++m) *y++ = x[i];
  }
}

template <class T>
void contract(const T* y, T* x, std::int64_t n, std::int64_t multiplier) {
  for (std::int64_t i = 0; i < n; ++i) {
    T sum = *y++;
    for (std::int64_t m = 1; m < multiplier; ++m) sum += *y++;
    x[i] = sum;
  }
}

template <class T>
constexpr DepthwiseKernels<T> kTable = {correlate<T>, accumulate<T>, expand<T>, contract<T>};

}  // namespace

extern const DepthwiseKernels<float> depthwise_f32;
extern const DepthwiseKernels<double> depthwise_f64;
const DepthwiseKernels<float> depthwise_f32 = kTable<float>;
const DepthwiseKernels<double> depthwise_f64 = kTable<double>;

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
