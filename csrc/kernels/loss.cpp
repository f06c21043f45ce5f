// Losses that are means over the last axis, with their gradients, in one pass; accuracies; the
// table of losses.
//
// Legend: p predictions (x where they are logits) [rows, cols]; t labels after smoothing. dpred may
// be pred itself.
#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/simd/extremum.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/loss_rows.h"
#include "kernels/simd/math.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Columns whose sum is formed in T before it is added in float64.
constexpr std::int64_t kSumBlock = 2048;

template <class T>
struct SquaredError {
  static void eval(Vec<T> p, Vec<T> t, Vec<T>& value, Vec<T>& slope) {
    const Vec<T> difference = p - t;
    value = difference * difference;
    slope = difference + difference;
  }
};

template <class T>
struct AbsoluteError {
  static void eval(Vec<T> p, Vec<T> t, Vec<T>& value, Vec<T>& slope) {
    const Vec<T> d = p - t;
    value = vabs<T>(d);
    slope = value > T(0) ? with_sign_of<T>(broadcast(T(1)), d) : d;  // 0 and NaN stay
  }
};

// max(x, 0) - x t + log1p(e), e = exp(-|x|); sigmoid(x) = x < 0 ? e / (1 + e) : 1 / (1 + e)
template <class T>
struct BinaryCrossEntropyWithLogits {
  static void eval(Vec<T> x, Vec<T> t, Vec<T>& value, Vec<T>& slope) {
    const Vec<T> e = vexp_nonpositive<T>(-vabs<T>(x));
    value = (at_least<T>(x, T(0)) - x * t) + vlog1p_unit<T>(e);
    slope = (x < T(0) ? e : broadcast(T(1))) / (1 + e) - t;
  }
};

template <class T>
struct BinaryCrossEntropy {
  static void eval(Vec<T> p, Vec<T> t, Vec<T>& value, Vec<T>& slope) {
    const Vec<T> q = clip<T>(p);
    const Vec<T> other = 1 - q;
    const Vec<T> weighted = t * vlog<T>(q);
    value = -weighted - (1 - t) * vlog<T>(other);
    slope = is_clipped<T>(p) ? Vec<T>{} : (q - t) / (q * other);
  }
};

// One prediction per row: lanes are rows.
template <class T, class Term, bool kLoss, bool kGrad>
DLNATIVE_INLINE void mean_of_one(const LossArgs<T>& a, Vec<T> keep, Vec<T> shift) {
  const T* labels = static_cast<const T*>(a.labels);
  for (std::int64_t r = 0; r < a.rows; r += kLanes<T>) {
    const std::int64_t n = a.rows - r;
    Vec<T> value, slope;
    Term::eval(load_upto(a.pred + r, n), load_upto(labels + r, n) * keep + shift, value, slope);
    if constexpr (kLoss) store_upto(a.losses + r, value, n);
    if constexpr (kGrad) store_upto(a.dpred + r, slope * row_scales(a, r, n), n);
  }
}

template <class T, class Term, bool kLoss, bool kGrad>
void mean_rows(const LossArgs<T>& a, Vec<T> keep, Vec<T> shift) {
  if (a.cols == 1) return mean_of_one<T, Term, kLoss, kGrad>(a, keep, shift);
  const double share = 1.0 / static_cast<double>(a.cols);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const T* pred = a.pred + r * a.cols;
    const T* labels = static_cast<const T*>(a.labels) + r * a.cols;
    T* dpred = kGrad ? a.dpred + r * a.cols : nullptr;
    const Vec<T> scale = broadcast(kGrad ? row_scale(a, r) / static_cast<T>(a.cols) : T(0));
    double total = 0.0;
    for (std::int64_t first = 0; first < a.cols; first += kSumBlock) {
      const std::int64_t end = a.cols - first < kSumBlock ? a.cols : first + kSumBlock;
      Vec<T> sum{};
      for (std::int64_t c = first; c < end; c += kLanes<T>) {
        const std::int64_t n = end - c;
        Vec<T> value, slope;
        Term::eval(load_upto(pred + c, n), load_upto(labels + c, n) * keep + shift, value, slope);
        if constexpr (kLoss) sum += keep_first<T>(value, n);
        if constexpr (kGrad) store_upto(dpred + c, slope * scale, n);
      }
      if constexpr (kLoss) total += static_cast<double>(reduce_add<T>(sum));
    }
    if constexpr (kLoss) a.losses[r] = static_cast<T>(total * share);
  }
}

template <class T, template <class> class Term>
void mean_loss(const LossArgs<T>& a) {
  const Vec<T> keep = broadcast(T(1) - a.label_smoothing);
  const Vec<T> shift = broadcast(a.label_smoothing / T(2));
  if (a.losses != nullptr && a.dpred != nullptr) {
    mean_rows<T, Term<T>, true, true>(a, keep, shift);
  } else if (a.losses != nullptr) {
    mean_rows<T, Term<T>, true, false>(a, keep, shift);
  } else {
    mean_rows<T, Term<T>, false, true>(a, keep, shift);
  }
}

// --- accuracies ----------------------------------------------------------------------------------

template <class T>
void categorical_accuracy(const T* pred, const T* labels, T* out, std::int64_t rows,
                          std::int64_t cols) {
  for (std::int64_t r = 0; r < rows; ++r, pred += cols, labels += cols) {
    out[r] = first_largest(pred, cols) == first_largest(labels, cols) ? T(1) : T(0);
  }
}

template <class T>
void sparse_categorical_accuracy(const T* pred, const std::int32_t* labels, T* out,
                                 std::int64_t rows, std::int64_t cols) {
  for (std::int64_t r = 0; r < rows; ++r, pred += cols) {
    out[r] = first_largest(pred, cols) == labels[r] ? T(1) : T(0);
  }
}

// The share of predictions whose side of the threshold, as 0 or 1, is their label.
template <class T>
void binary_accuracy(const T* pred, const T* labels, T* out, std::int64_t rows, std::int64_t cols,
                     T threshold) {
  const auto hit = [=](std::int64_t i) {
    return (pred[i] > threshold ? T(1) : T(0)) == labels[i] ? 1 : 0;
  };
  for (std::int64_t r = 0; cols == 1 && r < rows; ++r) out[r] = static_cast<T>(hit(r));
  for (std::int64_t r = 0; cols != 1 && r < rows; ++r) {
    std::int64_t right = 0;
    for (std::int64_t c = 0; c < cols; ++c) right += hit(r * cols + c);
    out[r] = static_cast<T>(static_cast<double>(right) / static_cast<double>(cols));
  }
}

// In the order of Loss.
template <class T>
constexpr LossKernels<T> kLossKernels = {
    {
        softmax_cross_entropy,
        sparse_softmax_cross_entropy,
        categorical_cross_entropy,
        sparse_categorical_cross_entropy,
        mean_loss<T, BinaryCrossEntropyWithLogits>,
        mean_loss<T, BinaryCrossEntropy>,
        mean_loss<T, SquaredError>,
        mean_loss<T, AbsoluteError>,
    },
    categorical_accuracy<T>,
    sparse_categorical_accuracy<T>,
    binary_accuracy<T>,
};

}  // namespace

extern const LossKernels<float> loss_f32;
extern const LossKernels<double> loss_f64;
const LossKernels<float> loss_f32 = kLossKernels<float>;
const LossKernels<double> loss_f64 = kLossKernels<double>;

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
