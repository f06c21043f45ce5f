// Losses per row of [rows, cols], their gradients, and the weighted sum that makes one number.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"
#include "ops/chunks.h"

namespace dlnative {

inline bool has_sparse_labels(Loss loss) {
  return loss == Loss::kSparseSoftmaxCrossEntropy || loss == Loss::kSparseCategoricalCrossEntropy;
}

// total = scale * sum over i of losses[i] * weight[i]
template <class T>
class WeightedSumOp {
 public:
  explicit WeightedSumOp(std::int64_t n, double scale);
  void take(WorkspacePieces& pieces) { sum_.take(pieces); }  // for `run`
  std::size_t set_workspace(void* workspace);
  // weight may be null: every value counts once.
  void run(const T* losses, const T* weight, T* total) const;
  // dlosses[i] = dtotal * scale * weight[i]; dlosses may be losses or weight.
  void backward(const T* dtotal, const T* weight, T* dlosses) const;

 private:
  const Kernels<T>* kernels_ = nullptr;
  std::int64_t n_ = 0;
  double scale_ = 0.0;
  ChunkedSum sum_;
};

// One loss over rows. Labels are T[rows, cols], or int32[rows] in [0, cols) for sparse losses.
template <class T>
class LossOp {
 public:
  LossOp(Loss loss, std::int64_t rows, std::int64_t cols, double label_smoothing);

  void forward(const T* pred, const void* labels, T* losses) const;
  // dpred[r, c] = dloss[r] * d loss[r] / d pred[r, c]; dpred may be pred.
  void backward(const T* dloss, const T* pred, const void* labels, T* dpred) const;

 protected:
  void run_chunks(const LossArgs<T>& args) const;
  LossArgs<T> args(const T* pred, const void* labels) const;

  std::int64_t rows_ = 0;

 private:
  void (*kernel_)(const LossArgs<T>&);
  std::int64_t cols_ = 0;
  T label_smoothing_{};
  bool sparse_ = false;
  std::int64_t chunk_rows_ = 0;
  int threads_ = 0;
};

// total = scale * sum of loss[r] * weight[r], and dpred = d total / d pred, in one pass.
template <class T>
class LossWithGradientOp : private LossOp<T> {
 public:
  LossWithGradientOp(Loss loss, std::int64_t rows, std::int64_t cols, double label_smoothing,
                     double scale);
  std::size_t set_workspace(void* workspace);
  // weight may be null; dpred may be pred.
  void run(const T* pred, const void* labels, const T* weight, T* total, T* dpred) const;

 private:
  T scale_{};
  WeightedSumOp<T> weighted_sum_;
  T* losses_ = nullptr;
};

extern template class WeightedSumOp<float>;
extern template class WeightedSumOp<double>;
extern template class LossOp<float>;
extern template class LossOp<double>;
extern template class LossWithGradientOp<float>;
extern template class LossWithGradientOp<double>;

}  // namespace dlnative
