// Cross-entropies over classes, of logits and of probabilities, with their gradients.
//
// Legend: x logits, p probabilities [rows, cols]; t labels after smoothing, a row of zeros with a
// single one for class numbers. dpred may be pred itself. A class number outside of [0, cols) makes
// its loss NaN and touches no memory. Measured: docs/performance.md, "Softmax and cross-entropy".
#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/simd/lanes.h"
#include "kernels/simd/loss_rows.h"
#include "kernels/simd/math.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

template <class T>
constexpr T kInfinity = static_cast<T>(__builtin_huge_val());

// The first n values, the other lanes -infinity.
template <class T>
DLNATIVE_INLINE Vec<T> load_or_lowest(const T* p, std::int64_t n) {
  return keep_first<T>(load_upto(p, n), n, -kInfinity<T>);
}

// The labels of one row. Vectors of them are zero beyond the row.
template <class T, bool kSparse>
struct RowLabels {
  const T* dense;
  std::int64_t label;
  std::int64_t cols;
  Vec<T> keep, shift;  // of smoothing

  RowLabels(const LossArgs<T>& a, std::int64_t r) : dense(nullptr), label(0), cols(a.cols) {
    if constexpr (kSparse) {
      label = static_cast<const std::int32_t*>(a.labels)[r];
    } else {
      dense = static_cast<const T*>(a.labels) + r * cols;
      keep = broadcast(T(1) - a.label_smoothing);
      shift = broadcast(a.label_smoothing / static_cast<T>(cols));
    }
  }
  Vec<T> at(std::int64_t c) const {
    if constexpr (kSparse) {
      const Mask<T> hit = lane_numbers<T>() == static_cast<Lane<T>>(label - c);
      return hit ? broadcast(T(1)) : Vec<T>{};
    } else {
      return keep_first<T>(load_upto(dense + c, cols - c) * keep + shift, cols - c);
    }
  }
  // row[label], or NaN for a label that is none.
  T pick(const T* row) const {
    return label >= 0 && label < cols ? row[label] : static_cast<T>(__builtin_nanf(""));
  }
};

// What a row of softmax-cross-entropy comes to, but for the logarithm:
// loss = mass log(sum_exp) - dot, with z = x - max(x), mass = sum(t), dot = sum(t z).
template <class T>
struct RowTerms {
  T sum_exp, mass, dot;
};

// One vector of a row: e = exp(z), and its part of the sums.
template <class T, bool kSparse>
struct RowSums {
  Vec<T> sum_exp{}, mass{}, dot{};

  Vec<T> add(Vec<T> z, Vec<T> t, std::int64_t n) {
    const Vec<T> e = vexp_nonpositive<T>(z);
    sum_exp += e;
    if constexpr (!kSparse) {
      mass += t;
      dot += t * keep_first<T>(z, n);  // beyond the row z is -infinity
    }
    return e;
  }
  RowTerms<T> terms(T z_of_label) const {
    if constexpr (kSparse) {
      return {reduce_add<T>(sum_exp), T(1), z_of_label};
    } else {
      return {reduce_add<T>(sum_exp), reduce_add<T>(mass), reduce_add<T>(dot)};
    }
  }
};

// A row of (kVectors - 1) kLanes < cols <= kVectors kLanes classes stays in registers.
template <class T, bool kSparse, bool kGrad, int kVectors>
struct ShortRow {
  static RowTerms<T> run(const LossArgs<T>& a, std::int64_t r) {
    const T* x = a.pred + r * a.cols;
    const RowLabels<T, kSparse> labels(a, r);
    Vec<T> e[kVectors], t[kVectors];
    Vec<T> largest = broadcast(-kInfinity<T>);
    for (int i = 0; i < kVectors; ++i) {
      e[i] = load_or_lowest(x + i * kLanes<T>, columns_left(a, i));
      largest = vmax<T>(largest, e[i]);
    }
    const T max = reduce_max<T>(largest);
    RowSums<T, kSparse> sums;
    for (int i = 0; i < kVectors; ++i) {
      t[i] = labels.at(i * kLanes<T>);
      e[i] = sums.add(e[i] - max, t[i], columns_left(a, i));
    }
    const RowTerms<T> terms = sums.terms(kSparse ? labels.pick(x) - max : T(0));
    if constexpr (kGrad) {
      const T scale = row_scale(a, r);
      const T factor = terms.mass / terms.sum_exp;
      for (int i = 0; i < kVectors; ++i) {
        T* dx = a.dpred + r * a.cols + i * kLanes<T>;
        store_upto(dx, (e[i] * factor - t[i]) * scale, columns_left(a, i));
      }
    }
    return terms;
  }
  // From vector i on; all vectors but the last are known to be whole.
  static std::int64_t columns_left(const LossArgs<T>& a, int i) {
    return i + 1 < kVectors ? kLanes<T> : a.cols - i * kLanes<T>;
  }
};

