// Products of many matrices, C[i] = A[i] B[i], over batch axes that broadcast.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/gemm.h"
#include "ops/loop_nest.h"

namespace dlnative {

// Where the matrices of A and B begin that belong to those of C, which lie one after the other.
class MatrixBatch {
 public:
  using Shape = std::vector<std::int64_t>;

  // The batch axes of A and B, which broadcast to those of C.
  // std::invalid_argument: they do not, or there are more than LoopNest::kMaxRank.
  MatrixBatch(const Shape& a, const Shape& b, const Shape& c);

  std::int64_t size() const { return nest_.size(); }

  // Calls f(entry, offsets of A and B in matrices) for entries first, ..., first + count - 1.
  template <class F>
  void for_each(std::int64_t first, std::int64_t count, F&& f) const {
    nest_.for_each(first, count, f);
  }

 private:
  LoopNest nest_;
};

// Products of floats. The smaller ones stay whole, some to a task; the others are cut by Gemm. An
// entry has the bits of Gemm in either case.
template <class T>
class BatchedGemm {
 public:
  // `first`: the fields of the first entry but scratch and epilogue.
  BatchedGemm(const GemmBlock<T>& first, MatrixBatch batch, int threads);
  std::size_t set_workspace(void* workspace);

  void run();

 private:
  GemmBlock<T> first_;
  MatrixBatch batch_;
  int threads_ = 0;
  bool whole_ = false;  // entries stay whole
  Gemm<T> gemm_;
  ThreadScratch<T> scratch_;  // for whole entries
};

// Products of integers, which wrap; of bools, whether A and B are true together anywhere. The
// fields are those of GemmBlock.
template <class T>
struct IntegerProduct {
  const T* a;
  const T* b;
  T* c;
  std::int64_t rs_a, cs_a, rs_b, cs_b;
  std::int64_t m, n, k;
};

// T: std::int32_t, std::int64_t, std::uint8_t or bool.
template <class T>
void integer_matmul(const IntegerProduct<T>& first, const MatrixBatch& batch);

extern template class BatchedGemm<float>;
extern template class BatchedGemm<double>;

}  // namespace dlnative
