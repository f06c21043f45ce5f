#include "core/state_lock.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace dlnative {

namespace {

constexpr std::chrono::milliseconds kPollInterval(50);

std::atomic<std::int64_t> created{0};

thread_local StateLock::Hold* innermost = nullptr;

// Whether the run keeps others from writing.
bool is_secure(const StateLock::Hold& hold) noexcept {
  using Phase = StateLock::Hold::Phase;
  return hold.phase == Phase::kAlone || hold.phase == Phase::kReading ||
         hold.phase == Phase::kCommitting || (hold.writes && hold.phase == Phase::kEntered);
}

}  // namespace

struct StateLock::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<const Hold*> line;  // writers that wait for their turn
  bool writing = false;          // a writer has it
  bool alone = false;            // a run has everything, between its steps, too
  bool committing = false;
  bool commit_waits = false;
  std::int64_t readers = 0;
  std::int64_t waiting = 0;    // readers that the next admission lets in
  std::int64_t admission = 0;  // counts them

  template <class Ready>
  void wait(std::unique_lock<std::mutex>& lock, const Poll& poll, Ready&& ready) {
    while (!ready()) {
      if (changed.wait_for(lock, kPollInterval) == std::cv_status::no_timeout || !poll) continue;
      lock.unlock();
      try {
        poll();
      } catch (...) {
        lock.lock();
        throw;
      }
      lock.lock();
    }
  }
};

StateLock::StateLock() : number_(created.fetch_add(1)), state_(std::make_unique<State>()) {}
StateLock::~StateLock() = default;

void StateLock::wait_for_turn(std::unique_lock<std::mutex>& lock, Hold& hold, const Poll& poll) {
  State& s = *state_;
  if (s.writing || !s.line.empty()) {
    s.line.push_back(&hold);
    try {
      s.wait(lock, poll, [&] { return !s.writing && s.line.front() == &hold; });
    } catch (...) {
      s.line.erase(std::find(s.line.begin(), s.line.end(), &hold));
      s.changed.notify_all();
      throw;
    }
    s.line.pop_front();
  }
  s.writing = true;
}

void StateLock::enter(Hold& hold, const Poll& poll) {
  if (const Hold* around = held_here()) {
    // It cannot wait for the other readers: two threads in its place would wait for each other.
    if (hold.writes && around->phase == Hold::Phase::kReading)
      throw std::runtime_error(
          "variables are assigned within a run that reads them beside other threads");
    hold.phase = Hold::Phase::kNested;
    return;
  }
  State& s = *state_;
  std::unique_lock<std::mutex> lock(s.mutex);
  if (hold.writes) wait_for_turn(lock, hold, poll);
  if (!is_wanted() && !s.alone) {
    s.alone = true;
    hold.phase = Hold::Phase::kAlone;
  } else {
    shared_.store(true, std::memory_order_relaxed);
    try {
      s.wait(lock, poll, [&] { return !s.alone; });
    } catch (...) {
      if (hold.writes) {
        s.writing = false;
        s.changed.notify_all();
      }
      throw;
    }
    hold.phase = Hold::Phase::kEntered;
  }
  hold.around = innermost;
  innermost = &hold;
}

void StateLock::share(Hold& hold) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->alone = false;
  hold.phase = Hold::Phase::kEntered;
  state_->changed.notify_all();
}

void StateLock::begin_read(Hold& hold, const Poll& poll) {
  State& s = *state_;
  std::unique_lock<std::mutex> lock(s.mutex);
  if (!s.committing && !s.commit_waits) {
    ++s.readers;
  } else {
    ++s.waiting;
    const std::int64_t seen = s.admission;
    try {
      s.wait(lock, poll, [&] { return s.admission != seen; });
    } catch (...) {
      --(s.admission != seen ? s.readers : s.waiting);
      s.changed.notify_all();
      throw;
    }
  }
  hold.phase = Hold::Phase::kReading;
}

