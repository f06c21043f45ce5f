// Transposes, in squares of whole lines of the caches: of arrays whose rows are a power of two
// apart, the lines of a tile meet in one set of the cache, which loses them before a second look.
#include <cstddef>
#include <cstdint>

#include "kernels/move_kernels.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/stream.h"
#include "kernels/simd/transpose.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

template <class T>
DLNATIVE_INLINE void put(T* to, Vec<T> v, bool streamed) {
  streamed ? stream(to, v) : store<T>(to, v);
}

// A square whose sides are a line: by way of a buffer where a line is several vectors.
template <class T>
DLNATIVE_INLINE void transpose_square(const T* x, std::int64_t step_x, T* y, std::int64_t step_y,
                                      bool streamed) {
  constexpr int kSide = static_cast<int>(kCacheLine<T>), kStep = kLanes<T>;
  if constexpr (kSide == kStep) {
    Vec<T> v[kStep];
#pragma GCC unroll 16
    for (int c = 0; c < kStep; ++c) v[c] = load<T>(x + c * step_x);
    transpose_lanes<T>(v);
#pragma GCC unroll 16
    for (int r = 0; r < kStep; ++r) put<T>(y + r * step_y, v[r], streamed);
  } else {
    alignas(64) T square[kSide * kSide];
    for (int c = 0; c < kSide; c += kStep) {
      for (int r = 0; r < kSide; r += kStep)
        transpose_block<T>(x + c * step_x + r, step_x, square + r * kSide + c, kSide);
    }
    for (int r = 0; r < kSide; ++r) {
      for (int c = 0; c < kSide; c += kStep)
        put<T>(y + r * step_y + c, load<T>(square + r * kSide + c), streamed);
    }
  }
}

// At most kLanes rows and columns.
template <class T>
DLNATIVE_INLINE void transpose_part(const T* x, std::int64_t step_x, T* y, std::int64_t step_y,
                                    std::int64_t rows, std::int64_t columns) {
  Vec<T> v[kLanes<T>];
  for (int c = 0; c < kLanes<T>; ++c)
    v[c] = c < columns ? load_upto<T>(x + c * step_x, rows) : Vec<T>{};
  transpose_lanes<T>(v);
  for (int r = 0; r < kLanes<T>; ++r) {
    if (r < rows) store_upto<T>(y + r * step_y, v[r], columns);
  }
}

// What is too narrow for vectors, element by element.
template <class T>
void transpose_edge(const T* x, std::int64_t step_x, T* y, std::int64_t step_y, std::int64_t rows,
                    std::int64_t columns) {
  constexpr std::int64_t kStep = kLanes<T>, kFew = kStep / 2;
  if (rows < kFew || columns < kFew) {
    using Word = typename FloatFormat<T>::Word;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c)
        __builtin_memcpy(y + r * step_y + c, x + c * step_x + r, sizeof(Word));
    }
    return;
  }
  for (std::int64_t c = 0; c < columns; c += kStep) {
    for (std::int64_t r = 0; r < rows; r += kStep) {
      const std::int64_t height = rows - r < kStep ? rows - r : kStep;
      const std::int64_t width = columns - c < kStep ? columns - c : kStep;
      transpose_part<T>(x + c * step_x + r, step_x, y + r * step_y + c, step_y, height, width);
    }
  }
}

template <class T>
void transpose(const T* x, std::int64_t step_x, T* y, std::int64_t step_y, std::int64_t rows,
               std::int64_t columns, bool streamed) {
  constexpr std::int64_t kSide = kCacheLine<T>;
  const bool past =
      streamed && reinterpret_cast<std::uintptr_t>(y) % 64 == 0 && step_y % kSide == 0;
  const std::int64_t whole_rows = rows / kSide * kSide, whole_columns = columns / kSide * kSide;
  for (std::int64_t r = 0; r < whole_rows; r += kSide) {
    for (std::int64_t c = 0; c < whole_columns; c += kSide) {
      const T* const from = x + c * step_x + r;
      if (!past && r + kSide < whole_rows) {
        for (std::int64_t i = 0; i < kSide; ++i) __builtin_prefetch(from + i * step_x + kSide);
      }
      transpose_square<T>(from, step_x, y + r * step_y + c, step_y, past);
    }
  }
  if (past) finish_streaming();
  if (whole_rows < rows && whole_columns > 0) {
    transpose_edge<T>(x + whole_rows, step_x, y + whole_rows * step_y, step_y, rows - whole_rows,
                      whole_columns);
  }
  if (whole_columns < columns) {
    transpose_edge<T>(x + whole_columns * step_x, step_x, y + whole_columns, step_y, rows,
                      columns - whole_columns);
  }
}

}  // namespace

extern const MoveKernels<float> move_f32;
extern const MoveKernels<double> move_f64;
const MoveKernels<float> move_f32 = {transpose<float>};
const MoveKernels<double> move_f64 = {transpose<double>};

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
