// parallel.h on OpenMP, for builds with DLNATIVE_OPENMP: for processes whose other libraries run on
// the same OpenMP runtime, so that they share its threads.
#include <omp.h>

#include <algorithm>
#include <atomic>

#include "core/fork.h"
#include "core/fp_mode.h"
#include "core/interrupt.h"
#include "core/parallel.h"

namespace dlnative {
namespace {

// One region at a time, as in the pool; a second team would only crowd the cores.
std::atomic<bool> entered{false};

// GNU's OpenMP waits forever for its team in a child of fork(): such a child works alone.
std::atomic<bool> team_lost{false};

bool handle_fork() noexcept {
  return call_in_children([] {
    team_lost.store(true);
    entered.store(false);
  });
}

bool enter() noexcept {
  return !team_lost.load(std::memory_order_relaxed) && !entered.load(std::memory_order_relaxed) &&
         !entered.exchange(true, std::memory_order_acquire);
}

void run_team(std::int64_t tasks, int threads, TaskFunction f, void* context) noexcept {
  const std::uint64_t mode = fp_mode();
  Interruptible* const scope = Interruptible::current();
#pragma omp parallel num_threads(threads)
  {
    const FpModeGuard guard(mode);
    const Interruptible::Worker worker(scope);
    const int thread = omp_get_thread_num();
#pragma omp for schedule(static)
    for (std::int64_t task = 0; task < tasks; ++task) {
      if (!interrupted()) f(context, task, thread);
    }
  }
}

}  // namespace

void run_tasks(std::int64_t tasks, int threads, TaskFunction f, void* context) noexcept {
  const std::int64_t wanted = std::min<std::int64_t>(std::min(threads, num_threads()), tasks);
  if (wanted > 1 && enter()) {
    static const bool fork_handled = handle_fork();
    if (fork_handled) run_team(tasks, static_cast<int>(wanted), f, context);
    entered.store(false, std::memory_order_release);
    if (fork_handled) return;
  }
  for (std::int64_t task = 0; task < tasks; ++task) {
    if (task > 0 && interrupted()) return;
    f(context, task, 0);
  }
}

}  // namespace dlnative