void StateLock::admit_readers() {
  State& s = *state_;
  s.readers += s.waiting;
  s.waiting = 0;
  ++s.admission;
  s.changed.notify_all();
}

void StateLock::begin_commit(Hold& hold, const Poll& poll) {
  State& s = *state_;
  std::unique_lock<std::mutex> lock(s.mutex);
  if (s.readers > 0) {
    s.commit_waits = true;
    try {
      s.wait(lock, poll, [&] { return s.readers == 0; });
    } catch (...) {
      s.commit_waits = false;
      admit_readers();
      throw;
    }
    s.commit_waits = false;
  }
  s.committing = true;
  hold.phase = Hold::Phase::kCommitting;
}

void StateLock::end_step(Hold& hold) {
  if (hold.phase != Hold::Phase::kReading && hold.phase != Hold::Phase::kCommitting) return;
  State& s = *state_;
  const std::lock_guard<std::mutex> lock(s.mutex);
  if (hold.phase == Hold::Phase::kReading) {
    if (--s.readers == 0 && s.commit_waits) s.changed.notify_all();
  } else {
    s.committing = false;
    if (s.waiting > 0) admit_readers();
  }
  hold.phase = Hold::Phase::kEntered;
}

void StateLock::leave(Hold& hold) {
  if (hold.phase == Hold::Phase::kOutside) return;
  end_step(hold);
  if (hold.phase != Hold::Phase::kNested) {
    innermost = hold.around;
    State& s = *state_;
    const std::lock_guard<std::mutex> lock(s.mutex);
    if (hold.phase == Hold::Phase::kAlone) s.alone = false;
    if (hold.writes) s.writing = false;
    if (is_wanted() || !s.line.empty()) s.changed.notify_all();
  }
  hold.phase = Hold::Phase::kOutside;
}

const StateLock::Hold* StateLock::held_here() const noexcept {
  for (const Hold* hold = innermost; hold != nullptr; hold = hold->around)
    if (hold->lock == this && is_secure(*hold)) return hold;
  return nullptr;
}

void StateLock::reset_in_child() {
  // What the parent's threads hold of the old one is never released, so it is not destroyed.
  static_cast<void>(state_.release());
  state_ = std::make_unique<State>();
  for (const Hold* hold = innermost; hold != nullptr; hold = hold->around) {
    if (hold->lock != this) continue;
    state_->writing = state_->writing || hold->writes;
    state_->alone = state_->alone || hold->phase == Hold::Phase::kAlone;
    state_->committing = state_->committing || hold->phase == Hold::Phase::kCommitting;
    if (hold->phase == Hold::Phase::kReading) ++state_->readers;
  }
}

StateAccess::StateAccess(const std::vector<std::shared_ptr<StateLock>>& locks, bool writes)
    : writes_(writes) {
  for (const auto& lock : locks) {
    holds_.emplace_back();
    holds_.back().lock = lock.get();
    holds_.back().writes = writes;
  }
}

void StateAccess::enter(const StateLock::Poll& poll, bool may_nest) {
  try {
    for (StateLock::Hold& hold : holds_) {
      if (writes_ && !may_nest && hold.lock->is_held_here())
        throw std::runtime_error("a program of this model is running in this thread already");
      hold.lock->enter(hold, poll);
    }
  } catch (...) {
    leave();
    throw;
  }
}

void StateAccess::begin_commit(const StateLock::Poll& poll) {
  for (StateLock::Hold& hold : holds_) {
    if (hold.phase == StateLock::Hold::Phase::kEntered) hold.lock->begin_commit(hold, poll);
  }
}

void StateAccess::end_step() {
  for (StateLock::Hold& hold : holds_) hold.lock->end_step(hold);
}

void StateAccess::leave() {
  for (auto hold = holds_.rbegin(); hold != holds_.rend(); ++hold) hold->lock->leave(*hold);
}

}  // namespace dlnative
