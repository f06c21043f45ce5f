// Vector logarithms, and log1p.
#pragma once

#include "kernels/simd/lanes.h"
#include "kernels/simd/math_exp.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// log(1 + f) = 2 atanh(s) with s = f / (2 + f). The form f - (f^2/2 - s (f^2/2 + R(s^2))), which
// keeps the leading term exact, is that of Sun's fdlibm (e_log.c, 1993); R(z) = z (L0 + L1 z + ...)
// is a minimax fit of our own on |s| <= 0.1717, weighted for the smallest relative error of log.
template <class T>
struct LogConstants;

template <>
struct LogConstants<float> {
  static constexpr float kR[] = {0x1.55557ap-1f, 0x1.995ec6p-2f,
                                 0x1.31e364p-2f};  // |error| <= 2^-30.1
  static constexpr float kSqrtHalf = 0x1.6a09e6p-1f;
  static constexpr float kMinNormal = 0x1p-126f;
};

template <>
struct LogConstants<double> {
  static constexpr double kR[] = {0x1.5555555555593p-1, 0x1.999999997f9ddp-2, 0x1.249249422dba1p-2,
                                  0x1.c71c51d381416p-3, 0x1.74664adbaa7d5p-3, 0x1.39a0703bc388ap-3,
                                  0x1.2f133aef54d0dp-3};  // |error| <= 2^-59.4
  static constexpr double kSqrtHalf = 0x1.6a09e667f3bcdp-1;
  static constexpr double kMinNormal = 0x1p-1022;
};

// x = 2^k m with m in [sqrt(1/2), sqrt(2)), for normal x > 0.
template <class T>
struct LogParts {
  Vec<T> k;
  Vec<T> m;
  Bits<T> biased_k;
};

template <class T>
DLNATIVE_INLINE LogParts<T> log_parts(Vec<T> x) {
  using Word = typename FloatFormat<T>::Word;
  constexpr int kShift = FloatFormat<T>::kMantissaBits;
  constexpr Word kBias = sizeof(T) == 4 ? 127 : 1023;
  constexpr Word kMantissa = (Word(1) << kShift) - 1;
  const Bits<T> sqrt_half = to_bits<T>(broadcast<T>(LogConstants<T>::kSqrtHalf));
  const Bits<T> bits = to_bits<T>(x) + ((kBias << kShift) - sqrt_half);
  const Bits<T> biased = bits >> kShift;
  // The number 2^mantissa_bits + biased, by its bits: AVX2 cannot convert 64-bit integers.
  constexpr T kMagic = sizeof(T) == 4 ? T(0x1p23) : T(0x1p52);
  const Bits<T> magic = to_bits<T>(broadcast<T>(kMagic));
  const Vec<T> k = from_bits<T>(biased | magic) - (kMagic + T(kBias));
  return {k, from_bits<T>((bits & kMantissa) + sqrt_half), biased};
}

// k ln2 + log(1 + f)
template <class T>
DLNATIVE_INLINE Vec<T> log_of_parts(Vec<T> k, Vec<T> f) {
  const Vec<T> s = f / (2 + f);
  const Vec<T> z = s * s;
  const Vec<T> half_square = T(0.5) * f * f;
  const Vec<T> correction =
      s * (half_square + z * polynomial<T>(z, LogConstants<T>::kR)) + k * ExpConstants<T>::kLn2Low;
  return k * ExpConstants<T>::kLn2High - ((half_square - correction) - f);
}

// y of what is no positive normal number; out of line, as that is rare.
template <class T, class F>
inline __attribute__((noinline)) void replace_logarithms(const Vec<T>& x, Vec<T>& y, F f) {
  constexpr int kShift = FloatFormat<T>::kMantissaBits;
  constexpr T kScale = sizeof(T) == 4 ? T(0x1p23) : T(0x1p52);
  const LogParts<T> parts = log_parts<T>(x * kScale);
  const Vec<T> of_denormal = f(parts.k - T(kShift), parts.m - 1);
  const Vec<T> below = x < LogConstants<T>::kMinNormal ? of_denormal : y;
  const Vec<T> of_positive = x < infinity<T>() ? below : x;
  const Vec<T> special = x == 0 ? broadcast<T>(-infinity<T>()) : broadcast<T>(quiet_nan<T>());
  y = x > 0 ? of_positive : special;
}

