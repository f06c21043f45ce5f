// The contract between ops and kernels: one struct of function pointers per topic, one KernelTable
// per instruction set.
//
// Kernels are noexcept, get raw pointers and sizes, allocate nothing and start no thread. All
// arrays are contiguous unless a leading dimension is given. `n` may be zero. Input and output may
// be the same array (x == y) in every elementwise kernel; no other overlap is allowed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dlnative {

enum class Activation : int {
  kLinear,
  kRelu,
  kLeakyRelu,
  kElu,
  kSelu,
  kGelu,
  kGeluTanh,
  kSilu,
  kSigmoid,
  kHardSigmoid,
  kTanh,
  kSoftplus,
  kSoftsign,
  kExponential,
  kStep,
  kReluGeneral,  // relu with negative_slope, max_value and threshold
  kCount,
};

// Whether to return at once, with the result unfinished: asked between blocks of work of some
// milliseconds, where it is not null.
using Stop = bool (*)();

// Parameters of an activation: negative_slope or alpha, max_value, threshold.
struct ActivationParams {
  double alpha = 0.0;
  double max_value = 0.0;
  double threshold = 0.0;
};

// y[i] = f(x[i])
template <class T>
using ActivationForward = void (*)(const T* x, T* y, std::int64_t n,
                                   const ActivationParams& params);
// dx[i] = dy[i] * f'(.), written in terms of `saved`: the output y or the input x, as the op's row
// says.
template <class T>
using ActivationBackward = void (*)(const T* dy, const T* saved, T* dx, std::int64_t n,
                                    const ActivationParams& params);

template <class T>
struct ElementwiseKernels {
  ActivationForward<T> activation_forward[static_cast<int>(Activation::kCount)];
  ActivationBackward<T> activation_backward[static_cast<int>(Activation::kCount)];
  // y[i] = x[i] * scale + offset
  void (*rescale)(const T* x, T* y, std::int64_t n, T scale, T offset);
  // y[r, c] += bias[c] over rows x cols, leading dimension ldy
  void (*add_bias)(T* y, std::int64_t ldy, const T* bias, std::int64_t rows, std::int64_t cols);
  // y[i] = keep(i) ? x[i] * scale : 0, where the Philox4x32-10 word of element first + i is >=
  // threshold.
  void (*dropout)(const T* x, T* y, std::int64_t n, std::uint64_t first, std::uint64_t step,
                  std::uint32_t key0, std::uint32_t key1, std::uint32_t threshold, T scale);
};

template <class T>
struct ReduceKernels {
  // Sums in a fixed order with float64 carry between blocks, so that the result does not depend on
  // threads; `sum` is over n contiguous values.
  double (*sum)(const T* x, std::int64_t n);
  double (*sum_of_squares)(const T* x, std::int64_t n);
  double (*dot)(const T* x, const T* y, std::int64_t n);
  T (*max)(const T* x, std::int64_t n);
  T (*min)(const T* x, std::int64_t n);
  std::int64_t (*argmax)(const T* x, std::int64_t n);  // the first maximum
  // out[c] (+)= sum over rows of x[r, c]; accumulate selects += over =.
  void (*sum_rows)(const T* x, std::int64_t ldx, T* out, std::int64_t rows, std::int64_t cols,
                   bool accumulate);
};

template <class T>
struct SoftmaxKernels {
  // Rows of `cols` contiguous values.
  void (*softmax)(const T* x, T* y, std::int64_t rows, std::int64_t cols);
  void (*log_softmax)(const T* x, T* y, std::int64_t rows, std::int64_t cols);
  void (*softmax_backward)(const T* dy, const T* y, T* dx, std::int64_t rows, std::int64_t cols);
  void (*log_softmax_backward)(const T* dy, const T* y, T* dx, std::int64_t rows,
                               std::int64_t cols);
};

enum class Loss : int {
  kSoftmaxCrossEntropy,
  kSparseSoftmaxCrossEntropy,
  kCategoricalCrossEntropy,
  kSparseCategoricalCrossEntropy,
  kBinaryCrossEntropyWithLogits,
  kBinaryCrossEntropy,
  kMeanSquaredError,
  kMeanAbsoluteError,
  kCount,
};

// One pass over a block of rows. `labels` is T[rows, cols], or int32[rows] for the sparse losses.
// losses[r] (may be null): the loss of row r.
// dpred[r, c] (may be null): dloss[r] * d loss[r] / d pred[r, c]; with dloss null every dloss[r] is
// `dloss_scalar` (times weight[r] where weight is not null).
template <class T>
struct LossArgs {
  const T* pred;
  const void* labels;
  const T* dloss;
  const T* weight;
  T* losses;
  T* dpred;
  std::int64_t rows;
  std::int64_t cols;
  T dloss_scalar;
  T label_smoothing;
};

template <class T>
struct LossKernels {
  void (*loss[static_cast<int>(Loss::kCount)])(const LossArgs<T>& args);
  // Per row: 1 or 0 (binary: the mean over the row).
  void (*categorical_accuracy)(const T* pred, const T* labels, T* out, std::int64_t rows,
                               std::int64_t cols);
  void (*sparse_categorical_accuracy)(const T* pred, const std::int32_t* labels, T* out,
                                      std::int64_t rows, std::int64_t cols);
  void (*binary_accuracy)(const T* pred, const T* labels, T* out, std::int64_t rows,
                          std::int64_t cols, T threshold);
};

