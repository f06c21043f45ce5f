#include "core/fork.h"

#include <atomic>

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace dlnative {

bool call_in_children(void (*f)()) noexcept {
#if !defined(_WIN32)
  return pthread_atfork(nullptr, nullptr, f) == 0;
#else
  static_cast<void>(f);
  return true;
#endif
}

std::uint32_t process_number() noexcept {
  static std::atomic<std::uint32_t> number{1};
  static const bool counted =
      call_in_children([] { number.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(counted);
  return number.load(std::memory_order_relaxed);
}

}  // namespace dlnative
