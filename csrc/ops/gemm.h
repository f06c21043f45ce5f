// Matrix products over threads: C[m, n] (+)= A[m, k] B[k, n], any strides of A and B.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace dlnative {

// How C is cut into tasks. The bits of C do not depend on it (see GemmBlock).
struct GemmSplit {
  std::int64_t rows = 0;     // of C per task
  std::int64_t columns = 0;
  int threads = 1;
};

// One task on one thread below about 1.5 MFLOP; above, pieces of equal size for `threads` threads.
GemmSplit split_gemm(std::int64_t m, std::int64_t n, std::int64_t k, int mr, int nr, int threads);

// Runs the product with the fields of `g` (its scratch is ignored), on the kernels `table`.
template <class T>
void gemm(const GemmKernels<T>& table, const GemmBlock<T>& g, const GemmSplit& split);

}  // namespace dlnative
