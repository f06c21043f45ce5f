// What the programs of one model share: memory for their tensors, and the turn to use it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "core/aligned.h"

namespace dlnative {

// One thread after the other, in the order in which they came: a thread that runs a program again
// and again cannot keep others waiting for longer than one run.
class Turns {
 public:
  // Waits until it is the calling thread's turn. `poll` is called every 50 ms meanwhile and may
  // throw, which gives the place in the line up. std::runtime_error where the thread has the turn
  // already: it would wait for itself.
  void acquire(const std::function<void()>& poll);
  void release();

 private:
  struct Waiting {
    std::condition_variable ready;
    bool called = false;
  };

  std::mutex mutex_;
  std::deque<Waiting*> line_;
  std::thread::id holder_;
  bool held_ = false;
};

// The turn for the length of a scope.
class Turn {
 public:
  Turn(Turns& turns, const std::function<void()>& poll) : turns_(turns) { turns_.acquire(poll); }
  ~Turn() { turns_.release(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Turns& turns_;
};

class Arena {
 public:
  Arena() : turns_(std::make_unique<Turns>()) {}

  // A block of at least `bytes` bytes: the last one where it is large enough, else a new one that
  // takes its place. A block lives for as long as somebody holds it.
  std::shared_ptr<AlignedBuffer> reserve(std::size_t bytes);
  std::size_t bytes() const { return block_ ? block_->bytes() : 0; }

  Turns& turns() { return *turns_; }
  // In a child process, where the threads in line and the one whose turn it was do not exist.
  void reset_turns();

 private:
  std::shared_ptr<AlignedBuffer> block_;
  std::unique_ptr<Turns> turns_;
};

}  // namespace dlnative
