// How a reduction over any axes is cut up: passes over (outer, n, inner), and blocks of a pass.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/table.h"
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
  Table<Pass> passes;
  std::int64_t between = 0;   // elements of the largest result of a pass that is not the last
  std::int64_t partials = 0;  // of blocks of rows: [outer, row_blocks, inner]
};

// What one thread does of a pass at a time: the same block of rows and columns of `count`
// neighbouring outer indices. More than one only where the block is all of an outer index.
struct ReduceTask {
  std::int64_t from = 0;  // first element of x
  std::int64_t count = 0, rows = 0, columns = 0;
  std::int64_t to = 0;  // first result, in [outer, row_blocks, inner]
};

// Outer indices of one task where each is one block.
inline std::int64_t outer_per_task(const ReducePasses::Pass& pass) {
  return std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(pass.n * pass.inner, 1));
}

inline std::int64_t task_count(const ReducePasses::Pass& pass) {
  if (pass.row_blocks == 1 && pass.column_blocks == 1)
    return chunk_count(pass.outer, outer_per_task(pass));
  return pass.outer * pass.row_blocks * pass.column_blocks;
}

// Calls f(task, thread) for the tasks of a pass.
template <class F>
void for_each_task(const ReducePasses::Pass& pass, int threads, F&& f) {
  const std::int64_t step = pass.n * pass.inner;  // of one outer index
  if (pass.row_blocks == 1 && pass.column_blocks == 1) {
    const std::int64_t together = outer_per_task(pass);
    parallel_for(task_count(pass), threads, [&](std::int64_t i, int thread) {
      const std::int64_t first = i * together;
      f(ReduceTask{first * step, std::min(together, pass.outer - first), pass.n, pass.inner,
                   first * pass.inner},
        thread);
    });
    return;
  }
  parallel_for(task_count(pass), threads, [&](std::int64_t i, int thread) {
    const std::int64_t column = i % pass.column_blocks * pass.columns;
    const std::int64_t block = i / pass.column_blocks;  // over outer and row blocks
    const std::int64_t row = block % pass.row_blocks * pass.rows;
    f(ReduceTask{block / pass.row_blocks * step + row * pass.inner + column, 1,
                 std::min(pass.rows, pass.n - row), std::min(pass.columns, pass.inner - column),
                 block * pass.inner + column},
      thread);
  });
}

// Reduces a task's blocks of x, whose outer indices are `step` apart: for the arguments of `reduce`
// see run_pass.
template <class X, class Y, class Reduce>
void reduce_task(const ReduceTask& task, const X* x, std::int64_t ldx, std::int64_t step,
                 std::int64_t inner, Y* y, Reduce&& reduce) {
  for (std::int64_t o = 0; o < task.count; ++o)
    reduce(x + o * step, ldx, task.rows, task.columns, y + o * inner);
}

// y[o, i] = reduction of the results of blocks of rows.
template <class Y, class Reduce>
void join_row_blocks(const ReducePasses::Pass& pass, const Y* partial, Y* y, Reduce&& reduce) {
  if (pass.row_blocks == 1) return;
  for (std::int64_t o = 0; o < pass.outer; ++o) {
    const Y* const from = partial + o * pass.row_blocks * pass.inner;
    reduce(from, pass.inner, pass.row_blocks, pass.inner, y + o * pass.inner);
  }
}

// y[o, i] = reduction over j of x[o, j, i] for the blocks of a pass. `reduce` is called with the
// addresses of x and of partial results: reduce(x, ldx, rows, columns, y) for y[c] = reduction over
// r of x[r * ldx + c]; where ldx is 1, of one contiguous row.
template <class X, class Y, class Reduce>
void run_pass(const ReducePasses::Pass& pass, const X* x, Y* partial, Y* y, Reduce&& reduce) {
  Y* const to = pass.row_blocks > 1 ? partial : y;
  for_each_task(pass, pass.threads, [&](const ReduceTask& task, int) {
    reduce_task(task, x + task.from, pass.inner, pass.n * pass.inner, pass.inner, to + task.to,
                reduce);
  });
  join_row_blocks(pass, partial, y, reduce);
}

}  // namespace dlnative
