// Copies that go past the caches, for what nobody reads before it has left them.
//
// An ordinary store to a line that is not in the cache reads that line first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace dlnative {

inline void stream_copy(void* to, const void* from, std::int64_t bytes) {
  auto* y = static_cast<char*>(to);
  const auto* x = static_cast<const char*>(from);
#if defined(__x86_64__)
  constexpr std::int64_t kWord = 16;
  const auto beyond = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(y) % kWord);
  std::int64_t i = std::min(bytes, (kWord - beyond) % kWord);
  std::memcpy(y, x, static_cast<std::size_t>(i));
  for (; i + kWord <= bytes; i += kWord) {
    const __m128i word = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
    _mm_stream_si128(reinterpret_cast<__m128i*>(y + i), word);
  }
  std::memcpy(y + i, x + i, static_cast<std::size_t>(bytes - i));
#else
  std::memcpy(y, x, static_cast<std::size_t>(bytes));
#endif
}

// After the last of them, before another thread reads.
inline void finish_stream_copies() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace dlnative
