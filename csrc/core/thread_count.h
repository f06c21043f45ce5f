// How many threads to use: the process-wide setting, and its default from the environment.
#pragma once

#include <string>

namespace dlnative {

// The largest accepted number of threads.
inline constexpr int kMaxThreads = 1024;

// The number of threads that a parallel region may use. Until set_num_threads is called this is
// default_num_threads(), found once; where that would throw, available_cpus(). Whoever wants a bad
// variable to be an error calls default_num_threads() at start-up.
int num_threads() noexcept;

// Sets the number of threads for regions that start from now on, from any thread and at any time:
// the pool grows or shrinks when the next region starts.
// Throws std::invalid_argument unless 1 <= n <= kMaxThreads.
void set_num_threads(int n);

// The first of these that is present:
//   DLNATIVE_NUM_THREADS   an integer from 1 to kMaxThreads; an empty value counts as absent,
//                          anything else throws std::invalid_argument
//   OMP_NUM_THREADS        a positive integer, or a list "4,2" of which the first entry counts;
//                          anything else is ignored
//   otherwise              available_cpus()
// Reads the environment and a few files on every call.
int default_num_threads();

// How many logical CPUs the process may use: the size of its affinity mask, or its cgroup's quota
// rounded up, if that is less; from 1 to kMaxThreads.
int available_cpus() noexcept;

// The CPU time per wall time that the process's cgroup allows, in CPUs (1.5 = one and a half);
// infinity if there is no limit or it cannot be read. The smallest quota on the path from the
// process's own group up to the hierarchy's mount point counts, in cgroup v2 (cpu.max) and v1
// (cpu.cfs_quota_us / cpu.cfs_period_us).
// `root` is put in front of /proc/self/cgroup, /proc/self/mountinfo and the mount points: tests
// pass a folder with a copy of such a tree.
double cgroup_cpu_quota(const std::string& root = "");

}  // namespace dlnative