// Any number of classes, in three passes: maximum; exponentials, kept in dpred; gradient.
template <class T, bool kSparse, bool kGrad>
struct LongRow {
  static RowTerms<T> run(const LossArgs<T>& a, std::int64_t r) {
    const T* x = a.pred + r * a.cols;
    T* dx = kGrad ? a.dpred + r * a.cols : nullptr;
    const RowLabels<T, kSparse> labels(a, r);
    Vec<T> largest = broadcast(-kInfinity<T>);
    for (std::int64_t c = 0; c < a.cols; c += kLanes<T>) {
      largest = vmax<T>(largest, load_or_lowest(x + c, a.cols - c));
    }
    const T max = reduce_max<T>(largest);
    const T picked = kSparse ? labels.pick(x) : T(0);  // before dx overwrites it
    RowSums<T, kSparse> sums;
    for (std::int64_t c = 0; c < a.cols; c += kLanes<T>) {
      const std::int64_t n = a.cols - c;
      const Vec<T> z = load_or_lowest(x + c, n) - max;
      const Vec<T> e = sums.add(z, kSparse ? Vec<T>{} : labels.at(c), n);
      if constexpr (kGrad) store_upto(dx + c, e, n);
    }
    const RowTerms<T> terms = sums.terms(picked - max);
    if constexpr (kGrad) {
      const T scale = row_scale(a, r);
      const T factor = terms.mass / terms.sum_exp;
      for (std::int64_t c = 0; c < a.cols; c += kLanes<T>) {
        const std::int64_t n = a.cols - c;
        store_upto(dx + c, (load_upto(dx + c, n) * factor - labels.at(c)) * scale, n);
      }
    }
    return terms;
  }
};

// Rows in blocks, whose logarithms are taken a vector at a time.
template <class T, class Row>
void softmax_rows(const LossArgs<T>& a) {
  constexpr std::int64_t kBlock = 32;
  T sum_exp[kBlock], mass[kBlock], dot[kBlock];
  for (std::int64_t first = 0; first < a.rows; first += kBlock) {
    const std::int64_t count = a.rows - first < kBlock ? a.rows - first : kBlock;
    for (std::int64_t i = 0; i < count; ++i) {
      const RowTerms<T> terms = Row::run(a, first + i);
      sum_exp[i] = terms.sum_exp;
      mass[i] = terms.mass;
      dot[i] = terms.dot;
    }
    if (a.losses == nullptr) continue;
    for (std::int64_t i = 0; i < count; i += kLanes<T>) {
      const std::int64_t n = count - i;
      const Vec<T> log_sum = vlog<T>(load_upto(sum_exp + i, n));
      store_upto(a.losses + first + i, load_upto(mass + i, n) * log_sum - load_upto(dot + i, n), n);
    }
  }
}

template <class T, bool kSparse, bool kGrad>
void softmax_any(const LossArgs<T>& a) {
  if (a.cols <= kLanes<T>) return softmax_rows<T, ShortRow<T, kSparse, kGrad, 1>>(a);
  if (a.cols <= 2 * kLanes<T>) return softmax_rows<T, ShortRow<T, kSparse, kGrad, 2>>(a);
  softmax_rows<T, LongRow<T, kSparse, kGrad>>(a);
}

template <class T, bool kSparse>
void softmax_loss(const LossArgs<T>& a) {
  a.dpred != nullptr ? softmax_any<T, kSparse, true>(a) : softmax_any<T, kSparse, false>(a);
}

// loss = -sum(t log(clip(q))), q = p / s, s = sum(p). With u = sum of t where q is not clipped,
// dp = (u - (q is clipped ? 0 : t / q)) / s.
template <class T, bool kSparse>
void categorical_loss(const LossArgs<T>& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const T* p = a.pred + r * a.cols;
    const RowLabels<T, kSparse> labels(a, r);
    Vec<T> sums{};
    for (std::int64_t c = 0; c < a.cols; c += kLanes<T>) sums += load_upto(p + c, a.cols - c);
    const T total = reduce_add<T>(sums);

    Vec<T> losses{}, unclipped{};
    const auto add = [&](Vec<T> q, Vec<T> t) {
      losses += t * vlog<T>(clip<T>(q));
      unclipped += is_clipped<T>(q) ? Vec<T>{} : t;
    };
    if constexpr (kSparse) {
      add(broadcast(labels.pick(p) / total), keep_first<T>(broadcast(T(1)), 1));
    } else {
      for (std::int64_t c = 0; c < a.cols; c += kLanes<T>) {
        add(load_upto(p + c, a.cols - c) / total, labels.at(c));
      }
    }
    if (a.losses != nullptr) a.losses[r] = -reduce_add<T>(losses);
    if (a.dpred == nullptr) continue;
    const Vec<T> u = broadcast(reduce_add<T>(unclipped));
    // NaN where the total is infinite, as p / total has one for the infinite class.
    const T scale = row_scale(a, r) / total + (total - total);
    for (std::int64_t c = 0; c < a.cols; c += kLanes<T>) {
      const Vec<T> q = load_upto(p + c, a.cols - c) / total;
      const Vec<T> slope = is_clipped<T>(q) ? u : u - labels.at(c) / q;
      store_upto(a.dpred + r * a.cols + c, slope * scale, a.cols - c);
    }
  }
}

}  // namespace

void softmax_cross_entropy(const LossArgs<float>& args) {
  softmax_loss<float, false>(args);
}
void softmax_cross_entropy(const LossArgs<double>& args) {
  softmax_loss<double, false>(args);
}
void sparse_softmax_cross_entropy(const LossArgs<float>& args) {
  softmax_loss<float, true>(args);
}
void sparse_softmax_cross_entropy(const LossArgs<double>& args) {
  softmax_loss<double, true>(args);
}
void categorical_cross_entropy(const LossArgs<float>& args) {
  categorical_loss<float, false>(args);
}
void categorical_cross_entropy(const LossArgs<double>& args) {
  categorical_loss<double, false>(args);
}
void sparse_categorical_cross_entropy(const LossArgs<float>& args) {
  categorical_loss<float, true>(args);
}
void sparse_categorical_cross_entropy(const LossArgs<double>& args) {
  categorical_loss<double, true>(args);
}

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
