#include "ops/gemm.h"

#include <algorithm>

#include "core/aligned.h"
#include "core/parallel.h"

namespace dlnative {

namespace {

// A second thread costs a few microseconds to wake; at 50 to 100 GFLOP/s this much work takes 15 to 30.
constexpr double kSerialFlops = 1.5e6;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

}  // namespace

GemmSplit split_gemm(std::int64_t m, std::int64_t n, std::int64_t k, int mr, int nr, int threads) {
  GemmSplit split{m, n, 1};
  const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (threads <= 1 || flops < kSerialFlops) return split;
  // Two tasks per thread even out a thread that is held up, where C is large enough for it.
  const std::int64_t wanted = flops > 20.0 * kSerialFlops ? 2 * threads : threads;
  const std::int64_t row_tiles = ceil_div(m, mr), column_tiles = ceil_div(n, nr);
  // Cut the longer side: each task packs its own share of A and of B.
  if (m >= n) {
    const std::int64_t parts = std::min(wanted, row_tiles);
    split.rows = round_up(ceil_div(m, parts), mr);
    if (parts < wanted) split.columns = round_up(ceil_div(n, std::min(ceil_div(wanted, parts), column_tiles)), nr);
  } else {
    const std::int64_t parts = std::min(wanted, column_tiles);
    split.columns = round_up(ceil_div(n, parts), nr);
    if (parts < wanted) split.rows = round_up(ceil_div(m, std::min(ceil_div(wanted, parts), row_tiles)), mr);
  }
  split.threads = threads;
  return split;
}

template <class T>
void gemm(const GemmKernels<T>& table, const GemmBlock<T>& g, const GemmSplit& split) {
  if (g.m <= 0 || g.n <= 0) return;
  const std::int64_t row_tasks = ceil_div(g.m, split.rows), column_tasks = ceil_div(g.n, split.columns);
  const std::int64_t scratch =
      table.scratch_elements(std::min(g.m, split.rows), std::min(g.n, split.columns), g.k);
  const auto run = [&](std::int64_t task, int) {
    const std::int64_t i = task / column_tasks * split.rows, j = task % column_tasks * split.columns;
    GemmBlock<T> part = g;
    GemmEpilogue<T> epilogue;
    part.a += i * g.rs_a;
    part.b += j * g.cs_b;
    part.c += i * g.ldc + j;
    part.m = std::min(split.rows, g.m - i);
    part.n = std::min(split.columns, g.n - j);
    if (g.epilogue != nullptr) {
      epilogue = *g.epilogue;
      if (epilogue.bias != nullptr) epilogue.bias += j;
      if (epilogue.relu_saved != nullptr) epilogue.relu_saved += i * epilogue.ld_saved + j;
      if (epilogue.saved != nullptr) epilogue.saved += i * epilogue.ld_saved + j;
      if (epilogue.pre_activation != nullptr) epilogue.pre_activation += i * g.ldc + j;
      part.epilogue = &epilogue;
    }
    part.scratch = static_cast<T*>(thread_scratch(static_cast<std::size_t>(scratch) * sizeof(T)));
    table.block(part);
  };
  if (row_tasks * column_tasks == 1) {
    run(0, 0);
  } else {
    parallel_for(row_tasks * column_tasks, split.threads, run);
  }
}

template void gemm(const GemmKernels<float>&, const GemmBlock<float>&, const GemmSplit&);
template void gemm(const GemmKernels<double>&, const GemmBlock<double>&, const GemmSplit&);

}  // namespace dlnative
