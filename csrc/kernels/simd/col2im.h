// The adjoint of a convolution from the products of its pixels with all taps: col2im.
#pragma once

#include "kernels/conv_kernels.h"
#include "kernels/simd/gemm_tile.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/transpose.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Values of the pixels of one column phase and one channel: a line, in whole vectors.
template <class T>
DLNATIVE_INLINE std::int64_t line_elements(const PhaseAxis& w) {
  return ceil_div(ceil_div(w.in, w.stride), kLanes<T>) * kLanes<T>;
}

// Lines, then a row of x, in whole vectors.
template <class T>
std::int64_t col2im_scratch(const PhaseAxis& w, std::int64_t channels) {
  return 2 * w.stride * channels * line_elements<T>(w);
}

// The taps of an axis that meet pixel i, and the place that a shift of 0 stands for.
struct PhaseTaps {
  const TapShift *begin, *end;
  std::int64_t place;
  PhaseTaps(const PhaseAxis& axis, std::int64_t i)
      : begin(axis.taps + axis.starts[i % axis.stride]),
        end(axis.taps + axis.starts[i % axis.stride + 1]),
        place(i / axis.stride) {}
};

// The line of a phase and channel c of row i.
template <class T>
DLNATIVE_INLINE void sum_line(const Col2Im<T>& g, const PhaseTaps& rows, const PhaseTaps& columns,
                              std::int64_t c, T* line) {
  const std::int64_t tap_row = g.w.window * g.channels * g.plane;
  const Vec<T> bias = broadcast(g.epilogue->bias != nullptr ? g.epilogue->bias[c] : T(0));
  for (std::int64_t q = 0; q < line_elements<T>(g.w); q += kLanes<T>) {
    Vec<T> sum = bias;
    for (const TapShift* b = columns.begin; b < columns.end; ++b) {
      const std::int64_t p = q + b->shift, left = g.w.out - p;
      if (p <= -kLanes<T> || left <= 0) continue;
      const bool whole = p >= 0 && left >= kLanes<T>;
      const Mask<T> lanes = lane_numbers<T>();
      const Mask<T> inside =
          (lanes >= static_cast<Lane<T>>(-p)) & (lanes < static_cast<Lane<T>>(min64(left, 64)));
      const T* from = g.columns + (b->tap * g.channels + c) * g.plane + p;
      for (const TapShift* a = rows.begin; a < rows.end; ++a) {
        const std::int64_t place = rows.place + a->shift;
        if (place < 0 || place >= g.h.out) continue;
        const Vec<T> v = load(from + a->tap * tap_row + (place - g.first) * g.w.out);
        sum += whole ? v : (inside ? v : Vec<T>{});
      }
    }
    store<T>(line + q, sum);
  }
}

// Lines that are `length` values long as a row of x: their first values, then their second ones.
template <class T>
DLNATIVE_INLINE void interleave(const T* lines, std::int64_t count, std::int64_t length, T* row) {
  if (count == 2) {
    for (std::int64_t q = 0; q < length; q += kLanes<T>) {
      Vec<T> joined[2];
      join_pairs<T>(load(lines + q), load(lines + length + q), joined);
      store<T>(row + 2 * q, joined[0]);
      store<T>(row + 2 * q + kLanes<T>, joined[1]);
    }
    return;
  }
  for (std::int64_t l = 0; l < count; ++l) {
    for (std::int64_t q = 0; q < length; ++q) row[q * count + l] = lines[l * length + q];
  }
}

template <class T>
void col2im(const Col2Im<T>& g) {
  const GemmEpilogue<T>& e = *g.epilogue;
  const std::int64_t length = line_elements<T>(g.w), size = g.w.in * g.channels;
  const std::int64_t count = g.w.stride * g.channels;
  T* row = count == 1 ? g.scratch : g.scratch + count * length;
  TileEnd<T> end;
  end.columns = size;
  end.accumulate = g.accumulate;
  end.relu = e.relu;
  for (std::int64_t i = 0; i < g.rows; ++i) {
    const PhaseTaps rows(g.h, g.row + i);
    for (std::int64_t phase = 0; phase < g.w.stride; ++phase) {
      const PhaseTaps columns(g.w, phase);
      for (std::int64_t c = 0; c < g.channels; ++c)
        sum_line(g, rows, columns, c, g.scratch + (phase * g.channels + c) * length);
    }
    if (count > 1) interleave(g.scratch, count, length, row);
    end.c = g.x + i * size;
    end.relu_saved = e.relu_saved != nullptr ? e.relu_saved + i * size : nullptr;
    finish_partial<T>(row, 1, size, end);
  }
  finish_rows(e, g.x, g.rows * size, 0, 0, 1, g.rows * size);
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
