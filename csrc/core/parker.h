// Where a thread waits without using the CPU: a futex on Linux, a condition variable elsewhere.
#pragma once

#include <atomic>
#include <cstdint>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <condition_variable>
#include <mutex>
#endif

namespace dlnative {

// One thread parks, any thread unparks it.
class Parker {
 public:
  // Returns once word != value has been seen, or unpark was called; may return without a cause.
  void park(std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
#if defined(__linux__)
    static_assert(sizeof(word) == sizeof(std::uint32_t), "a futex is a bare 32-bit word");
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
    std::unique_lock<std::mutex> lock(mutex_);
    if (word.load(std::memory_order_acquire) == value) condition_.wait(lock);
#endif
  }

  // Wakes the thread that is parked on `word`, if one is. A change of `word` made before this call
  // is not missed by park.
  void unpark(std::atomic<std::uint32_t>& word) noexcept {
#if defined(__linux__)
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
#else
    static_cast<void>(word);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
    }
    condition_.notify_one();
#endif
  }

#if !defined(__linux__)
 private:
  std::mutex mutex_;
  std::condition_variable condition_;
#endif
};

}  // namespace dlnative
