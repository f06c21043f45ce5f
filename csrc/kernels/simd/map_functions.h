// The functions of vectors behind MapFunctions: arithmetic, comparisons, rounding, and those of
// math.h.
#pragma once

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
DLNATIVE_UNARY(Tan, vtan<T>(x))
DLNATIVE_UNARY(Arcsin, varcsin<T>(x))
DLNATIVE_UNARY(Arccos, varccos<T>(x))
DLNATIVE_UNARY(Arctan, varctan<T>(x))
DLNATIVE_UNARY(Sinh, vsinh<T>(x))
DLNATIVE_UNARY(Cosh, vcosh<T>(x))
DLNATIVE_UNARY(Arcsinh, varcsinh<T>(x))
DLNATIVE_UNARY(Arccosh, varccosh<T>(x))
DLNATIVE_UNARY(Arctanh, varctanh<T>(x))
DLNATIVE_UNARY(Erf, verf<T>(x))
DLNATIVE_UNARY(Erfc, verfc(x))
DLNATIVE_UNARY(Cbrt, vcbrt(x))
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
DLNATIVE_BINARY(Arctan2, varctan2<T>(a, b))
DLNATIVE_BINARY(LogAddExp, vlogaddexp<T>(a, b))
DLNATIVE_BINARY(Power, vpower(a, b))
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

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
