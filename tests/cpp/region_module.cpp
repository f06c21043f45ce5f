// A shared library with its own pool, which test_fork_exit loads and unloads.
#include <atomic>
#include <cstdint>

#include "core/parallel.h"

// Returns the number of tasks that did not run, 0 if all is well.
extern "C" __attribute__((visibility("default"))) int run_regions(int threads) {
  dlnative::set_num_threads(threads);
  std::atomic<int> missing{100 * 8};
  for (int region = 0; region < 100; ++region) {
    dlnative::parallel_for(8, threads, [&missing](std::int64_t, int) { missing.fetch_sub(1); });
  }
  return missing.load();
}
