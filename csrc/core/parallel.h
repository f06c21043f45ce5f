// Parallel regions: run independent tasks on several threads and wait for all of them.
//
// The number of tasks comes from the size of the problem, never from the number of threads, and a
// task's result may depend on its own number only; then the bits of the result are the same for any
// number of threads. `thread` tells a task which private scratch to use, nothing else.
//
// Two implementations, chosen by the build: a persistent pool (parallel_pool.cpp, the default) and
// OpenMP (parallel_openmp.cpp, with DLNATIVE_OPENMP defined).
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "core/interrupt.h"
#include "core/thread_count.h"

namespace dlnative {

// Must not throw.
using TaskFunction = void (*)(void* context, std::int64_t task, int thread);

// Calls f(context, task, thread) exactly once for each task in [0, tasks) and returns when all are
// done; everything the tasks wrote is then visible to the caller. Where interrupted() becomes true,
// the tasks that nobody has begun are left out. Uses at most min(threads, tasks,
// num_threads()) threads: the caller (thread 0) and workers (threads 1, 2, ...). No two tasks of
// one call run at the same time with the same `thread`. The tasks are dealt out in contiguous
// ranges, the first to thread 0 and so on, so a thread meets the same data again from region to
// region; a thread that is done early takes tasks from the others.
//
// Runs all tasks on the caller, as thread 0, if threads <= 1 or tasks <= 1; inside of a task; while
// another thread's region is running; and where no worker thread can be started.
//
// Workers run in the caller's floating-point mode (core/fp_mode.h). A child of fork() starts with
// workers of its own (pool) or runs serially once the parent had a region (OpenMP); fork() must not
// be called from a task.
//
// Cost: about 0.2 us while the workers are awake, some microseconds to wake them
// (parallel_pool.cpp). Never throws.
void run_tasks(std::int64_t tasks, int threads, TaskFunction f, void* context) noexcept;

// run_tasks for any callable f(std::int64_t task, int thread). With one thread or one task it is a
// plain loop that the compiler can inline: no atomic operation, no call into the pool.
template <class F>
void parallel_for(std::int64_t tasks, int threads, F&& f) {
  if (threads <= 1 || tasks <= 1) {
    for (std::int64_t task = 0; task < tasks; ++task) {
      if (task > 0 && interrupted()) return;
      f(task, 0);
    }
    return;
  }
  using Callable = std::remove_reference_t<F>;
  const void* context = std::addressof(f);
  run_tasks(
      tasks, threads,
      [](void* callable, std::int64_t task, int thread) {
        (*static_cast<Callable*>(callable))(task, thread);
      },
      const_cast<void*>(context));
}

}  // namespace dlnative
