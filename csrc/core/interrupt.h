// Leaving a long computation before its end: for Ctrl-C, and when the interpreter ends.
//
// What may be abandoned runs in the scope of an Interruptible. Regions (core/parallel.h) ask
// interrupted() between tasks, and tasks that may take long ask between pieces of at most
// kPieceFlops. Once it says true, all of them return with their results unfinished, and the one who
// opened the scope must throw these away.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

namespace dlnative {

// Some milliseconds of one core.
inline constexpr double kPieceFlops = 5e8;

class Interruptible {
 public:
  // Whether to stop. Called every kInterval, on the thread that opened the scope, perhaps within a
  // task: it must neither throw nor compute, as the task's scratch is in use.
  using Poll = bool (*)();
  static constexpr auto kInterval = std::chrono::milliseconds(25);

  // With null nothing is interrupted in this scope, whatever lies around it.
  explicit Interruptible(Poll poll) noexcept
      : poll_(poll), owner_(std::this_thread::get_id()), around_(current_) {
    current_ = poll == nullptr ? nullptr : this;
  }
  ~Interruptible() { current_ = around_; }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

  // That of the current thread, or null.
  static Interruptible* current() noexcept { return current_; }

  bool stopped() noexcept {
    if (stopped_.load(std::memory_order_relaxed)) return true;
    if (std::this_thread::get_id() != owner_) return false;
    const Clock::time_point now = Clock::now();
    if (now - last_ < kInterval) return false;
    // What ends within the interval is not asked for.
    const bool first = last_ == Clock::time_point{};
    last_ = now;
    if (first || !poll_()) return false;
    stopped_.store(true, std::memory_order_relaxed);
    return true;
  }

  // Makes a worker one of those who work in a scope, for the length of the guard.
  class Worker {
   public:
    explicit Worker(Interruptible* scope) noexcept : around_(current_) { current_ = scope; }
    ~Worker() { current_ = around_; }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

   private:
    Interruptible* around_ = nullptr;
  };

 private:
  using Clock = std::chrono::steady_clock;

  Poll poll_;
  std::thread::id owner_;
  Interruptible* around_ = nullptr;
  Clock::time_point last_{};  // when it was polled
  std::atomic<bool> stopped_{false};
  inline static thread_local Interruptible* current_ = nullptr;
};

// Whether the current computation is to be left. Costs two nanoseconds outside of such a scope, the
// reading of a clock within.
inline bool interrupted() noexcept {
  Interruptible* scope = Interruptible::current();
  return scope != nullptr && scope->stopped();
}

}  // namespace dlnative
