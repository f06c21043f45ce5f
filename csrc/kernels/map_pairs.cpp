// MapFunctions of two functions, the result of one an operand of the other that stays in a
// register.
//
// Each is one loop: an operand that stays at one value is read again and again from a vector of it.
// The inner result is rounded as if it were stored, so the bits are those of two functions.
#include <cstddef>
#include <cstdint>

#include "kernels/map_kernels.h"
#include "kernels/simd/map_functions.h"
#include "kernels/simd/map_loops.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// c ? a : b of a mask.
struct Choose {
  template <class T>
  DLNATIVE_INLINE Vec<T> apply(Mask<T> c, Vec<T> a, Vec<T> b) {
    return c ? a : b;
  }
};

template <Map kMap>
struct Function;
#define DLNATIVE_FUNCTION(Name, count, Struct) \
  template <>                                  \
  struct Function<Map::Name> {                 \
    using Type = Struct;                       \
    static constexpr int kOperands = count;    \
  };
DLNATIVE_FUNCTION(kSqrt, 1, Sqrt)
DLNATIVE_FUNCTION(kAdd, 2, Add)
DLNATIVE_FUNCTION(kSubtract, 2, Subtract)
DLNATIVE_FUNCTION(kMultiply, 2, Multiply)
DLNATIVE_FUNCTION(kDivide, 2, Divide)
DLNATIVE_FUNCTION(kMaximum, 2, Maximum)
DLNATIVE_FUNCTION(kMinimum, 2, Minimum)
DLNATIVE_FUNCTION(kEqual, 2, Equal)
DLNATIVE_FUNCTION(kNotEqual, 2, NotEqual)
DLNATIVE_FUNCTION(kLess, 2, Less)
DLNATIVE_FUNCTION(kLessEqual, 2, LessEqual)
DLNATIVE_FUNCTION(kGreater, 2, Greater)
DLNATIVE_FUNCTION(kGreaterEqual, 2, GreaterEqual)
DLNATIVE_FUNCTION(kFma, 3, Fma)
DLNATIVE_FUNCTION(kFnma, 3, Fnma)
DLNATIVE_FUNCTION(kLerp, 3, Lerp)
DLNATIVE_FUNCTION(kMaximumGradient, 3, MaximumGradient)
DLNATIVE_FUNCTION(kMinimumGradient, 3, MinimumGradient)
DLNATIVE_FUNCTION(kWhere, 3, Choose)

// Operands: those of the outer function, in the place of one those of the inner one.
template <class T, Map kInner, Map kOuter, int kPosition>
struct Pair {
  static constexpr int kInside = Function<kInner>::kOperands;
  static constexpr int kOutside = Function<kOuter>::kOperands;
  static constexpr int kOperands = kInside + kOutside - 1;

  DLNATIVE_INLINE auto inner(const Vec<T>* v) {
    using F = typename Function<kInner>::Type;
    if constexpr (kOuter == Map::kWhere) {
      return F::template apply<T>(v[0], v[1]);  // a mask: nothing to be rounded
    } else if constexpr (kInside == 1) {
      return computed(F::template apply<T>(v[0]));
    } else if constexpr (kInside == 2) {
      return computed(F::template apply<T>(v[0], v[1]));
    } else {
      return computed(F::template apply<T>(v[0], v[1], v[2]));
    }
  }

  DLNATIVE_INLINE Vec<T> apply(const Vec<T>* v) {
    using F = typename Function<kOuter>::Type;
    const auto x = inner(v + kPosition);
    if constexpr (kOutside == 1) {
      return F::template apply<T>(x);
    } else if constexpr (kOutside == 2 && kPosition == 0) {
      return F::template apply<T>(x, v[kInside]);
    } else if constexpr (kOutside == 2) {
      return F::template apply<T>(v[0], x);
    } else if constexpr (kPosition == 0) {
      return F::template apply<T>(x, v[kInside], v[kInside + 1]);
    } else if constexpr (kPosition == 1) {
      return F::template apply<T>(v[0], x, v[1 + kInside]);
    } else {
      return F::template apply<T>(v[0], v[1], x);
    }
  }
};

