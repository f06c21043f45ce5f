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
DLNATIVE_FUNCTION(kFma, 3, Fma)
DLNATIVE_FUNCTION(kFnma, 3, Fnma)
DLNATIVE_FUNCTION(kLerp, 3, Lerp)

// Operands: those of the outer function, in the place of one those of the inner one.
template <class T, Map kInner, Map kOuter, int kPosition>
struct Pair {
  static constexpr int kInside = Function<kInner>::kOperands;
  static constexpr int kOutside = Function<kOuter>::kOperands;
  static constexpr int kOperands = kInside + kOutside - 1;

  DLNATIVE_INLINE auto inner(const Vec<T>* v) {
    using F = typename Function<kInner>::Type;
    if constexpr (kInside == 1) {
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

// Vector after vector of an operand; of one that stays, the same from `values`.
template <class T>
struct Stream {
  const T* p = nullptr;
  std::int64_t step = 0;

  DLNATIVE_INLINE Stream of(const void* in, std::int64_t advances, T* values) {
    if (advances != 0) return {static_cast<const T*>(in), kLanes<T>};
    store<T>(values, staying<T>(in).v);
    return {values, 0};
  }
  DLNATIVE_INLINE Vec<T> next(Stream& s) {
    const Vec<T> v = load<T>(s.p);
    s.p += s.step;
    return v;
  }
};

// The streams are variables of their own: of an array the compiler would keep them in memory.
template <class T, class P>
void pair(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  using S = Stream<T>;
  constexpr int kCount = P::kOperands;
  static_assert(kCount >= 2 && kCount <= kMapOperands);
  if (n == 0) return;
  alignas(64) T values[kCount][kLanes<T>];
  S a = S::of(in[0], steps[0], values[0]), b = S::of(in[1], steps[1], values[1]), c, d;
  if constexpr (kCount > 2) c = S::of(in[2], steps[2], values[2]);
  if constexpr (kCount > 3) d = S::of(in[3], steps[3], values[3]);
  T* to = static_cast<T*>(y);
  Vec<T> v[kMapOperands];
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    v[0] = S::next(a);
    v[1] = S::next(b);
    if constexpr (kCount > 2) v[2] = S::next(c);
    if constexpr (kCount > 3) v[3] = S::next(d);
    store<T>(to + i, P::apply(v));
  }
  if (i == n) return;
  v[0] = load_first(a.p, n - i);
  v[1] = load_first(b.p, n - i);
  if constexpr (kCount > 2) v[2] = load_first(c.p, n - i);
  if constexpr (kCount > 3) v[3] = load_first(d.p, n - i);
  store_first(to + i, P::apply(v), n - i);
}

template <Map kOuter, int kPosition, Map... kInner, class T>
constexpr void add(MapPairKernels<T>& table) {
  ((table.pairs[table.count++] = {kInner, kOuter, kPosition,
                                  pair<T, Pair<T, kInner, kOuter, kPosition>>}),
   ...);
}

// Arithmetic only. Measured to bring nothing: comparisons in the choices that use them, extrema and
// their gradients (docs/performance.md, "Fused loops"). Operands 0 and 1 of sums and products may
// change places: position 0 serves both.
template <class T>
constexpr MapPairKernels<T> make_table() {
  constexpr Map kAdd = Map::kAdd, kSubtract = Map::kSubtract, kMultiply = Map::kMultiply;
  constexpr Map kDivide = Map::kDivide, kSqrt = Map::kSqrt, kFma = Map::kFma, kFnma = Map::kFnma;
  MapPairKernels<T> table = {};
  add<kAdd, 0, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma>(table);
  add<kSubtract, 0, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma>(table);
  add<kSubtract, 1, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma>(table);
  add<kMultiply, 0, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma>(table);
  add<kDivide, 0, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma>(table);
  add<kDivide, 1, kAdd, kSubtract, kMultiply, kDivide, kSqrt, kFma>(table);
  add<kSqrt, 0, kAdd, kSubtract, kMultiply, kDivide, kFma>(table);
  add<kFma, 0, kAdd, kSubtract, kMultiply, kDivide>(table);
  add<kFma, 2, kAdd, kSubtract, kMultiply, kDivide>(table);
  add<kFnma, 0, kAdd, kSubtract, kMultiply, kDivide>(table);
  add<kFnma, 2, kAdd, kSubtract, kMultiply, kDivide>(table);
  add<Map::kLerp, 1, kMultiply>(table);
  return table;
}

}  // namespace

extern const MapPairKernels<float> map_pairs_f32;
extern const MapPairKernels<double> map_pairs_f64;
const MapPairKernels<float> map_pairs_f32 = make_table<float>();
const MapPairKernels<double> map_pairs_f64 = make_table<double>();

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
