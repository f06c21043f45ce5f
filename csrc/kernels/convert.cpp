// Conversion of stored values (data sets, labels, weights of samples) to the type that ops work in.
//
// The loops are plain: GCC and Clang vectorise them for each instruction set, and a conversion that
// the machine has no vector instruction for (64-bit integers before AVX-512) stays scalar.
// Measured: docs/performance.md, "Conversion".
#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/simd/vec.h"

namespace dlnative {
namespace DLNATIVE_ISA_NAMESPACE {
namespace {

// Stored types that C++ does not have.
enum class Bool : std::uint8_t {};
enum class Half : std::uint16_t {};

// float16 to float32, exact, without floating-point denormals on the way (a program run flushes
// them to zero). Wherever the machine converts, the loops below call convert_halves instead.
inline float to_float(Half half) {
  const std::uint32_t word = static_cast<std::uint16_t>(half);
  const std::uint32_t sign = (word & 0x8000u) << 16;
  const std::uint32_t magnitude = (word & 0x7fffu) << 13;  // exponent and mantissa, in place
  constexpr std::uint32_t kRebias = (127u - 15u) << 23;
  constexpr std::uint32_t kExponent = 0x7c00u << 13;
  std::uint32_t bits = magnitude + kRebias;
  float value;
  if ((magnitude & kExponent) == kExponent) {  // infinity or NaN
    bits += (128u - 16u) << 23;
    __builtin_memcpy(&value, &bits, sizeof(value));
  } else if ((magnitude & kExponent) == 0) {  // zero or denormal: 1.m - 1.0, scaled
    bits += 1u << 23;
    constexpr float kSmallestNormal = 0x1p-14f;
    __builtin_memcpy(&value, &bits, sizeof(value));
    value -= kSmallestNormal;
  } else {
    __builtin_memcpy(&value, &bits, sizeof(value));
  }
  std::uint32_t signed_bits;
  __builtin_memcpy(&signed_bits, &value, sizeof(value));
  signed_bits |= sign;
  __builtin_memcpy(&value, &signed_bits, sizeof(value));
  return value;
}

// What has no int32 (out of range, NaN) becomes the smallest one, which no check of labels accepts.
constexpr std::int32_t kNoInt32 = -2147483647 - 1;

template <class T>
struct To {
  template <class S>
  static T from(S x) {
    return static_cast<T>(x);
  }
  static T from(Bool x) { return static_cast<T>(static_cast<std::uint8_t>(x) != 0); }
  static T from(Half x) { return static_cast<T>(to_float(x)); }
};

template <>
struct To<std::int32_t> {
  template <class S>
  static std::int32_t from(S x) {
    return static_cast<std::int32_t>(x);
  }
  static std::int32_t from(Bool x) { return static_cast<std::uint8_t>(x) != 0; }
  static std::int32_t from(Half x) { return from(to_float(x)); }
  static std::int32_t from(float x) {
    return x >= -0x1p31f && x < 0x1p31f ? static_cast<std::int32_t>(x) : kNoInt32;
  }
  static std::int32_t from(double x) {
    return x > -0x1p31 - 1 && x < 0x1p31 ? static_cast<std::int32_t>(x) : kNoInt32;
  }
  static std::int32_t from(std::uint32_t x) {
    return x <= 0x7fffffffu ? static_cast<std::int32_t>(x) : kNoInt32;
  }
  static std::int32_t from(std::int64_t x) {
    const auto low = static_cast<std::int32_t>(static_cast<std::uint64_t>(x) & 0xffffffffu);
    return low == x ? low : kNoInt32;
  }
  static std::int32_t from(std::uint64_t x) {
    return x <= 0x7fffffffu ? static_cast<std::int32_t>(x) : kNoInt32;
  }
};

// A row of a memory-mapped or strided array need not be aligned to its type.
template <class S>
struct __attribute__((packed, may_alias)) Unaligned {
  S value;
};

template <class T, class S>
void convert(const void* x, T* __restrict out, std::int64_t n) {
  const Unaligned<S>* source = static_cast<const Unaligned<S>*>(x);
  for (std::int64_t i = 0; i < n; ++i) out[i] = To<T>::from(S(source[i].value));
}

#if defined(__F16C__)
// Eight at a time by the machine's conversion, which ignores the denormals-are-zero mode.
template <class T>
void convert_halves(const void* x, T* __restrict out, std::int64_t n) {
  const Unaligned<std::uint16_t>* source = static_cast<const Unaligned<std::uint16_t>*>(x);
  constexpr std::int64_t kBlock = 8;
  std::int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + i));
    float values[kBlock];
    _mm256_storeu_ps(values, _mm256_cvtph_ps(bits));
    for (int j = 0; j < kBlock; ++j) out[i + j] = To<T>::from(values[j]);
  }
  for (; i < n; ++i) out[i] = To<T>::from(_cvtsh_ss(source[i].value));
}
#else
template <class T>
constexpr ConvertKernel<T> convert_halves = convert<T, Half>;
#endif

// x - x is zero for a finite value and NaN for any other; the sum keeps a NaN.
template <class T>
bool all_finite(const T* x, std::int64_t n) {
  constexpr int kUnroll = 4;
  constexpr std::int64_t kStep = kUnroll * kLanes<T>;
  Vec<T> sums[kUnroll] = {};
  std::int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) {
      const Vec<T> v = load(x + i + u * kLanes<T>);
      sums[u] += v - v;
    }
  }
  Vec<T> sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  for (; i < n; i += kLanes<T>) {
    const Vec<T> v = n - i < kLanes<T> ? load_first(x + i, n - i) : load(x + i);
    sum += v - v;
  }
  T total = 0;
  for (int lane = 0; lane < kLanes<T>; ++lane) total += sum[lane];
  return total == 0;
}

bool all_finite(const std::int32_t*, std::int64_t) {
  return true;
}

// In the order of SourceType.
template <class T>
constexpr ConvertKernels<T> kConvertKernels = {
    {
        convert<T, Bool>,
        convert<T, std::int8_t>,
        convert<T, std::uint8_t>,
        convert<T, std::int16_t>,
        convert<T, std::uint16_t>,
        convert<T, std::int32_t>,
        convert<T, std::uint32_t>,
        convert<T, std::int64_t>,
        convert<T, std::uint64_t>,
        convert_halves<T>,
        convert<T, float>,
        convert<T, double>,
    },
    all_finite,
};

}  // namespace

extern const ConvertKernels<float> convert_f32;
extern const ConvertKernels<double> convert_f64;
extern const ConvertKernels<std::int32_t> convert_i32;
const ConvertKernels<float> convert_f32 = kConvertKernels<float>;
const ConvertKernels<double> convert_f64 = kConvertKernels<double>;
const ConvertKernels<std::int32_t> convert_i32 = kConvertKernels<std::int32_t>;

}  // namespace DLNATIVE_ISA_NAMESPACE
}  // namespace dlnative