// One step over n contiguous parameters. All scalars are computed by the op in float64 first, also
// 1 - beta, which would lose half its digits in float32. param -= decay_rate * param comes first,
// with decay_rate = weight_decay * learning_rate.
template <class T>
struct OptimizerKernels {
  // momentum may be null; share is how much of it a step keeps.
  void (*sgd)(T* param, T* momentum, const T* grad, std::int64_t n, T learning_rate, T share,
              bool nesterov, T decay_rate);
  // alpha = learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t); velocity_hat may be null (no
  // amsgrad).
  void (*adam)(T* param, T* momentum, T* velocity, T* velocity_hat, const T* grad, std::int64_t n,
               T alpha, T one_minus_beta_1, T one_minus_beta_2, T epsilon, T decay_rate);
};

enum class SourceType : int {
  kBool,
  kInt8,
  kUInt8,
  kInt16,
  kUInt16,
  kInt32,
  kUInt32,
  kInt64,
  kUInt64,
  kFloat16,
  kFloat32,
  kFloat64,
  kCount,
};

// out[i] = (T) x[i] for n contiguous source values.
template <class T>
using ConvertKernel = void (*)(const void* x, T* out, std::int64_t n);

template <class T>
struct ConvertKernels {
  ConvertKernel<T> convert[static_cast<int>(SourceType::kCount)];
  // false where any of the n values is NaN or infinite.
  bool (*all_finite)(const T* x, std::int64_t n);
};

// What an element of C goes through after its last product, in this order:
// C = activation_backward(activation(A B + C_old + bias), saved).
// ReLU and its gradient stay in registers; other activations run over rows that are still in cache.
template <class T>
struct GemmEpilogue {
  const T* bias = nullptr;  // per column
  bool relu = false;
  const T* relu_saved = nullptr;  // C = relu_saved > 0 ? C : 0, leading dimension ld_saved
  ActivationForward<T> activation = nullptr;
  T* pre_activation = nullptr;  // also receives A B + bias; leading dimension of C
  ActivationBackward<T> activation_backward = nullptr;
  const T* saved = nullptr;  // of activation_backward, leading dimension ld_saved
  std::int64_t ld_saved = 0;
  ActivationParams params;
};

// C[m, n] (+)= A[m, k] B[k, n]. Element (i, p) of A is at a[i * rs_a + p * cs_a]; (p, j) of B at
// b[p * rs_b + j * cs_b]; C has unit column stride. The order in which the k products of an element
// are added depends on k only, so that C may be cut into blocks in any way.
template <class T>
struct GemmBlock {
  const T* a;
  const T* b;
  T* c;
  std::int64_t rs_a, cs_a, rs_b, cs_b, ldc;
  std::int64_t m, n, k;
  bool accumulate;                  // C += instead of C =
  const GemmEpilogue<T>* epilogue;  // never null
  T* scratch;                       // scratch_elements(m, n, k) values, 64-byte aligned
  // A few rows of A, at most mr, meet a large B whose rows have no gaps: it is read in the order in
  // which it lies. The sums are rounded otherwise, so that this follows from the whole product.
  bool in_order = false;
  // The whole of C is a single column, whose sums are rounded otherwise, too.
  bool one_column = false;
  // B as `pack` leaves it, from this block's first column on, or null. The sums are those of B
  // where it lies, unless that is read in order.
  const T* packed_b = nullptr;
  Stop stop = nullptr;
};

template <class T>
struct GemmKernels {
  int mr, nr;  // rows and columns of the register tile
  void (*block)(const GemmBlock<T>& block);
  std::int64_t (*scratch_elements)(std::int64_t m, std::int64_t n, std::int64_t k);
  // Values of a packed B; and panels [first, last) of it, nr columns each, from b. A panel has all
  // k products one after the other, so that the columns from j on, a multiple of nr, begin at j *
  // k.
  std::int64_t (*packed_elements)(std::int64_t n, std::int64_t k);
  void (*pack)(const GemmBlock<T>& block, std::int64_t first, std::int64_t last, T* packed);
};

// Topics with a header of their own, kernels/<topic>_kernels.h.
template <class T>
struct ConvKernels;
template <class T>
struct WinogradKernels;
template <class T>
struct DepthwiseKernels;
template <class T>
struct PoolKernels;
template <class T>
struct NormKernels;
template <class T>
struct SpatialKernels;
template <class T>
struct AugmentKernels;
template <class T>
struct MapKernels;
template <class T>
struct MapPairKernels;
template <class T>
struct MoveKernels;

template <class T>
struct Kernels {
  const ElementwiseKernels<T>* elementwise;
  const MapKernels<T>* map;
  const MapPairKernels<T>* map_pairs;
  const ReduceKernels<T>* reduce;
  const SoftmaxKernels<T>* softmax;
  const LossKernels<T>* loss;
  const OptimizerKernels<T>* optimizer;
  const ConvertKernels<T>* convert;
  const GemmKernels<T>* gemm;
  const ConvKernels<T>* conv;
  const WinogradKernels<T>* winograd;  // kWinogradSizes of them
  const DepthwiseKernels<T>* depthwise;
  const PoolKernels<T>* pool;
  const NormKernels<T>* norm;
  const SpatialKernels<T>* spatial;
  const AugmentKernels<T>* augment;
  const MoveKernels<T>* move;
};

struct KernelTable {
  const char* isa;
  int vector_bytes;
  Kernels<float> f32;
  Kernels<double> f64;
  const ConvertKernels<std::int32_t>* convert_i32;
  // Runs `iterations` dependent-free rounds of FMAs on registers; returns the floating-point
  // operations done (the ceiling against which benchmarks measure).
  double (*fma_loop_f32)(std::int64_t iterations);
  double (*fma_loop_f64)(std::int64_t iterations);

  template <class T>
  const Kernels<T>& get() const;
};

template <>
const Kernels<float>& KernelTable::get<float>() const;
template <>
const Kernels<double>& KernelTable::get<double>() const;

}  // namespace dlnative
