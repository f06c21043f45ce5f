#include "program/arena.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace dlnative {

namespace {

constexpr std::chrono::milliseconds kPollInterval(50);

}  // namespace

void Turns::acquire(const std::function<void()>& poll) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!held_) {
    held_ = true;
    holder_ = std::this_thread::get_id();
    return;
  }
  if (holder_ == std::this_thread::get_id())
    throw std::runtime_error("a program of this model is running in this thread already");
  Waiting waiting;
  line_.push_back(&waiting);
  while (!waiting.called) {
    if (waiting.ready.wait_for(lock, kPollInterval) == std::cv_status::no_timeout || !poll)
      continue;
    lock.unlock();
    try {
      poll();
    } catch (...) {
      lock.lock();
      if (waiting.called) {
        lock.unlock();
        release();
      } else {
        line_.erase(std::find(line_.begin(), line_.end(), &waiting));
      }
      throw;
    }
    lock.lock();
  }
  holder_ = std::this_thread::get_id();
}

void Turns::release() {
  const std::lock_guard<std::mutex> lock(mutex_);
  holder_ = std::thread::id();
  if (line_.empty()) {
    held_ = false;
    return;
  }
  Waiting* const next = line_.front();
  line_.pop_front();
  next->called = true;
  next->ready.notify_one();
}

std::shared_ptr<AlignedBuffer> Arena::reserve(std::size_t bytes) {
  if (!block_ || block_->bytes() < bytes)
    block_ = std::make_shared<AlignedBuffer>(AlignedBuffer::zeroed(bytes));
  return block_;
}

void Arena::reset_turns() {
  // What the parent's threads held of the old one is never released, so it is not destroyed.
  static_cast<void>(turns_.release());
  turns_ = std::make_unique<Turns>();
}

}  // namespace dlnative
