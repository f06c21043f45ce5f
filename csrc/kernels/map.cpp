// MapFunctions of floating-point numbers: arithmetic, comparisons, choice, rounding, and functions
// of simd/math.h.
#include <cstddef>
#include <cstdint>

#include "kernels/map_kernels.h"
#include "kernels/simd/map_loops.h"
#include "kernels/simd/math.h"
#include "kernels/simd/rounding.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Each struct is one function on vectors.
#define DLNATIVE_UNARY(Name, expression)   \
  struct Name {                            \
    template <class T>                     \
    DLNATIVE_INLINE auto apply(Vec<T> x) { \
      return expression;                   \
    }                                      \
  };
#define DLNATIVE_BINARY(Name, expression)            \
  struct Name {                                      \
    template <class T>                               \
    DLNATIVE_INLINE auto apply(Vec<T> a, Vec<T> b) { \
      return expression;                             \
    }                                                \
  };

DLNATIVE_UNARY(Negative, -x)
DLNATIVE_UNARY(Abs, vabs<T>(x))
DLNATIVE_UNARY(Square, x* x)
DLNATIVE_UNARY(Sqrt, square_root(x))
DLNATIVE_UNARY(Rsqrt, 1 / square_root(x))
DLNATIVE_UNARY(Exp, vexp<T>(x))
DLNATIVE_UNARY(Expm1, vexpm1<T>(x))
DLNATIVE_UNARY(Exp2, vexp2<T>(x))
DLNATIVE_UNARY(Log, vlog<T>(x))
DLNATIVE_UNARY(Log1p, vlog1p<T>(x))
DLNATIVE_UNARY(Log2, vlog2<T>(x))
DLNATIVE_UNARY(Log10, vlog10<T>(x))
DLNATIVE_UNARY(Sin, vsin<T>(x))
DLNATIVE_UNARY(Cos, vcos<T>(x))
DLNATIVE_UNARY(Erf, verf<T>(x))
DLNATIVE_UNARY(Floor, vfloor<T>(x))
DLNATIVE_UNARY(Ceil, vceil<T>(x))
DLNATIVE_UNARY(Round, vround<T>(x))
DLNATIVE_UNARY(Trunc, vtrunc<T>(x))
DLNATIVE_UNARY(IsNan, x != x)
DLNATIVE_UNARY(IsInf, vabs<T>(x) == infinity<T>())
DLNATIVE_UNARY(IsFinite, vabs<T>(x) < infinity<T>())
DLNATIVE_UNARY(Signbit, (Mask<T>)to_bits<T>(x) < 0)

// Zero, of either sign, for itself and for denormals that are flushed; NaN for NaN.
struct Sign {
  template <class T>
  DLNATIVE_INLINE Vec<T> apply(Vec<T> x) {
    const Vec<T> one = with_sign_of<T>(broadcast<T>(1), x);
    const Vec<T> zero = with_sign_of<T>(Vec<T>{}, x);
    return (x > 0) | (x < 0) ? one : (x == 0 ? zero : x);
  }
};

DLNATIVE_BINARY(Add, a + b)
DLNATIVE_BINARY(Subtract, a - b)
DLNATIVE_BINARY(Multiply, a* b)
DLNATIVE_BINARY(Divide, a / b)
// NaN where either operand is NaN, and -0 lies below 0, as IEEE 754-2019 has maximum and minimum:
// operands that are equal differ at most in the sign bit.
struct Maximum {
  template <class T>
  DLNATIVE_INLINE Vec<T> apply(Vec<T> a, Vec<T> b) {
    const Vec<T> equal = from_bits<T>(to_bits<T>(a) & to_bits<T>(b));
    const Vec<T> larger = ((a > b) | (a != a)) ? a : b;
    return a == b ? equal : larger;
  }
};
struct Minimum {
  template <class T>
  DLNATIVE_INLINE Vec<T> apply(Vec<T> a, Vec<T> b) {
    const Vec<T> equal = from_bits<T>(to_bits<T>(a) | to_bits<T>(b));
    const Vec<T> smaller = ((a < b) | (a != a)) ? a : b;
    return a == b ? equal : smaller;
  }
};
struct Power {
  template <class T>
  DLNATIVE_INLINE Vec<float> apply(Vec<float> a, Vec<float> b) {
    return vpower(a, b);
  }
};
DLNATIVE_BINARY(Equal, a == b)
DLNATIVE_BINARY(NotEqual, a != b)
DLNATIVE_BINARY(Less, a < b)
DLNATIVE_BINARY(LessEqual, a <= b)
DLNATIVE_BINARY(Greater, a > b)
DLNATIVE_BINARY(GreaterEqual, a >= b)

#define DLNATIVE_TERNARY(Name, expression)                       \
  struct Name {                                                  \
    template <class T>                                           \
    DLNATIVE_INLINE Vec<T> apply(Vec<T> a, Vec<T> b, Vec<T> c) { \
      return expression;                                         \
    }                                                            \
  };
DLNATIVE_TERNARY(Fma, multiply_add(a, b, c))
DLNATIVE_TERNARY(Fnma, multiply_add(-a, b, c))
DLNATIVE_TERNARY(Lerp, multiply_add(c, b - a, a))
DLNATIVE_TERNARY(MaximumGradient, b > c ? a : (b == c ? a * T(0.5) : Vec<T>{}))
DLNATIVE_TERNARY(MinimumGradient, b < c ? a : (b == c ? a * T(0.5) : Vec<T>{}))

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
  set(Map::kErf, unary<T, T, Erf>);
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
  return table;
}

}  // namespace

extern const MapKernels<float> map_f32;
extern const MapKernels<double> map_f64;
const MapKernels<float> map_f32 = make_table<float>();
const MapKernels<double> map_f64 = make_table<double>();

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
