// The floating-point mode of the current thread: flushing of denormals, and rounding.
//
// A denormal operand costs tens to hundreds of cycles on most x86 cores, and vanishing gradients
// and decayed moments produce them by the million. A program run therefore flushes them to zero
// (results: FTZ; operands: DAZ), and restores the caller's mode when it returns.
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace dlnative {

// The control register: MXCSR on x86-64, FPCR on aarch64, always 0 elsewhere.
inline std::uint64_t read_fp_control() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  return _mm_getcsr();
#elif defined(__aarch64__)
  std::uint64_t value;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
#else
  return 0;
#endif
}

inline void write_fp_control(std::uint64_t value) noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_setcsr(static_cast<unsigned int>(value));
#elif defined(__aarch64__)
  asm volatile("msr fpcr, %0" : : "r"(value) : "memory");
#else
  static_cast<void>(value);
#endif
}

#if defined(__x86_64__) || defined(_M_X64)
inline constexpr std::uint64_t kFlushBits = 0x8040;                // FTZ (15), DAZ (6)
inline constexpr std::uint64_t kFpModeBits = 0x6000 | kFlushBits;  // and rounding (14:13)
#elif defined(__aarch64__)
inline constexpr std::uint64_t kFlushBits = 0x1000000;   // FZ (24): operands and results
inline constexpr std::uint64_t kFpModeBits = 0x3C80000;  // DN (25), FZ, rounding (23:22), FZ16 (19)
#else
inline constexpr std::uint64_t kFlushBits = 0;
inline constexpr std::uint64_t kFpModeBits = 0;
#endif

// The bits that change the value of a result. Status flags and exception masks are left out.
inline std::uint64_t fp_mode() noexcept {
  return read_fp_control() & kFpModeBits;
}

// Sets the current thread's mode to a value of fp_mode(), perhaps another thread's. Writing the
// register stalls the pipeline, so it is written only if the mode differs.
inline void set_fp_mode(std::uint64_t mode) noexcept {
  const std::uint64_t control = read_fp_control();
  if ((control & kFpModeBits) != mode) write_fp_control((control & ~kFpModeBits) | mode);
}

inline bool flushes_denormals() noexcept {
  return kFlushBits != 0 && (fp_mode() & kFlushBits) == kFlushBits;
}

// Sets a mode on the current thread for the lifetime of the guard. Status flags raised meanwhile
// stay raised.
//
// Compilers do not see that arithmetic depends on the control register and may move it across the
// guard: the arithmetic that is to be guarded belongs into a function that is not inlined (every
// kernel is one: it is called through a table).
class FpModeGuard {
 public:
  explicit FpModeGuard(std::uint64_t mode) noexcept : previous_(fp_mode()) { set_fp_mode(mode); }
  ~FpModeGuard() { set_fp_mode(previous_); }
  FpModeGuard(const FpModeGuard&) = delete;
  FpModeGuard& operator=(const FpModeGuard&) = delete;

 private:
  std::uint64_t previous_ = 0;
};

// Flushes denormals to zero on the current thread for the lifetime of the guard; parallel regions
// started meanwhile do so on their workers. Does nothing on other machines than x86-64 and aarch64.
class FlushDenormals : private FpModeGuard {
 public:
  FlushDenormals() noexcept : FpModeGuard(fp_mode() | kFlushBits) {}
};

}  // namespace dlnative
