// What the tests of parallel regions share.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "core/parallel.h"

namespace test {

// Runs a region and checks that each task ran exactly once, on a thread of the allowed number, and
// that no two tasks ran at the same time with the same thread number.
inline void check_region(std::int64_t tasks, int threads, int line = __builtin_LINE()) {
  const int allowed = threads < 1 ? 1 : threads;
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
  std::vector<std::atomic<int>> inside(static_cast<std::size_t>(allowed));
  std::atomic<int> bad_threads{0};
  std::atomic<int> overlaps{0};
  dlnative::parallel_for(tasks, threads, [&](std::int64_t task, int thread) {
    if (thread < 0 || thread >= allowed) {
      bad_threads.fetch_add(1);
      return;
    }
    std::atomic<int>& here = inside[static_cast<std::size_t>(thread)];
    if (here.fetch_add(1) != 0) overlaps.fetch_add(1);
    runs[static_cast<std::size_t>(task)].fetch_add(1);
    here.fetch_sub(1);
  });
  int wrong = 0;
  for (const std::atomic<int>& count : runs) wrong += count.load() != 1;
  const std::string region = std::to_string(tasks) + " tasks on " + std::to_string(threads);
  check_equal(wrong, 0, region + ": tasks that did not run exactly once", line);
  check_equal(bad_threads.load(), 0, region + ": thread numbers out of range", line);
  check_equal(overlaps.load(), 0, region + ": tasks at once with one thread number", line);
}

// A region of `threads` tasks that wait for each other (10 s at most), so that each runs on another
// thread; calls f(thread) on each. Returns whether all of them met.
template <class F>
bool meet(int threads, F f) {
  std::atomic<int> arrived{0};
  std::atomic<int> met{0};
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  dlnative::parallel_for(threads, threads, [&](std::int64_t, int thread) {
    arrived.fetch_add(1);
    while (arrived.load() < threads && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
    if (arrived.load() == threads) met.fetch_add(1);
    f(thread);
  });
  return met.load() == threads;
}

inline bool meet(int threads) {
  return meet(threads, [](int) {});
}

}  // namespace test
