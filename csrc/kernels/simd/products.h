// The inner loop of all tiles of products: accumulators in registers, a row of B and a few values
// of A per product.
//
// The FMA units need two instructions per cycle, but a core issues all others too, and it often
// shares its issue slots with another program (two hardware threads on one core). So the overhead
// per product must be small: the loop is unrolled by a few products, with constant distances, and
// every sum is one instruction. Measured against other loops: docs/performance.md, "The inner
// loop".
#pragma once

#include "kernels/simd/vec.h"

#define DLNATIVE_MEMBER __attribute__((always_inline))

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// acc += a * b. Compilers that see a product and a sum, many times over, write some sums to where a
// factor was and copy them back, or read a factor from memory once more.
template <class T>
DLNATIVE_INLINE void add_product(Vec<T>& acc, Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__) && !defined(DLNATIVE_EMULATED_AVX512)
  if constexpr (sizeof(T) == 4) asm("vfmadd231ps %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  if constexpr (sizeof(T) == 8) asm("vfmadd231pd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
#elif defined(__FMA__) && !defined(DLNATIVE_EMULATED_AVX512)
  if constexpr (sizeof(T) == 4) asm("vfmadd231ps %2, %1, %0" : "+x"(acc) : "x"(a), "x"(b));
  if constexpr (sizeof(T) == 8) asm("vfmadd231pd %2, %1, %0" : "+x"(acc) : "x"(a), "x"(b));
#else
  acc += a * b;
#endif
}

// p, of which the compiler no longer knows how it was found: it stays in a register of its own.
template <class T>
DLNATIVE_INLINE T opaque(T p) {
  asm("" : "+r"(p));
  return p;
}

// Where the values of A and the rows of B are. Of `unroll` products of one iteration, at(i, u) is
// the value of A in row i for product u and row(u) the first of a row of B; next(u, unroll) follows
// product u.

// A or B packed in panels of kWidth values.
template <class T, int kWidth>
struct Packed {
  const T* p;
  DLNATIVE_MEMBER const T* row(int u) const { return p + u * kWidth; }
  DLNATIVE_MEMBER T at(int i, int u) const { return row(u)[i]; }
  DLNATIVE_MEMBER void next(int u, int unroll) { p += u + 1 == unroll ? unroll * kWidth : 0; }
};

// Any strides.
template <class T>
struct StridedA {
  const T* a;
  std::int64_t rs, cs;
  DLNATIVE_MEMBER T at(int i, int) const { return a[i * rs]; }
  DLNATIVE_MEMBER void next(int, int) { a = opaque(a + cs); }
};

// Rows anywhere, each in a register, with one index for all of them.
template <class T, int MR>
struct RowsOfA {
  const T* rows[MR];
  std::int64_t p = 0;
  DLNATIVE_MEMBER T at(int i, int u) const { return rows[i][p + u]; }
  DLNATIVE_MEMBER void next(int u, int unroll) { p = u + 1 == unroll ? opaque(p + unroll) : p; }
};

// Pairs of neighbouring values of A, which meet rows of B that hold each value twice or values for
// both in turn: half the loads of A, for tiles one vector wide.
template <class T>
struct PairAt {
  const T* p;
};
template <class T>
DLNATIVE_INLINE Vec<T> broadcast(PairAt<T> pair) {
  return broadcast_pair(pair.p);
}

// The pairs of rows anywhere.
template <class T, int MR>
struct PairsOfRows {
  RowsOfA<T, MR> a;
  DLNATIVE_MEMBER PairAt<T> at(int i, int u) const { return {a.rows[i] + a.p + 2 * u}; }
  DLNATIVE_MEMBER void next(int u, int unroll) {
    a.p = u + 1 == unroll ? opaque(a.p + 2 * unroll) : a.p;
  }
};

template <class T>
struct StridedB {
  const T* b;
  std::int64_t ldb;
  DLNATIVE_MEMBER const T* row(int) const { return b; }
  DLNATIVE_MEMBER void next(int, int) { b = opaque(b + ldb); }
};

struct Nothing {
  DLNATIVE_MEMBER void operator()() const {}
};

// Adds `count` products, unrolled by kUnroll, and returns how many of them are left. `interleaved`
// is called once for every kUnroll.
template <int kUnroll, class T, int MR, int NV, class A, class B, class Step = Nothing>
DLNATIVE_INLINE std::int64_t add_products(Vec<T> (&acc)[MR][NV], A& a, B& b, std::int64_t count,
                                          const Step& interleaved = {}) {
#pragma GCC unroll 1
  for (; count >= kUnroll; count -= kUnroll) {
    interleaved();
#pragma GCC unroll 8
    for (int u = 0; u < kUnroll; ++u) {
      Vec<T> bv[NV];
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) bv[j] = load<T>(b.row(u) + j * kLanes<T>);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        const Vec<T> value = broadcast(a.at(i, u));
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) add_product<T>(acc[i][j], value, bv[j]);
      }
      if (kUnroll > 1) asm volatile("" ::: "memory");  // products stay in order
      a.next(u, kUnroll);
      b.next(u, kUnroll);
    }
  }
  return count;
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
