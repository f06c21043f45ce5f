// Values that programs of several threads share: who may read them, who may write, and how often
// they have changed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace dlnative {

// When values changed last, in changes of the process: what was made at the latest version of
// several is as new as each of them.
class Version {
 public:
  std::int64_t value() const noexcept { return value_.load(std::memory_order_acquire); }
  void set(std::int64_t number) noexcept { value_.store(number, std::memory_order_release); }
  void changed() noexcept { set(next()); }
  static std::int64_t next() noexcept {
    return changes_.fetch_add(1, std::memory_order_relaxed) + 1;
  }

 private:
  std::atomic<std::int64_t> value_{0};
  inline static std::atomic<std::int64_t> changes_{0};
};

// Runs are readers or writers, and go on in steps. A reader is kept out while a writer commits,
// which is a part of the writer's step; readers share. Writers take turns, run by run, in the order
// in which they come. Neither can keep the other waiting for longer than one step: a commit that
// waits goes before readers that come later, and lets in those that wait before the next commit.
//
// As long as no two runs overlap nothing is done per step: whoever finds the lock unused has it for
// the whole run, and looks at the begin of each step whether a second thread waits. The first time
// that one does, it waits for that step to end; from then on every step locks.
class StateLock {
 public:
  using Poll = std::function<void()>;

  // The part that a run has in a lock. It belongs to one thread.
  struct Hold {
    enum class Phase {
      kOutside,
      kNested,   // the thread holds the lock by another run, and nothing is done
      kAlone,    // nobody else is there
      kEntered,  // between two steps, or a writer before its commit
      kReading,
      kCommitting
    };
    StateLock* lock = nullptr;
    bool writes = false;
    Phase phase = Phase::kOutside;
    Hold* around = nullptr;  // that of the thread before this one
  };

  StateLock();
  ~StateLock();
  StateLock(const StateLock&) = delete;
  StateLock& operator=(const StateLock&) = delete;

  // Whoever takes several locks takes them in this order.
  std::int64_t number() const noexcept { return number_; }

  // All that wait call `poll` every 50 ms meanwhile. It may throw, which undoes what was waited
  // for: after `enter` nothing is held, after the others the run goes on to `leave`.
  void enter(Hold& hold, const Poll& poll);
  // Whether a second thread waits for a run that is alone, which then calls `share`.
  bool is_wanted() const noexcept { return shared_.load(std::memory_order_relaxed); }
  void share(Hold& hold);
  void begin_read(Hold& hold, const Poll& poll);
  void begin_commit(Hold& hold, const Poll& poll);
  // Ends what the last one began, if it did.
  void end_step(Hold& hold);
  void leave(Hold& hold);

  // Whether a run of the calling thread keeps others from writing.
  bool is_held_here() const noexcept { return held_here() != nullptr; }

  // In a child process, where the thread that forked is alone: what others held is free.
  void reset_in_child();

 private:
  struct State;

  const Hold* held_here() const noexcept;
  void wait_for_turn(std::unique_lock<std::mutex>& lock, Hold& hold, const Poll& poll);
  void admit_readers();

  std::int64_t number_ = 0;
  std::atomic<bool> shared_{false};  // two runs have overlapped
  std::unique_ptr<State> state_;
};

// A run's part in several locks.
class StateAccess {
 public:
  // `locks` in the order of their numbers.
  StateAccess(const std::vector<std::shared_ptr<StateLock>>& locks, bool writes);

  // std::runtime_error where it writes and a run of this thread holds one of the locks, unless that
  // may be.
  void enter(const StateLock::Poll& poll, bool may_nest = false);
  // Before each step; returns whether the thread is not alone. `publish` is called before others
  // can see what this run has written.
  template <class Publish>
  bool begin_step(const StateLock::Poll& poll, Publish&& publish) {
    bool locked = false;
    for (StateLock::Hold& hold : holds_) {
      if (hold.phase == StateLock::Hold::Phase::kNested) continue;
      if (hold.phase == StateLock::Hold::Phase::kAlone) {
        if (!hold.lock->is_wanted()) continue;
        publish();
        hold.lock->share(hold);
      }
      locked = true;
      if (!writes_) hold.lock->begin_read(hold, poll);
    }
    return locked;
  }
  // Before a writer's step changes anything.
  void begin_commit(const StateLock::Poll& poll);
  void end_step();
  void leave();
  bool writes() const noexcept { return writes_; }

 private:
  std::vector<StateLock::Hold> holds_;
  bool writes_ = false;
};

}  // namespace dlnative
