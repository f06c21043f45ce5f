// Functions of one to four operands, element by element.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace dlnative {

// y[i] = f(in[0][i * steps[0]], in[1][i * steps[1]], ...) for n elements; a step is 0 or 1, in
// elements. y may be an operand that advances and has elements of the result's size. An element's
// bits do not depend on n, its place or the steps. A bool is a byte, 0 or 1.
using MapFunction = void (*)(const void* const* in, const std::int64_t* steps, void* y,
                             std::int64_t n);

inline constexpr int kMapOperands = 4;  // at most

// The functions of floating-point numbers that are written in vectors.
enum class Map : int {
  // T -> T
  kNegative,
  kAbs,
  kSign,
  kSquare,
  kSqrt,
  kRsqrt,
  kExp,
  kExpm1,
  kExp2,
  kLog,
  kLog1p,
  kLog2,
  kLog10,
  kSin,
  kCos,
  kTan,
  kArcsin,
  kArccos,
  kArctan,
  kSinh,
  kCosh,
  kArcsinh,
  kArccosh,
  kArctanh,
  kErf,
  kErfc,  // float32 only, else null
  kCbrt,  // likewise
  kFloor,
  kCeil,
  kRound,  // half to even
  kTrunc,
  // T -> bool
  kIsNan,
  kIsInf,
  kIsFinite,
  kSignbit,
  // (T, T) -> T
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kMaximum,
  kMinimum,
  kArctan2,
  kLogAddExp,
  kPower,  // float32 only, else null
  // (T, T) -> bool
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  // (T, T, T) -> T. Products are not rounded where the set has multiply-add.
  kFma,   // a * b + c
  kFnma,  // c - a * b
  kLerp,  // fma(t, b - a, a) of (a, b, t)
  // Of (dy, a, b): dy where a is the extremum of a and b, half of it where they are equal, else 0.
  kMaximumGradient,
  kMinimumGradient,
  // (bool, T, T) -> T: moves bits, so that it serves integers of T's size, too
  kWhere,
  kCount,
};

// y[i] = x[i] truncated; the nearest number where that is none of the type, and 0 for NaN.
struct CastKernels {
  MapFunction to_int32, to_int64, to_uint8;
};

template <class T>
struct MapKernels {
  MapFunction functions[static_cast<int>(Map::kCount)];
  CastKernels casts;
  MapFunction operator[](Map map) const { return functions[static_cast<int>(map)]; }
};

// outer(..., inner(...), ...): the operands are those of outer, with inner's in the place of the
// one at `position`. The bits are those of the two functions.
struct MapPair {
  Map inner, outer;
  int position;
  MapFunction function;
};

template <class T>
struct MapPairKernels {
  MapPair pairs[96];
  int count;
};

}  // namespace dlnative
