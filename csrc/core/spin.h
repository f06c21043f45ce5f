// Waiting without giving up the core.
#pragma once

#include <chrono>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace dlnative {

// Tens of cycles in which the core's other hardware thread may have its resources.
inline void pause_briefly() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");  // `yield` does nothing on most cores
#endif
}

// Spins until done() or until about `limit` has passed; returns done().
template <class Done>
bool spin_until(Done done, std::chrono::nanoseconds limit) noexcept {
  using Clock = std::chrono::steady_clock;
  constexpr int kLooksPerClock = 32;
  Clock::time_point end = Clock::time_point::max();
  for (;;) {
    for (int look = 0; look < kLooksPerClock; ++look) {
      if (done()) return true;
      pause_briefly();
    }
    const Clock::time_point now = Clock::now();
    if (now >= end) return done();
    if (end == Clock::time_point::max()) end = now + limit;
  }
}

}  // namespace dlnative