// f(k, m - 1) with x = 2^k m, -infinity for x = 0, NaN below. Denormal x are scaled first.
template <class T, class F>
DLNATIVE_INLINE Vec<T> logarithm(Vec<T> x, F f) {
  const LogParts<T> parts = log_parts<T>(x);
  Vec<T> y = f(parts.k, parts.m - 1);
  const Mask<T> unusual = ~((x >= LogConstants<T>::kMinNormal) & (x < infinity<T>()));
  if (mask_bits(unusual) != 0) replace_logarithms<T>(x, y, f);
  return y;
}

// log(x). Error: float32 0.84 / 0.76, float64 0.84 / 0.76 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> vlog(Vec<T> x) {
  return logarithm<T>(x, [](Vec<T> k, Vec<T> f) { return log_of_parts<T>(k, f); });
}

// Of another base b: log(1 + f) as a sum of two numbers, the first of so few bits that its product
// with the high part of 1 / ln b is exact, and so is that of k with the high part of log_b(2). The
// method is that of FreeBSD's e_log2.c and e_log10.c (after Sun's fdlibm, 1993).
template <class T>
struct LogBase {
  T inverse_high, inverse_low;  // 1 / ln b
  T two_high, two_low;          // log_b(2)
};

template <class T>
struct LogBaseConstants;

template <>
struct LogBaseConstants<float> {
  static constexpr std::uint32_t kHighHalf = 0xfffff000u;  // 12 bits of mantissa
  static constexpr LogBase<float> kTwo = {0x1.716p+0f, -0x1.7135a8p-13f, 1.0f, 0.0f};
  static constexpr LogBase<float> kTen = {0x1.bccp-2f, -0x1.09d5b2p-15f, 0x1.3442p-2f,
                                          -0x1.95ec1p-19f};
};

template <>
struct LogBaseConstants<double> {
  static constexpr std::uint64_t kHighHalf = 0xfffffffff8000000u;  // 26 bits
  static constexpr LogBase<double> kTwo = {0x1.7154768p+0, -0x1.6a3e80f444178p-27, 1.0, 0.0};
  static constexpr LogBase<double> kTen = {0x1.bcb7b18p-2, -0x1.6c8d78e6acaa4p-29,
                                           0x1.34413509f8p-2, -0x1.80433b83b532ap-44};
};

template <class T>
DLNATIVE_INLINE Vec<T> log_of_base(Vec<T> x, const LogBase<T>& base) {
  return logarithm<T>(x, [&base](Vec<T> k, Vec<T> f) {
    const Vec<T> s = f / (2 + f);
    const Vec<T> z = s * s;
    const Vec<T> half_square = T(0.5) * f * f;
    const Vec<T> correction = s * (half_square + z * polynomial<T>(z, LogConstants<T>::kR));
    const Vec<T> high = from_bits<T>(to_bits<T>(f - half_square) & LogBaseConstants<T>::kHighHalf);
    const Vec<T> low = ((f - high) - half_square) + correction;
    const Vec<T> of_two = k * base.two_high;
    const Vec<T> leading = high * base.inverse_high;
    const Vec<T> sum = of_two + leading;
    const Vec<T> rest = (k * base.two_low + (low + high) * base.inverse_low) +
                        low * base.inverse_high + ((of_two - sum) + leading);
    return sum + rest;
  });
}

// log2(x), exact for powers of two. Error: float32 0.79 / 0.69, float64 0.77 / 0.67 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> vlog2(Vec<T> x) {
  return log_of_base<T>(x, LogBaseConstants<T>::kTwo);
}

