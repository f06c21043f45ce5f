// How a reduction over any axes is cut up: passes over (outer, n, inner), and blocks of a pass.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "ops/chunks.h"

namespace dlnative {

// Neighbouring axes that are all reduced or all kept count as one. Each group of reduced axes is
// then one pass over x[outer, n, inner], from the last group to the first. A pass is cut into
// blocks of rows (of n) and of columns (of inner); the results of blocks of rows are reduced in
// their order.
struct ReducePasses {
  struct Pass {
    std::int64_t outer = 0, n = 0, inner = 0;
    std::int64_t rows = 0, columns = 0;              // of a block
    std::int64_t row_blocks = 0, column_blocks = 0;  // of one outer index
    int threads = 0;
  };

  // std::invalid_argument: an axis is out of range or named twice.
  ReducePasses(const std::string& name, const std::vector<std::int64_t>& shape,
               const std::vector<std::int64_t>& axes);

  std::int64_t input_size = 1;
  std::int64_t output_size = 1;
  std::int64_t count = 1;  // elements of x per element of y
  std::vector<Pass> passes;
  std::int64_t between = 0;   // elements of the largest result of a pass that is not the last
  std::int64_t partials = 0;  // of blocks of rows: [outer, row_blocks, inner]
};

// y[o, i] = reduction over j of x[o, j, i] for the blocks of a pass. `reduce` is called with the
// addresses of x and of partial results: reduce(x, ldx, rows, columns, y) for y[c] = reduction over
// r of x[r * ldx + c]; where ldx is 1, of one contiguous row.
template <class X, class Y, class Reduce>
void run_pass(const ReducePasses::Pass& pass, const X* x, Y* partial, Y* y, Reduce&& reduce) {
  const std::int64_t step = pass.n * pass.inner;  // of one outer index
  if (pass.row_blocks == 1 && pass.column_blocks == 1) {
    const std::int64_t together =
        std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(step, 1));
    for_each_chunk(pass.outer, together, pass.threads, [&](std::int64_t begin, std::int64_t size) {
      for (std::int64_t o = begin; o < begin + size; ++o)
        reduce(x + o * step, pass.inner, pass.n, pass.inner, y + o * pass.inner);
    });
    return;
  }
  Y* to = pass.row_blocks > 1 ? partial : y;
  const std::int64_t tasks = pass.outer * pass.row_blocks * pass.column_blocks;
  parallel_for(tasks, pass.threads, [&](std::int64_t task, int) {
    const std::int64_t column = task % pass.column_blocks * pass.columns;
    const std::int64_t block = task / pass.column_blocks;  // over outer and row blocks
    const std::int64_t row = block % pass.row_blocks * pass.rows;
    const X* from = x + block / pass.row_blocks * step + row * pass.inner + column;
    reduce(from, pass.inner, std::min(pass.rows, pass.n - row),
           std::min(pass.columns, pass.inner - column), to + block * pass.inner + column);
  });
  if (pass.row_blocks == 1) return;
  for (std::int64_t o = 0; o < pass.outer; ++o) {
    const Y* const from = partial + o * pass.row_blocks * pass.inner;
    reduce(from, pass.inner, pass.row_blocks, pass.inner, y + o * pass.inner);
  }
}

}  // namespace dlnative
