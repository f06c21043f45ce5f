// Keeps workers off the core of their caller.
//
// Linux may put a worker on the core of the thread that wakes it and leave both there for
// milliseconds while another core is idle (docs/performance.md, "The thread pool"). Nothing depends
// on the system's consent, and on other systems nothing is done.
#pragma once

#include <cstddef>
#include <thread>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace dlnative {

#if defined(__linux__)

class CallersCore {
 public:
  // To be called by the thread that calls regions: is it on another core than at the last time?
  bool has_changed() noexcept {
    const int cpu = sched_getcpu();
    if (cpu == cpu_) return false;
    cpu_ = cpu;
    others_exist_ = cpu >= 0 && cpu < CPU_SETSIZE &&
                    pthread_getaffinity_np(pthread_self(), sizeof others_, &others_) == 0;
    if (!others_exist_) return true;
    CPU_CLR(static_cast<std::size_t>(cpu), &others_);
    others_exist_ = CPU_COUNT(&others_) > 0;
    return true;
  }

  void keep_off(std::thread& worker) const noexcept {
    if (others_exist_) pthread_setaffinity_np(worker.native_handle(), sizeof others_, &others_);
  }

 private:
  int cpu_ = -1;
  bool others_exist_ = false;
  cpu_set_t others_{};  // those the caller may use, without its own
};

#else

class CallersCore {
 public:
  bool has_changed() noexcept { return false; }
  void keep_off(std::thread&) const noexcept {}
};

#endif

}  // namespace dlnative
