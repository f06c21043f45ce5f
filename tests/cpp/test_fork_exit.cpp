// Parallel regions and the life of the process: fork(), exit() and dlclose().
// Usage: test_fork_exit [region_module.so]; without the module dlclose is not tested.
// ThreadSanitizer cannot follow threads that a child of fork() starts: under it only dlclose is.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/aligned.h"
#include "core/parallel.h"
#include "region_helpers.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define DLNATIVE_TEST_TSAN
#endif
#endif

namespace {

#if defined(__SANITIZE_THREAD__) || defined(DLNATIVE_TEST_TSAN)
constexpr bool kMayFork = false;
#else
constexpr bool kMayFork = true;
#endif

using dlnative::parallel_for;
using dlnative::set_num_threads;
using test::check;
using test::check_equal;
using test::check_region;
using test::meet;

// Forks, runs f in the child, and returns the child's exit code, or -1 if a signal ended it.
template <class F>
int in_child(F f) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    test::failures.store(0);
    f();
    std::_Exit(test::failures.load() == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void use_pool() {
  for (int i = 0; i < 50; ++i) check_region(i, 4);
#if !defined(DLNATIVE_OPENMP)  // after fork OpenMP runs serially
  check(meet(4), "a child's tasks did not meet");
#endif
}

void test_fork_while_idle() {
  set_num_threads(4);
  check_equal(in_child(use_pool), 0, "fork before the first region");
  use_pool();
  char* scratch = static_cast<char*>(dlnative::workspace_of_thread(1000));
  scratch[0] = 1;
  const auto child = [] {
    use_pool();
    static_cast<char*>(dlnative::workspace_of_thread(1 << 20))[(1 << 20) - 1] = 1;
    check_equal(in_child(use_pool), 0, "a child's child");
    set_num_threads(2);
    check_region(100, 2);
  };
  check_equal(in_child(child), 0, "fork after regions");
  use_pool();
}

// The situation of a Python program that trains in one thread and starts processes in another.
void test_fork_while_another_thread_has_a_region() {
  set_num_threads(4);
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> regions{0};
  std::thread trainer([&] {
    while (!stop.load()) {
      parallel_for(8, 4, [](std::int64_t, int) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
        while (std::chrono::steady_clock::now() < end) {
        }
      });
      regions.fetch_add(1);
    }
  });
  for (int i = 0; i < 15; ++i) {
    check_equal(in_child(use_pool), 0, "fork during a region");
    const std::int64_t seen = regions.load();
    while (regions.load() == seen) std::this_thread::yield();  // the parent's pool goes on
  }
  stop.store(true);
  trainer.join();
  use_pool();
}

bool region_in_last_handler = false;

// Runs before static initialisers, so the handler runs after the destructors of static objects.
__attribute__((constructor(101))) void register_last_handler() {
  std::atexit([] {
    if (region_in_last_handler) check_region(100, 4);
    if (region_in_last_handler && test::failures.load() != 0) std::_Exit(1);
  });
}

void test_exit() {
  // Idle workers, spinning and parked.
  for (const int wait_us : {0, 2000}) {
    check_equal(in_child([wait_us] {
                  use_pool();
                  std::this_thread::sleep_for(std::chrono::microseconds(wait_us));
                  std::exit(7);
                }),
                7, "exit with idle workers");
  }
  // exit while another thread runs one region after the other, or one that outlives the process.
  for (const int task_ms : {0, 5000}) {
    check_equal(in_child([task_ms] {
                  std::atomic<bool> started{false};
                  std::thread([&started, task_ms] {
                    for (;;) {
                      parallel_for(4, 4, [&started, task_ms](std::int64_t, int) {
                        started.store(true);
                        std::this_thread::sleep_for(std::chrono::milliseconds(task_ms));
                      });
                    }
                  }).detach();
                  while (!started.load()) std::this_thread::yield();
                  std::exit(9);
                }),
                9, "exit during a region");
  }
  // Regions in exit handlers, before and after the pool has shut down.
  check_equal(in_child([] {
                region_in_last_handler = true;
                std::atexit([] { check_region(100, 4); });
                use_pool();
                std::exit(test::failures.load() == 0 ? 5 : 1);
              }),
              5, "exit handlers with regions");
}

void test_unload(const char* module) {
  for (int round = 0; round < 5; ++round) {
    void* library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
    check(library != nullptr, std::string("cannot load ") + module);
    if (library == nullptr) return;
    using Run = int (*)(int threads);
    const auto run = reinterpret_cast<Run>(dlsym(library, "run_regions"));
    check_equal(run(4), 0, "regions in a module");
    if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    check_equal(dlclose(library), 0, "dlclose");
    if (kMayFork) check_equal(in_child([] {}), 0, "fork after dlclose");
  }
}

}  // namespace

int main(int argc, char** argv) {
  alarm(300);
  if (kMayFork) {
    test_fork_while_idle();
    test_fork_while_another_thread_has_a_region();
    test_exit();
  }
  if (argc > 1) test_unload(argv[1]);
  return test::finish("test_fork_exit");
}
