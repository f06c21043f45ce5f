// The loops of MapFunctions: over whole vectors and one partial vector, for operands that advance
// and operands that stay at one value.
#pragma once

#include "kernels/simd/bytes.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Operands give the vector of elements i, i + 1, ...: all lanes, or the first n.
template <class T>
struct Advancing {
  const T* p;
  DLNATIVE_INLINE Vec<T> whole(const Advancing& a, std::int64_t i) { return load<T>(a.p + i); }
  DLNATIVE_INLINE Vec<T> part(const Advancing& a, std::int64_t i, std::int64_t n) {
    return load_first(a.p + i, n);
  }
};
template <class T>
struct Staying {
  Vec<T> v;
  DLNATIVE_INLINE Vec<T> whole(const Staying& s, std::int64_t) { return s.v; }
  DLNATIVE_INLINE Vec<T> part(const Staying& s, std::int64_t, std::int64_t) { return s.v; }
};

// One value in all lanes, bit by bit.
template <class T>
DLNATIVE_INLINE Staying<T> staying(const void* p) {
  typename FloatFormat<T>::Word word;
  __builtin_memcpy(&word, p, sizeof(word));
  return {from_bits<T>(Bits<T>{} + word)};
}
template <class T>
DLNATIVE_INLINE Advancing<T> advancing(const void* p) {
  return {static_cast<const T*>(p)};
}

// The result: T, or bool from a mask.
template <class T>
struct ToValues {
  T* y;
  DLNATIVE_INLINE void whole(const ToValues& r, std::int64_t i, Vec<T> v) { store<T>(r.y + i, v); }
  DLNATIVE_INLINE void part(const ToValues& r, std::int64_t i, Vec<T> v, std::int64_t n) {
    store_first(r.y + i, v, n);
  }
};
template <class T>
struct ToBools {
  std::uint8_t* y;
  DLNATIVE_INLINE void whole(const ToBools& r, std::int64_t i, Mask<T> m) {
    Bytes<T>::store(r.y + i, m & 1);
  }
  DLNATIVE_INLINE void part(const ToBools& r, std::int64_t i, Mask<T> m, std::int64_t n) {
    store_first_bytes<T>(r.y + i, m & 1, n);
  }
};

template <class T, class R, class A, class F>
DLNATIVE_INLINE void loop(R to, A a, std::int64_t n, F f) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) R::whole(to, i, f(A::whole(a, i)));
  if (i < n) R::part(to, i, f(A::part(a, i, n - i)), n - i);
}

template <class T, class R, class A, class B, class F>
DLNATIVE_INLINE void loop(R to, A a, B b, std::int64_t n, F f) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) R::whole(to, i, f(A::whole(a, i), B::whole(b, i)));
  if (i < n) R::part(to, i, f(A::part(a, i, n - i), B::part(b, i, n - i)), n - i);
}

template <class T, class R, class A, class B, class C, class F>
DLNATIVE_INLINE void loop(R to, A a, B b, C c, std::int64_t n, F f) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>)
    R::whole(to, i, f(A::whole(a, i), B::whole(b, i), C::whole(c, i)));
  if (i == n) return;
  R::part(to, i, f(A::part(a, i, n - i), B::part(b, i, n - i), C::part(c, i, n - i)), n - i);
}

// y[1], ..., y[n - 1] as y[0].
template <class Element>
DLNATIVE_INLINE void repeat_first(Element* y, std::int64_t n) {
  const Element value = y[0];
  for (std::int64_t i = 1; i < n; ++i) y[i] = value;
}

template <class T>
DLNATIVE_INLINE ToValues<T> result_of(T* y) {
  return {y};
}
template <class T>
DLNATIVE_INLINE ToBools<T> result_of(std::uint8_t* y) {
  return {y};
}

// y[i] = f(x[i]); Y is T or std::uint8_t.
template <class T, class Y, class F>
DLNATIVE_INLINE void map_unary(const void* const* in, const std::int64_t* steps, void* y,
                               std::int64_t n, F f) {
  Y* to = static_cast<Y*>(y);
  const bool once = steps[0] == 0 && n > 1;
  loop<T>(result_of<T>(to), advancing<T>(in[0]), once ? 1 : n, f);
  if (once) repeat_first(to, n);
}

// y[i] = f(a[i], b[i])
template <class T, class Y, class F>
DLNATIVE_INLINE void map_binary(const void* const* in, const std::int64_t* steps, void* y,
                                std::int64_t n, F f) {
  Y* to = static_cast<Y*>(y);
  const auto r = result_of<T>(to);
  if (n == 0) return;
  if (steps[0] == steps[1]) {
    const bool once = steps[0] == 0 && n > 1;
    loop<T>(r, advancing<T>(in[0]), advancing<T>(in[1]), once ? 1 : n, f);
    if (once) repeat_first(to, n);
  } else if (steps[0] == 0) {
    loop<T>(r, staying<T>(in[0]), advancing<T>(in[1]), n, f);
  } else {
    loop<T>(r, advancing<T>(in[0]), staying<T>(in[1]), n, f);
  }
}

// Calls f with the operand at p as its step says.
template <class T, class F>
DLNATIVE_INLINE void with_operand(const void* p, std::int64_t step, F f) {
  if (step == 0) {
    f(staying<T>(p));
  } else {
    f(advancing<T>(p));
  }
}

// y[i] = f(a[i], b[i], c[i])
template <class T, class F>
DLNATIVE_INLINE void map_ternary(const void* const* in, const std::int64_t* steps, void* y,
                                 std::int64_t n, F f) {
  if (n == 0) return;
  const auto to = result_of<T>(static_cast<T*>(y));
  with_operand<T>(in[0], steps[0], [&](auto a) {
    with_operand<T>(in[1], steps[1], [&](auto b) {
      with_operand<T>(in[2], steps[2], [&](auto c) { loop<T>(to, a, b, c, n, f); });
    });
  });
}

// y[i] = c[i] ? a[i] : b[i], with c one byte per element.
template <class T, class A, class B>
DLNATIVE_INLINE void select(const std::uint8_t* c, A a, B b, T* y, std::int64_t n) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    const Mask<T> chosen = Bytes<T>::load(c + i) != 0;
    store<T>(y + i, chosen ? A::whole(a, i) : B::whole(b, i));
  }
  if (i == n) return;
  const Mask<T> chosen = load_first_bytes<T>(c + i, n - i) != 0;
  store_first(y + i, chosen ? A::part(a, i, n - i) : B::part(b, i, n - i), n - i);
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
