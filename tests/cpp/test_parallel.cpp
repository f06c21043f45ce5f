// Parallel regions (core/parallel.h) inside of one process. With the argument "long" also 2^24
// regions, the count at which the pool's region numbers begin again.
#include <algorithm>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#endif

#include "core/fp_mode.h"
#include "core/interrupt.h"
#include "core/parallel.h"
#include "region_helpers.h"

namespace {

using dlnative::parallel_for;
using dlnative::set_num_threads;
using test::check;
using test::check_equal;
using test::check_region;
using test::meet;

void test_every_task_once() {
  set_num_threads(16);
  for (const std::int64_t tasks : {0, 1, 2, 3, 4, 5, 7, 16, 17, 64, 1000, 4097}) {
    for (const int threads : {-1, 0, 1, 2, 3, 4, 7, 16}) check_region(tasks, threads);
  }
}

// More threads wanted than set: the setting wins.
void test_setting_is_the_limit() {
  set_num_threads(2);
  std::atomic<int> highest{0};
  parallel_for(1000, 8, [&highest](std::int64_t, int thread) {
    if (thread > highest.load()) highest.store(thread);
  });
  check(highest.load() <= 1, "threads beyond num_threads()");
  set_num_threads(1);
  parallel_for(1000, 8, [&highest](std::int64_t, int thread) { highest.store(thread); });
  check_equal(highest.load(), 0, "thread number with one thread");
  check_equal(dlnative::num_threads(), 1, "num_threads()");
}

void test_one_thread_runs_in_order_on_the_caller() {
  set_num_threads(4);
  std::vector<std::int64_t> order;  // unguarded: one thread only
  const std::thread::id caller = std::this_thread::get_id();
  bool elsewhere = false;
  parallel_for(5, 1, [&](std::int64_t task, int thread) {
    order.push_back(task);
    elsewhere |= thread != 0 || std::this_thread::get_id() != caller;
  });
  check(order == std::vector<std::int64_t>({0, 1, 2, 3, 4}), "one thread: order of tasks");
  check(!elsewhere, "one thread: ran somewhere else");
}

// Tasks really run at the same time, after a pause too: a lost wake-up of a parked worker would let
// the caller wait for the others in vain.
void test_workers_take_part() {
  for (const int threads : {2, 3, 6, 9}) {
    set_num_threads(threads);
    check(meet(threads), "tasks did not meet");
    for (int i = 0; i < 20; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(50 * i));
      check(meet(threads), "tasks did not meet after a pause");
    }
  }
}

// Writes of tasks are visible to the caller, and the caller's writes to the next region's tasks.
void test_results_are_visible() {
  set_num_threads(3);
  std::vector<std::int64_t> values(300, 0);
  for (int round = 0; round < 500; ++round) {
    parallel_for(10, 3, [&values](std::int64_t task, int) {
      const std::size_t first = static_cast<std::size_t>(task) * 30;
      for (std::size_t i = first; i < first + 30; ++i) ++values[i];
    });
    std::rotate(values.begin(), values.begin() + 1, values.end());
    ++values[0];
  }
  std::int64_t sum = 0;
  for (const std::int64_t value : values) sum += value;
  check_equal(sum, std::int64_t{500} * 301, "sum over regions");
}

void test_nested_regions_are_serial() {
  set_num_threads(4);
  std::atomic<int> inner_tasks{0};
  std::atomic<int> wrong{0};
  parallel_for(8, 4, [&](std::int64_t, int) {
    const std::thread::id here = std::this_thread::get_id();
    parallel_for(5, 4, [&](std::int64_t, int thread) {
      inner_tasks.fetch_add(1);
      if (thread != 0 || std::this_thread::get_id() != here) wrong.fetch_add(1);
      parallel_for(2, 2, [&](std::int64_t, int innermost) { wrong.fetch_add(innermost != 0); });
    });
  });
  check_equal(inner_tasks.load(), 40, "inner tasks");
  check_equal(wrong.load(), 0, "inner tasks that left their thread");
  check_region(100, 4);
}

void test_concurrent_callers() {
  set_num_threads(3);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([caller] {
      for (int i = 0; i < 300; ++i) check_region((i * 7 + caller) % 40, 1 + (i + caller) % 4);
    });
  }
  for (std::thread& caller : callers) caller.join();
  check(meet(3), "pool unusable after concurrent callers");
}

