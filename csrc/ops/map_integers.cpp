// MapFunctions of integers and of bool, and conversions between dtypes.
//
// Loops for the compiler to vectorise, for the least instruction set: they are bound by memory, or
// by divisions that no set has in vectors. Integers wrap.
#include <cstring>
#include <limits>

#include "dispatch/dispatch.h"
#include "ops/map.h"
#include "ops/map_table.h"

namespace dlnative {

namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;

template <class T, class U>
T wrap(U value) {
  return static_cast<T>(static_cast<Unsigned<T>>(value));
}

template <class T>
Unsigned<T> bits_of(T value) {
  return static_cast<Unsigned<T>>(value);
}

template <class T>
bool is_negative(T value) {
  if constexpr (std::is_signed_v<T>) return value < 0;
  return false;
}

template <class T>
Unsigned<T> magnitude(T value) {
  return is_negative(value) ? static_cast<Unsigned<T>>(0 - bits_of(value)) : bits_of(value);
}

// --- one operand ---------------------------------------------------------------------------------

struct Negative {
  template <class T>
  static T apply(T x) {
    return wrap<T>(0 - bits_of(x));
  }
};
struct Abs {
  template <class T>
  static T apply(T x) {
    return wrap<T>(magnitude(x));
  }
};
struct Sign {
  template <class T>
  static T apply(T x) {
    return static_cast<T>((x > 0 ? 1 : 0) - (is_negative(x) ? 1 : 0));
  }
};
struct Square {
  template <class T>
  static T apply(T x) {
    return wrap<T>(bits_of(x) * bits_of(x));
  }
};
struct BitwiseNot {
  template <class T>
  static T apply(T x) {
    return wrap<T>(~bits_of(x));
  }
};
struct Magnitude {  // of false and true, which have no sign
  static Bool apply(Bool x) { return x; }
};
struct LogicalNot {
  static Bool apply(Bool x) { return to_bool(x == Bool::kFalse); }
};

// --- two operands --------------------------------------------------------------------------------

struct Add {
  template <class T>
  static T apply(T a, T b) {
    return wrap<T>(bits_of(a) + bits_of(b));
  }
};
struct Subtract {
  template <class T>
  static T apply(T a, T b) {
    return wrap<T>(bits_of(a) - bits_of(b));
  }
};
struct Multiply {
  template <class T>
  static T apply(T a, T b) {
    return wrap<T>(bits_of(a) * bits_of(b));
  }
};
struct Maximum {
  template <class T>
  static T apply(T a, T b) {
    return a > b ? a : b;
  }
};
struct Minimum {
  template <class T>
  static T apply(T a, T b) {
    return a < b ? a : b;
  }
};

// The quotient is rounded down, the remainder has the sign of b; both are 0 for b = 0.
struct FloorDivide {
  template <class T>
  static T apply(T a, T b) {
    if (b == 0) return 0;
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Negative::apply(a);
    const bool down = a % b != 0 && is_negative(a) != is_negative(b);
    return static_cast<T>(a / b - (down ? 1 : 0));
  }
};
struct Fmod {  // the remainder has the sign of a
  template <class T>
  static T apply(T a, T b) {
    if (b == 0 || (std::is_signed_v<T> && b == static_cast<T>(-1))) return 0;
    return static_cast<T>(a % b);
  }
};
struct Mod {
  template <class T>
  static T apply(T a, T b) {
    const T rest = Fmod::apply(a, b);
    return static_cast<T>(rest != 0 && is_negative(rest) != is_negative(b) ? rest + b : rest);
  }
};

// With a negative exponent trunc(1 / a^-b), and 0 for a = 0.
struct Power {
  template <class T>
  static T apply(T a, T b) {
    if (is_negative(b)) {
      if (a == 1) return 1;
      if (std::is_signed_v<T> && a == static_cast<T>(-1)) return b % 2 == 0 ? T(1) : a;
      return 0;
    }
    T result = 1;
    for (Unsigned<T> rest = bits_of(b); rest != 0; rest = static_cast<Unsigned<T>>(rest >> 1)) {
      if ((rest & 1) != 0) result = Multiply::apply(result, a);
      a = Square::apply(a);
    }
    return result;
  }
};

struct BitwiseAnd {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct BitwiseOr {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct BitwiseXor {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};

// All bits go where the distance is not one of 0, ..., width - 1.
template <class T>
bool within_width(T distance) {
  return bits_of(distance) < std::numeric_limits<Unsigned<T>>::digits;
}
struct LeftShift {
  template <class T>
  static T apply(T a, T b) {
    return within_width(b) ? wrap<T>(bits_of(a) << b) : T(0);
  }
};
struct RightShift {
  template <class T>
  static T apply(T a, T b) {
    if (within_width(b)) return static_cast<T>(a >> b);
    return is_negative(a) ? static_cast<T>(-1) : T(0);
  }
};

template <class U>
U greatest_divisor(U a, U b) {
  while (b != 0) {
    const U rest = static_cast<U>(a % b);
    a = b;
    b = rest;
  }
  return a;
}
struct Gcd {
  template <class T>
  static T apply(T a, T b) {
    return wrap<T>(greatest_divisor(magnitude(a), magnitude(b)));
  }
};
struct Lcm {
  template <class T>
  static T apply(T a, T b) {
    const Unsigned<T> divisor = greatest_divisor(magnitude(a), magnitude(b));
    return divisor == 0 ? T(0) : wrap<T>(magnitude(a) / divisor * magnitude(b));
  }
};

struct Equal {
  template <class T>
  static Bool apply(T a, T b) {
    return to_bool(a == b);
  }
};
struct NotEqual {
  template <class T>
  static Bool apply(T a, T b) {
    return to_bool(a != b);
  }
};
struct Less {
  template <class T>
  static Bool apply(T a, T b) {
    return to_bool(a < b);
  }
};
struct LessEqual {
  template <class T>
  static Bool apply(T a, T b) {
    return to_bool(a <= b);
  }
};
struct Greater {
  template <class T>
  static Bool apply(T a, T b) {
    return to_bool(a > b);
  }
};
struct GreaterEqual {
  template <class T>
  static Bool apply(T a, T b) {
    return to_bool(a >= b);
  }
};

struct LogicalAnd {
  static Bool apply(Bool a, Bool b) { return to_bool((a != Bool::kFalse) & (b != Bool::kFalse)); }
};
struct LogicalOr {
  static Bool apply(Bool a, Bool b) { return to_bool((a != Bool::kFalse) | (b != Bool::kFalse)); }
};
struct LogicalXor {
  static Bool apply(Bool a, Bool b) { return to_bool((a != Bool::kFalse) != (b != Bool::kFalse)); }
};

// y[i] = c[i] ? a[i] : b[i] for values of one byte.
void where_bytes(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  const auto* c = static_cast<const std::uint8_t*>(in[0]);
  const auto* a = static_cast<const std::uint8_t*>(in[1]);
  const auto* b = static_cast<const std::uint8_t*>(in[2]);
  auto* to = static_cast<std::uint8_t*>(y);
  if (steps[0] == 1 && steps[1] == 1 && steps[2] == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = c[i] != 0 ? a[i] : b[i];
    return;
  }
  for (std::int64_t i = 0; i < n; ++i)
    to[i] = c[i * steps[0]] != 0 ? a[i * steps[1]] : b[i * steps[2]];
}

// --- conversions ---------------------------------------------------------------------------------

template <class To>
struct Cast {
  template <class From>
  static To apply(From x) {
    if constexpr (std::is_same_v<From, Bool>) {
      return static_cast<To>(x != Bool::kFalse ? 1 : 0);
    } else if constexpr (std::is_same_v<To, Bool>) {
      return to_bool(x != 0);
    } else {
      return static_cast<To>(x);
    }
  }
};

template <class T>
void copy(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  if (steps[0] != 0) {
    if (y != in[0]) std::memcpy(y, in[0], static_cast<std::size_t>(n) * sizeof(T));
    return;
  }
  for (std::int64_t i = 0; i < n; ++i)
    std::memcpy(static_cast<char*>(y) + static_cast<std::size_t>(i) * sizeof(T), in[0], sizeof(T));
}

template <class From, class To>
MapFunction cast_function() {
  if constexpr (std::is_same_v<From, To>) {
    return copy<To>;
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    const CastKernels& casts = kernels<From>().map->casts;
    if constexpr (std::is_same_v<To, std::int32_t>) return casts.to_int32;
    if constexpr (std::is_same_v<To, std::int64_t>) return casts.to_int64;
    return casts.to_uint8;
  } else {
    return map_scalars<From, Cast<To>>;
  }
}

// Calls f(T{}) with the type of a dtype.
template <class F>
MapFunction with_type(DType dtype, F&& f) {
  switch (map_type(dtype)) {
    case 0:
      return f(float{});
    case 1:
      return f(double{});
    case 2:
      return f(std::int32_t{});
    case 3:
      return f(std::int64_t{});
    case 4:
      return f(std::uint8_t{});
    case 5:
      return f(Bool{});
    default:
      return nullptr;
  }
}

// --- the table -----------------------------------------------------------------------------------

// Nanoseconds per element of 4 bytes.
constexpr double kSimple = 0.25;
constexpr double kDivision = 5.0;
constexpr double kLoop = 25.0;

template <class F>
void add_unary_integers(MapTable& table, const char* name) {
  add_unary<std::int32_t, F>(table, name, kSimple);
  add_unary<std::int64_t, F>(table, name, 2 * kSimple);
  add_unary<std::uint8_t, F>(table, name, kSimple);
}

template <class F>
void add_integers(MapTable& table, const char* name, double nanoseconds = kSimple) {
  add_binary<std::int32_t, F>(table, name, nanoseconds);
  add_binary<std::int64_t, F>(table, name, 2 * nanoseconds);
  add_binary<std::uint8_t, F>(table, name, nanoseconds);
}

template <class F>
void add_comparison(MapTable& table, const char* name) {
  add_integers<F>(table, name);
  add_binary<Bool, F>(table, name, kSimple);
}

template <class F>
void add_logical(MapTable& table, const char* name) {
  add_binary<Bool, F>(table, name, kSimple);
}

}  // namespace

MapChoice cast_choice(DType from, DType to) {
  const MapFunction function = with_type(from, [to](auto source) {
    return with_type(
        to, [](auto target) { return cast_function<decltype(source), decltype(target)>(); });
  });
  return {function, to, dtype_size(from) == 8 || dtype_size(to) == 8 ? 0.6 : 0.3};
}

void add_integer_maps(MapTable& table) {
  add_unary_integers<Negative>(table, "negative");
  add_unary_integers<Abs>(table, "abs");
  add_unary<Bool, Magnitude>(table, "abs", kSimple);
  add_unary_integers<Sign>(table, "sign");
  add_unary_integers<Square>(table, "square");
  add_unary_integers<BitwiseNot>(table, "bitwise_not");
  add_unary<Bool, LogicalNot>(table, "bitwise_not", kSimple);
  add_unary<Bool, LogicalNot>(table, "logical_not", kSimple);

  add_integers<Add>(table, "add");
  add_integers<Subtract>(table, "subtract");
  add_integers<Multiply>(table, "multiply");
  add_integers<Maximum>(table, "maximum");
  add_integers<Minimum>(table, "minimum");
  add_integers<FloorDivide>(table, "floor_divide", kDivision);
  add_integers<Mod>(table, "mod", kDivision);
  add_integers<Fmod>(table, "fmod", kDivision);
  add_integers<Power>(table, "power", kLoop);
  add_integers<BitwiseAnd>(table, "bitwise_and");
  add_integers<BitwiseOr>(table, "bitwise_or");
  add_integers<BitwiseXor>(table, "bitwise_xor");
  add_integers<LeftShift>(table, "left_shift", 1.0);
  add_integers<RightShift>(table, "right_shift", 1.0);
  add_integers<Gcd>(table, "gcd", kLoop);
  add_integers<Lcm>(table, "lcm", kLoop);

  add_comparison<Equal>(table, "equal");
  add_comparison<NotEqual>(table, "not_equal");
  add_comparison<Less>(table, "less");
  add_comparison<LessEqual>(table, "less_equal");
  add_comparison<Greater>(table, "greater");
  add_comparison<GreaterEqual>(table, "greater_equal");

  for (const char* name : {"logical_and", "bitwise_and", "multiply", "minimum"})
    add_logical<LogicalAnd>(table, name);
  for (const char* name : {"logical_or", "bitwise_or", "add", "maximum"})
    add_logical<LogicalOr>(table, name);
  for (const char* name : {"logical_xor", "bitwise_xor"}) add_logical<LogicalXor>(table, name);

  MapRow& where = table["where"];
  where.operands = 3;
  where[DType::kUInt8] = {where_bytes, Map::kCount, false, kSimple};
  where[DType::kBool] = where[DType::kUInt8];
}

}  // namespace dlnative
