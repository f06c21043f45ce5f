// Matrix products over threads: C[m, n] (+)= A[m, k] B[k, n], any strides of A and B.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/workspace.h"
#include "kernels/kernel_table.h"
#include "ops/packed_weights.h"

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
// a number of threads; its bits do not depend on the cut (see GemmBlock).
template <class T>
class Gemm {
 public:
  // The fields of `block` but scratch and epilogue, and what happens to C afterwards.
  // `may_pack_b`: the sums are those with a packed B, which is then not read in order.
  Gemm(const GemmBlock<T>& block, const GemmEpilogue<T>& epilogue, int threads,
       bool may_pack_b = false);
  std::size_t set_workspace(void* workspace);

  // `packed_b`: B as `pack` has left it, or null.
  void run(const T* packed_b = nullptr);
  // The same of other arrays.
  void run_on(const T* a, const T* b, T* c);
  const GemmBlock<T>& block() const { return block_; }
  std::size_t packed_bytes() const;
  void pack(T* packed) const;

 private:
  void plan(int threads);
  void run_task(std::int64_t task, int thread) const;

  const GemmKernels<T>* kernels_ = nullptr;
  GemmBlock<T> block_;
  GemmEpilogue<T> epilogue_;
  int threads_ = 0;
  std::int64_t rows_ = 0, columns_ = 0;  // of C per task
  std::int64_t row_tasks_ = 0, column_tasks_ = 0;
  ThreadScratch<T> scratch_;
  bool may_pack_b_ = false;
};

// A product with a B that runs do not change: it is packed once, in a copy that programs share.
// Packing costs as much as a few products of one row, so that the first run with a new B does
// without; its bits are the same.
template <class T>
class PackedGemm {
 public:
  PackedGemm(const GemmBlock<T>& block, const GemmEpilogue<T>& epilogue, int threads);
  std::size_t set_workspace(void* workspace) { return gemm_.set_workspace(workspace); }

  // Not for a single column, nor for a B that fits L1, nor for one that comes from memory in either
  // form.
  static bool pays(const GemmBlock<T>& block);

  void run();
  void renew(std::int64_t version);
  std::size_t kept_bytes() const { return weights_.kept_bytes(); }

 private:
  Gemm<T> gemm_;
  PackedWeights<T> weights_;
  std::int64_t version_ = -1;
  bool is_new_ = true, is_packed_ = false;
};

extern template class Gemm<float>;
extern template class Gemm<double>;
extern template class PackedGemm<float>;
extern template class PackedGemm<double>;

}  // namespace dlnative