// log10(x). Error: float32 0.69 / 0.63, float64 0.71 / 0.62 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> vlog10(Vec<T> x) {
  return log_of_base<T>(x, LogBaseConstants<T>::kTen);
}

// log1p(x) = k ln2 + log(1 + f) with u = 1 + x = 2^k m rounded, f = (m - 1) + 2^-k c and
// c = x - (u - 1) the rounding error of u: exact for small x, and without effect for large ones,
// where 2^-k might not be a normal number. -infinity at -1, NaN below. Error: float32 1.40 / 1.35,
// float64 1.39 / 1.32 ulp.
template <class T>
DLNATIVE_INLINE Vec<T> vlog1p(Vec<T> x) {
  using Word = typename FloatFormat<T>::Word;
  constexpr Word kTwiceBias = sizeof(T) == 4 ? 254 : 2046;
  const Vec<T> u = 1 + x;
  const Vec<T> c = x - (u - 1);
  const LogParts<T> parts = log_parts<T>(u);
  const Vec<T> inverse_scale =
      from_bits<T>((kTwiceBias - parts.biased_k) << FloatFormat<T>::kMantissaBits);
  const Vec<T> rest = x > ExpConstants<T>::kRound ? Vec<T>{} : inverse_scale * c;
  const Vec<T> magnitude = vabs<T>(log_of_parts<T>(parts.k, (parts.m - 1) + rest));
  const Vec<T> y = x < infinity<T>() ? with_sign_of<T>(magnitude, x) : x;  // or -0 would become +0
  const Vec<T> special = x == -1 ? broadcast<T>(-infinity<T>()) : broadcast<T>(quiet_nan<T>());
  return x > -1 ? y : special;
}

// log1p(e) for 0 <= e <= 1, and NaN: what softplus and the cross-entropy of logits take of
// e = exp(-|x|). s = 2 e / (2 + e) alone reduces the interval to s <= 2/3:
// log1p(e) = 2 atanh(s / 2) = s (1 + z R(z)), z = s^2, with R a minimax fit of the smallest
// relative error. About half of vlog1p's operations. Error: float32 1.97 / 1.98, float64 1.97
// / 1.97 ulp.
template <class T>
struct Log1pUnitConstants;

template <>
struct Log1pUnitConstants<float> {
  static constexpr float kR[] = {0x1.555502p-4f, 0x1.99d1cep-7f, 0x1.1ec004p-9f,
                                 0x1.1ecbb6p-11f};  // |error| <= 2^-27.7
};

template <>
struct Log1pUnitConstants<double> {
  static constexpr double kR[] = {
      0x1.5555555555535p-4,  0x1.99999999a06f7p-7,  0x1.249249208f4f8p-9,  0x1.c71c741aeda06p-12,
      0x1.745cb4385f5cep-14, 0x1.3b1dd6906109bp-16, 0x1.1068078014061p-18, 0x1.efd410b26ab69p-21,
      0x1.55c4067abfa9ep-23, 0x1.5c66ecbac7dd4p-24};  // 2^-58.9
};

template <class T>
DLNATIVE_INLINE Vec<T> vlog1p_unit(Vec<T> e) {
  const Vec<T> s = (e + e) / (2 + e);
  const Vec<T> z = s * s;
  return s + s * (z * polynomial<T>(z, Log1pUnitConstants<T>::kR));
}

// log(exp(a) + exp(b)), of two equal infinities that. Error: float32 1.06 / 1.06 ulp of the larger
// of the result and the operands.
template <class T>
DLNATIVE_INLINE Vec<T> vlogaddexp(Vec<T> a, Vec<T> b) {
  const Vec<T> low = a < b ? a : b, high = a < b ? b : a;
  const Vec<T> y = high + vlog1p_unit<T>(vexp_nonpositive<T>(low - high));
  return a == b ? a + T(0.693147180559945309417) : y;
}

}  // namespace
}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
