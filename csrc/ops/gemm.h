// Matrix products over threads: C[m, n] (+)= A[m, k] B[k, n], any strides of A and B.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace dlnative {

// The epilogue of a part of C that begins at this column, `saved_at` values behind the beginning of
// the saved arrays, and `at` values behind that of C.
template <class T>
GemmEpilogue<T> epilogue_of_part(GemmEpilogue<T> whole, std::int64_t column, std::int64_t saved_at,
                                 std::int64_t at) {
  if (whole.bias != nullptr) whole.bias += column;
  if (whole.relu_saved != nullptr) whole.relu_saved += saved_at;
  if (whole.saved != nullptr) whole.saved += saved_at;
  if (whole.pre_activation != nullptr) whole.pre_activation += at;
  return whole;
}

// A product with fixed addresses, planned once and run any number of times. C is cut into tasks for
// the number of threads at hand; its bits do not depend on the cut (see GemmBlock).
template <class T>
class Gemm {
 public:
  // The fields of `block` but scratch and epilogue, and what happens to C afterwards.
  Gemm(const GemmBlock<T>& block, const GemmEpilogue<T>& epilogue);

  void run();

 private:
  void plan(int threads);
  void run_task(std::int64_t task) const;

  const GemmKernels<T>* kernels_;
  GemmBlock<T> block_;
  GemmEpilogue<T> epilogue_;
  int threads_ = 0;                      // the number that the plan is for
  std::int64_t rows_ = 0, columns_ = 0;  // of C per task
  std::int64_t row_tasks_ = 0, column_tasks_ = 0;
  std::size_t scratch_bytes_ = 0;  // per task
};

extern template class Gemm<float>;
extern template class Gemm<double>;

}  // namespace dlnative
