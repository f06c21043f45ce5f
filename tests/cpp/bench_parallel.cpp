// Times what a parallel region of two tasks costs. Not a test: prints a table for a person.
//
//   empty        two tasks that do nothing; a thread may do both
//   rendezvous   each task waits for the other, so both threads must take part: fork + join
//   1 us, 10 us  two tasks that spin for so long; serial they would take twice that
// "hot" calls follow each other at once; "idle" calls come after 1 ms of sleep.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "core/parallel.h"

namespace {

using Clock = std::chrono::steady_clock;

double ns_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// Runs the region `calls` times; prints best, median and 95th percentile of the time of one call.
// Hot calls are timed in groups of 16, as reading the clock costs about as much as a region.
template <class Region>
void report(const char* name, Region region, bool idle, int calls) {
  const int group = idle ? 1 : 16;
  std::vector<double> times;
  for (int call = 0; call < 2000 && !idle; ++call) region();
  for (int call = 0; call < calls; ++call) {
    if (idle) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < group; ++i) region();
    times.push_back(ns_since(start) / group);
  }
  std::sort(times.begin(), times.end());
  const std::size_t n = times.size();
  std::printf("%-12s %-5s %9.0f %9.0f %9.0f\n", name, idle ? "idle" : "hot", times[0], times[n / 2],
              times[n * 95 / 100]);
}

void spin_for(double ns) {
  const Clock::time_point start = Clock::now();
  while (ns_since(start) < ns) {
  }
}

}  // namespace

int main() {
  dlnative::set_num_threads(2);
  std::atomic<int> arrived{0};
  const auto empty = [] { dlnative::parallel_for(2, 2, [](std::int64_t, int) {}); };
  const auto rendezvous = [&arrived] {
    arrived.store(0, std::memory_order_relaxed);
    dlnative::parallel_for(2, 2, [&arrived](std::int64_t, int) {
      arrived.fetch_add(1, std::memory_order_relaxed);
      while (arrived.load(std::memory_order_relaxed) < 2) {
      }
    });
  };
  const auto short_tasks = [] {
    dlnative::parallel_for(2, 2, [](std::int64_t, int) { spin_for(1000); });
  };
  const auto long_tasks = [] {
    dlnative::parallel_for(2, 2, [](std::int64_t, int) { spin_for(10000); });
  };
  std::printf("%-12s %-5s %9s %9s %9s  (ns per region)\n", "region", "", "best", "median", "95 %");
  for (const bool idle : {false, true}) {
    const int calls = idle ? 300 : 5000;
    report("empty", empty, idle, calls);
    report("rendezvous", rendezvous, idle, calls);
    report("1 us", short_tasks, idle, calls / 5);
    report("10 us", long_tasks, idle, calls / 10);
  }
  return 0;
}
