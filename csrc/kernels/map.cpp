// MapFunctions of floating-point numbers: arithmetic, comparisons, choice, rounding, and functions
// of simd/math.h.
#include <cstddef>
#include <cstdint>

#include "kernels/map_kernels.h"
#include "kernels/simd/map_functions.h"
#include "kernels/simd/map_loops.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

template <class T, class Y, class F>
void unary(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  map_unary<T, Y>(in, steps, y, n, [](Vec<T> x) { return F::template apply<T>(x); });
}

template <class T, class Y, class F>
void binary(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  map_binary<T, Y>(in, steps, y, n, [](Vec<T> a, Vec<T> b) { return F::template apply<T>(a, b); });
}

template <class T, class F>
void ternary(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  map_ternary<T>(in, steps, y, n,
                 [](Vec<T> a, Vec<T> b, Vec<T> c) { return F::template apply<T>(a, b, c); });
}

template <class T>
void where(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  if (n == 0) return;
  const auto* c = static_cast<const std::uint8_t*>(in[0]);
  T* to = static_cast<T*>(y);
  if (steps[0] == 0) {
    const int chosen = *c != 0 ? 1 : 2;
    const auto copy = [](Vec<T> v) { return v; };
    if (steps[chosen] == 0) {
      loop<T>(ToValues<T>{to}, staying<T>(in[chosen]), n, copy);
    } else {
      loop<T>(ToValues<T>{to}, advancing<T>(in[chosen]), n, copy);
    }
  } else if (steps[1] == 0) {
    if (steps[2] == 0) {
      select(c, staying<T>(in[1]), staying<T>(in[2]), to, n);
    } else {
      select(c, staying<T>(in[1]), advancing<T>(in[2]), to, n);
    }
  } else if (steps[2] == 0) {
    select(c, advancing<T>(in[1]), staying<T>(in[2]), to, n);
  } else {
    select(c, advancing<T>(in[1]), advancing<T>(in[2]), to, n);
  }
}

// Without branches, for GCC and Clang to vectorise. `Wide`: what a number is truncated to.
template <class T, class Wide, class To>
void cast(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  constexpr bool kSigned = static_cast<To>(-1) < static_cast<To>(1);
  constexpr int kBits = static_cast<int>(8 * sizeof(To)) - (kSigned ? 1 : 0);
  constexpr T kEnd = T(2) * T(std::uint64_t{1} << (kBits - 1)), kLow = kSigned ? -kEnd : T(0);
  constexpr auto kLargest = static_cast<To>((std::uint64_t{1} << kBits) - 1);
  constexpr auto kLeast = static_cast<To>(kSigned ? -kLargest - 1 : 0);
  const auto convert = [](T x) {
    const T inside = (x >= kLow) & (x < kEnd) ? x : T(0);
    const To value = static_cast<To>(static_cast<Wide>(inside));
    return x >= kEnd ? kLargest : (x < kLow ? kLeast : value);
  };
  const T* x = static_cast<const T*>(in[0]);
  To* to = static_cast<To*>(y);
  const bool once = steps[0] == 0 && n > 1;
  const std::int64_t count = once ? 1 : n;
  for (std::int64_t i = 0; i < count; ++i) to[i] = convert(x[i]);
  if (once) repeat_first(to, n);
}

template <class T>
constexpr MapKernels<T> make_table() {
  using Bool = std::uint8_t;
  MapKernels<T> table = {};
  const auto set = [&table](Map map, MapFunction f) { table.functions[static_cast<int>(map)] = f; };
  set(Map::kNegative, unary<T, T, Negative>);
  set(Map::kAbs, unary<T, T, Abs>);
  set(Map::kSign, unary<T, T, Sign>);
  set(Map::kSquare, unary<T, T, Square>);
  set(Map::kSqrt, unary<T, T, Sqrt>);
  set(Map::kRsqrt, unary<T, T, Rsqrt>);
  set(Map::kExp, unary<T, T, Exp>);
  set(Map::kExpm1, unary<T, T, Expm1>);
  set(Map::kExp2, unary<T, T, Exp2>);
  set(Map::kLog, unary<T, T, Log>);
  set(Map::kLog1p, unary<T, T, Log1p>);
  set(Map::kLog2, unary<T, T, Log2>);
  set(Map::kLog10, unary<T, T, Log10>);
  set(Map::kSin, unary<T, T, Sin>);
  set(Map::kCos, unary<T, T, Cos>);
  set(Map::kTan, unary<T, T, Tan>);
  set(Map::kArcsin, unary<T, T, Arcsin>);
  set(Map::kArccos, unary<T, T, Arccos>);
  set(Map::kArctan, unary<T, T, Arctan>);
  set(Map::kSinh, unary<T, T, Sinh>);
  set(Map::kCosh, unary<T, T, Cosh>);
  set(Map::kArcsinh, unary<T, T, Arcsinh>);
  set(Map::kArccosh, unary<T, T, Arccosh>);
  set(Map::kArctanh, unary<T, T, Arctanh>);
  set(Map::kErf, unary<T, T, Erf>);
  if constexpr (sizeof(T) == 4) set(Map::kErfc, unary<T, T, Erfc>);
  if constexpr (sizeof(T) == 4) set(Map::kCbrt, unary<T, T, Cbrt>);
  set(Map::kFloor, unary<T, T, Floor>);
  set(Map::kCeil, unary<T, T, Ceil>);
  set(Map::kRound, unary<T, T, Round>);
  set(Map::kTrunc, unary<T, T, Trunc>);
  set(Map::kIsNan, unary<T, Bool, IsNan>);
  set(Map::kIsInf, unary<T, Bool, IsInf>);
  set(Map::kIsFinite, unary<T, Bool, IsFinite>);
  set(Map::kSignbit, unary<T, Bool, Signbit>);
  set(Map::kAdd, binary<T, T, Add>);
  set(Map::kSubtract, binary<T, T, Subtract>);
  set(Map::kMultiply, binary<T, T, Multiply>);
  set(Map::kDivide, binary<T, T, Divide>);
  set(Map::kMaximum, binary<T, T, Maximum>);
  set(Map::kMinimum, binary<T, T, Minimum>);
  set(Map::kArctan2, binary<T, T, Arctan2>);
  set(Map::kLogAddExp, binary<T, T, LogAddExp>);
  if constexpr (sizeof(T) == 4) set(Map::kPower, binary<T, T, Power>);
  set(Map::kEqual, binary<T, Bool, Equal>);
  set(Map::kNotEqual, binary<T, Bool, NotEqual>);
  set(Map::kLess, binary<T, Bool, Less>);
  set(Map::kLessEqual, binary<T, Bool, LessEqual>);
  set(Map::kGreater, binary<T, Bool, Greater>);
  set(Map::kGreaterEqual, binary<T, Bool, GreaterEqual>);
  set(Map::kFma, ternary<T, Fma>);
  set(Map::kFnma, ternary<T, Fnma>);
  set(Map::kLerp, ternary<T, Lerp>);
  set(Map::kMaximumGradient, ternary<T, MaximumGradient>);
  set(Map::kMinimumGradient, ternary<T, MinimumGradient>);
  set(Map::kWhere, where<T>);
  table.casts = {cast<T, std::int32_t, std::int32_t>, cast<T, std::int64_t, std::int64_t>,
                 cast<T, std::int32_t, std::uint8_t>};
  return table;
}

}  // namespace

extern const MapKernels<float> map_f32;
extern const MapKernels<double> map_f64;
const MapKernels<float> map_f32 = make_table<float>();
const MapKernels<double> map_f64 = make_table<double>();

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