template <class T, class P>
void pair(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  constexpr int kCount = P::kOperands;
  static_assert(kCount <= kMapOperands);
  if (n == 0) return;
  alignas(64) T values[kCount][kLanes<T>];
  const T* p[kCount];
  std::int64_t advance[kCount];
  for (int k = 0; k < kCount; ++k) {
    p[k] = static_cast<const T*>(in[k]);
    advance[k] = kLanes<T>;
    if (steps[k] != 0) continue;
    store<T>(values[k], staying<T>(in[k]).v);
    p[k] = values[k];
    advance[k] = 0;
  }
  T* to = static_cast<T*>(y);
  Vec<T> v[kCount];
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    for (int k = 0; k < kCount; ++k) {
      v[k] = load<T>(p[k]);
      p[k] += advance[k];
    }
    store<T>(to + i, P::apply(v));
  }
  if (i == n) return;
  for (int k = 0; k < kCount; ++k) v[k] = load_first(p[k], n - i);
  store_first(to + i, P::apply(v), n - i);
}

template <Map kOuter, int kPosition, Map... kInner, class T>
constexpr void add(MapPairKernels<T>& table) {
  ((table.pairs[table.count++] = {kInner, kOuter, kPosition,
                                  pair<T, Pair<T, kInner, kOuter, kPosition>>}),
   ...);
}

// Operands 0 and 1 of sums, products and extrema may change places: position 0 serves both.
template <class T>
constexpr MapPairKernels<T> make_table() {
  constexpr Map kAdd = Map::kAdd, kSubtract = Map::kSubtract, kMultiply = Map::kMultiply;
  constexpr Map kDivide = Map::kDivide, kSqrt = Map::kSqrt, kFma = Map::kFma, kFnma = Map::kFnma;
  constexpr Map kMaximum = Map::kMaximum, kMinimum = Map::kMinimum;
  constexpr Map kHigher = Map::kMaximumGradient, kLower = Map::kMinimumGradient;
  MapPairKernels<T> table = {};
  add<kAdd, 0, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma, kHigher, kLower>(table);
  add<kSubtract, 0, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma>(table);
  add<kSubtract, 1, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma>(table);
  add<kMultiply, 0, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma, kHigher, kLower>(table);
  add<kDivide, 0, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma, kHigher, kLower>(table);
  add<kDivide, 1, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma>(table);
  add<kSqrt, 0, kAdd, kSubtract, kMultiply, kDivide, kFma>(table);
  add<kMaximum, 0, kAdd, kSubtract, kMultiply, kDivide, kMinimum>(table);
  add<kMinimum, 0, kAdd, kSubtract, kMultiply, kDivide, kMaximum>(table);
  add<kFma, 0, kAdd, kSubtract, kMultiply, kDivide>(table);
  add<kFma, 2, kAdd, kSubtract, kMultiply, kDivide>(table);
  add<kFnma, 0, kAdd, kSubtract, kMultiply, kDivide>(table);
  add<kFnma, 2, kAdd, kSubtract, kMultiply, kDivide>(table);
  add<Map::kLerp, 1, kMultiply>(table);
  add<kHigher, 0, kMultiply, kDivide>(table);
  add<kLower, 0, kMultiply, kDivide>(table);
  add<Map::kWhere, 0, Map::kEqual, Map::kNotEqual, Map::kLess, Map::kLessEqual, Map::kGreater,
      Map::kGreaterEqual>(table);
  return table;
}

}  // namespace

extern const MapPairKernels<float> map_pairs_f32;
extern const MapPairKernels<double> map_pairs_f64;
const MapPairKernels<float> map_pairs_f32 = make_table<float>();
const MapPairKernels<double> map_pairs_f64 = make_table<double>();

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