#if defined(__linux__) && !defined(DLNATIVE_OPENMP)
int threads_of_process() {
  int count = 0;
  DIR* folder = opendir("/proc/self/task");
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

void test_pool_grows_and_shrinks() {
  set_num_threads(2);
  check_region(100, 2);
  const int with_one_worker = threads_of_process();
  set_num_threads(7);
  check_region(100, 7);
  check_equal(threads_of_process(), with_one_worker + 5, "threads of the process, grown");
  set_num_threads(3);
  check_region(100, 3);
  check_equal(threads_of_process(), with_one_worker + 1, "threads of the process, shrunk");
}
#endif

void test_setting_changes() {
  for (int round = 0; round < 3; ++round) {
    for (const int threads : {1, 2, 5, 3, 8, 1, 4}) {
      set_num_threads(threads);
      check_region(50, threads);
      if (threads > 1) check(meet(threads), "tasks did not meet after a change");
    }
  }
  // From another thread and from tasks, while regions run.
  std::atomic<bool> stop{false};
  std::thread setter([&stop] {
    for (int n = 1; !stop.load(); n = n % 6 + 1) {
      set_num_threads(n);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  for (int i = 0; i < 500; ++i) check_region(i % 30, 6);
  stop.store(true);
  setter.join();
  set_num_threads(2);
  parallel_for(4, 2, [](std::int64_t task, int) { set_num_threads(static_cast<int>(task) + 2); });
  check_region(100, 5);
  const std::string range = "num_threads must be an integer from 1 to 1024, got ";
  for (const int bad : {0, -3, 1025}) {
    test::check_throws<std::invalid_argument>([bad] { set_num_threads(bad); },
                                              range + std::to_string(bad));
  }
}

void test_many_tiny_regions(std::int64_t regions) {
  set_num_threads(2);
  std::int64_t sums[2] = {0, 0};
  for (std::int64_t i = 0; i < regions; ++i) {
    parallel_for(2, 2, [&sums, i](std::int64_t task, int) { sums[task] += i + task; });
  }
  check_equal(sums[0], regions * (regions - 1) / 2, "tiny regions, task 0");
  check_equal(sums[1], regions * (regions + 1) / 2, "tiny regions, task 1");
}

// The bits of half of the smallest normal float: all zero if denormal results are flushed. Not a
// float, as a thread that flushes also takes a denormal for zero when it compares.
std::uint32_t denormal_bits() {
  volatile float smallest = 1.17549435e-38f;
  volatile float half = 0.5f;
  const float product = smallest * half;
  std::uint32_t bits;
  std::memcpy(&bits, &product, sizeof bits);
  return bits;
}

float third() {
  volatile float one = 1.0f;
  volatile float three = 3.0f;
  return one / three;
}

void test_floating_point_mode_follows_the_caller() {
  set_num_threads(3);
  std::vector<std::uint32_t> tiny(3);
  std::vector<float> thirds(3);
  const auto look = [&](int thread) {
    tiny[static_cast<std::size_t>(thread)] = denormal_bits();
    thirds[static_cast<std::size_t>(thread)] = third();
  };
  const float nearest = third();
  for (int round = 0; round < 3; ++round) {
    check(meet(3, look), "tasks did not meet");
    for (const std::uint32_t bits : tiny) check(bits != 0, "flushed without a guard");
    {
      const dlnative::FlushDenormals flush;
      check(meet(3, look), "tasks did not meet");
      for (const std::uint32_t bits : tiny) {
        check(dlnative::kFlushBits == 0 || bits == 0, "not flushed under a guard");
      }
      parallel_for(3, 3, [](std::int64_t, int) { const dlnative::FpModeGuard guard(0); });
      check(dlnative::kFlushBits == 0 || dlnative::flushes_denormals(),
            "a region changed the mode");
    }
    std::fesetround(FE_DOWNWARD);
    check(meet(3, look), "tasks did not meet");
    std::fesetround(FE_TONEAREST);
    for (const float value : thirds) check(value < nearest, "rounding not mirrored");
  }
  check(meet(3, look), "tasks did not meet");
  for (const float value : thirds) check(value == nearest, "rounding not restored");
}

#if !defined(_WIN32) && !defined(DLNATIVE_OPENMP)
// A signal that every other thread blocks stays pending: workers do not take it.
void test_workers_block_signals() {
  set_num_threads(4);
  check(meet(4), "tasks did not meet");
  sigset_t set, previous;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, &previous);
  signal(SIGUSR1, SIG_DFL);  // would end the process
  kill(getpid(), SIGUSR1);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  check_region(100, 4);
  signal(SIGUSR1, SIG_IGN);  // discards it
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}
#endif

#if defined(__linux__) && !defined(DLNATIVE_OPENMP)
// A parked worker is woken on another core than the caller's, wherever the caller has moved.
void test_workers_avoid_the_callers_core() {
  cpu_set_t all;
  check(sched_getaffinity(0, sizeof all, &all) == 0, "affinity of the caller");
  if (CPU_COUNT(&all) < 2) return;
  set_num_threads(2);
  check(meet(2), "tasks did not meet");
  for (int cpu = 0, tried = 0; cpu < CPU_SETSIZE && tried < 4; ++cpu) {
    if (!CPU_ISSET(static_cast<std::size_t>(cpu), &all)) continue;
    ++tried;
    bool avoided = false;
    for (int attempt = 0; attempt < 100 && !avoided; ++attempt) {  // the caller may be moved away
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(static_cast<std::size_t>(cpu), &one);
      sched_setaffinity(0, sizeof one, &one);
      sched_setaffinity(0, sizeof all, &all);
      cpu_set_t workers = all;
      check(meet(2,
                 [&](int thread) {
                   if (thread == 1) sched_getaffinity(0, sizeof workers, &workers);
                 }),
            "tasks did not meet");
      avoided = !CPU_ISSET(static_cast<std::size_t>(cpu), &workers) &&
                CPU_COUNT(&workers) == CPU_COUNT(&all) - 1;
    }
    check(avoided, "the worker may run on its caller's core");
  }
}
#endif

// Tasks of some 0.1 ms that ask nothing themselves, of which all would take minutes.
std::int64_t tasks_begun(int threads) {
  constexpr std::int64_t kTasks = 1 << 20;
  std::atomic<std::int64_t> begun{0};
  parallel_for(kTasks, threads, [&begun](std::int64_t, int) {
    ++begun;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  });
  return begun.load();
}

void test_interrupted_regions() {
  static std::atomic<bool> stop{false};
  static std::atomic<int> polls{0};
  static std::thread::id owner;
  static std::atomic<bool> elsewhere{false};
  owner = std::this_thread::get_id();
  const auto poll = [] {
    ++polls;
    if (std::this_thread::get_id() != owner) elsewhere = true;
    return stop.load() && polls.load() > 1;
  };
  for (const int threads : {1, 4}) {
    set_num_threads(threads);
    polls = 0;
    stop = true;
    dlnative::Interruptible scope(poll);
    const std::int64_t begun = tasks_begun(threads);
    check(begun > threads && begun < (1 << 15), "an interrupted region leaves tasks out");
    check(dlnative::interrupted(), "interrupted() in the scope");
    {
      const dlnative::Interruptible none(nullptr);
      check(!dlnative::interrupted(), "interrupted() in an inner scope without a poll");
      check_region(1000, threads);
    }
    std::atomic<int> others{0};  // of another thread, with no scope
    std::thread([&others] {
      parallel_for(100, 4, [&others](std::int64_t, int) { ++others; });
    }).join();
    check_equal(others.load(), 100, "tasks of another thread");
  }
  check(!elsewhere.load(), "only the owner of a scope polls");
  check(!dlnative::interrupted(), "interrupted() behind the scope");
  set_num_threads(4);
  check_region(1000, 4);
}

}  // namespace

int main(int argc, char** argv) {
#if !defined(_WIN32)
  alarm(300);  // a region that never ends must not stop the test run
#endif
  test_every_task_once();
  test_setting_is_the_limit();
  test_one_thread_runs_in_order_on_the_caller();
  test_workers_take_part();
  test_results_are_visible();
  test_nested_regions_are_serial();
  test_concurrent_callers();
  test_setting_changes();
  test_interrupted_regions();
#if defined(__linux__) && !defined(DLNATIVE_OPENMP)
  test_pool_grows_and_shrinks();
  test_workers_avoid_the_callers_core();
#endif
  test_many_tiny_regions(300000);
  test_floating_point_mode_follows_the_caller();
#if !defined(_WIN32) && !defined(DLNATIVE_OPENMP)
  test_workers_block_signals();
#endif
  if (argc > 1 && std::strcmp(argv[1], "long") == 0) test_many_tiny_regions((1 << 24) + 100000);
  return test::finish("test_parallel");
}
