#include "core/thread_count.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

#include "core/checks.h"

#if defined(__linux__)
#include <sched.h>
#elif defined(_WIN32)
#include <windows.h>
#endif

namespace dlnative {
namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

std::atomic<int> thread_setting{0};  // 0: not decided yet

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The whole of `text` as an integer, or `otherwise`.
long long parse_integer(std::string_view text, long long otherwise) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : otherwise;
}

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : trim(value);
}

// mountinfo writes space, tab, newline and backslash as three octal digits: "\040".
std::string decode_octal(const std::string& text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      const int code = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      decoded += static_cast<char>(code);
      i += 3;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

bool has_word(const std::string& list, std::string_view word) {
  std::istringstream words(list);
  for (std::string entry; std::getline(words, entry, ',');) {
    if (entry == word) return true;
  }
  return false;
}

// Where a cgroup hierarchy is mounted, and which of its groups the mount point shows.
struct CgroupMount {
  std::string point;
  std::string group;
};

// A line of /proc/self/mountinfo (man 5 proc_pid_mountinfo):
//   id parent major:minor group point options [optional fields...] - type source super-options
bool parse_mount(const std::string& line, bool version2, CgroupMount* mount) {
  const std::size_t separator = line.find(" - ");
  if (separator == std::string::npos) return false;
  std::istringstream left(line.substr(0, separator));
  std::istringstream right(line.substr(separator + 3));
  std::string id, parent, device, group, point, type, source, options;
  if (!(left >> id >> parent >> device >> group >> point)) return false;
  if (!(right >> type >> source >> options)) return false;
  const bool found = version2 ? type == "cgroup2" : type == "cgroup" && has_word(options, "cpu");
  if (found) *mount = CgroupMount{decode_octal(point), decode_octal(group)};
  return found;
}

CgroupMount find_mount(const std::string& root, bool version2) {
  std::ifstream file(root + "/proc/self/mountinfo");
  CgroupMount mount;
  for (std::string line; std::getline(file, line);) {
    if (parse_mount(line, version2, &mount)) return mount;
  }
  return CgroupMount{version2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu", "/"};
}

// The quota that one group sets for itself: time over period; no quota if the files are missing,
// malformed, or say "max" (v2) or -1 (v1).
double quota_of_group(const std::string& folder, bool version2) {
  std::string time, period;
  if (version2) {
    std::ifstream(folder + "/cpu.max") >> time >> period;
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> time;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  const long long time_us = parse_integer(time, -1);
  const long long period_us = parse_integer(period, -1);
  if (time_us <= 0 || period_us <= 0) return kNoQuota;
  return static_cast<double>(time_us) / static_cast<double>(period_us);
}

// The smallest quota from `path` (as /proc/self/cgroup states it) up to the mount point.
double quota_of_path(const std::string& root, std::string path, bool version2) {
  const CgroupMount mount = find_mount(root, version2);
  // A container often sees its own group mounted at the top, but the host's path in
  // /proc/self/cgroup: the path below the mount point starts behind the mounted group.
  const std::string& group = mount.group;
  if (group != "/" && path.compare(0, group.size(), group) == 0 &&
      (path.size() == group.size() || path[group.size()] == '/')) {
    path.erase(0, group.size());
  }
  if (path.find("/..") != std::string::npos) path.clear();  // outside of our cgroup namespace
  double quota = kNoQuota;
  for (;;) {
    if (!path.empty() && path.back() == '/') path.pop_back();
    quota = std::min(quota, quota_of_group(root + mount.point + path, version2));
    if (path.empty()) return quota;
    path.erase(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
  }
}

int count_affinity() noexcept {
#if defined(__linux__)
  // A mask that is too small for the machine is refused (EINVAL), so it grows until it fits.
  for (int cpus = 1024; cpus <= 1024 * 64; cpus *= 4) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(cpus));
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
#elif defined(_WIN32)
  DWORD_PTR process = 0;
  DWORD_PTR system = 0;
  if (GetProcessAffinityMask(GetCurrentProcess(), &process, &system) != 0) {
    int count = 0;
    for (; process != 0; process &= process - 1) ++count;
    if (count > 0) return count;
  }
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

int available_cpus() noexcept {
  double cpus = count_affinity();
  try {
    cpus = std::min(cpus, std::ceil(cgroup_cpu_quota()));
  } catch (...) {  // no memory for a path
  }
  return std::clamp(static_cast<int>(cpus), 1, kMaxThreads);
}

double cgroup_cpu_quota(const std::string& root) {
  // Lines of /proc/self/cgroup (man 7 cgroups): "0::/path" (v2), "4:cpu,cpuacct:/path" (v1).
  std::ifstream file(root + "/proc/self/cgroup");
  double quota = kNoQuota;
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      quota = std::min(quota, quota_of_path(root, path, true));
    } else if (has_word(controllers, "cpu")) {
      quota = std::min(quota, quota_of_path(root, path, false));
    }
  }
  return quota;
}

int default_num_threads() {
  const std::string_view own = environment("DLNATIVE_NUM_THREADS");
  if (!own.empty()) {
    const long long n = parse_integer(own, -1);
    check(n >= 1 && n <= kMaxThreads, "DLNATIVE_NUM_THREADS must be an integer from 1 to ",
          kMaxThreads, ", got '", own, "'");
    return static_cast<int>(n);
  }
  const std::string_view openmp = environment("OMP_NUM_THREADS");
  const long long listed = parse_integer(trim(openmp.substr(0, openmp.find(','))), -1);
  if (listed >= 1) return static_cast<int>(std::min<long long>(listed, kMaxThreads));
  return available_cpus();
}

int num_threads() noexcept {
  int n = thread_setting.load(std::memory_order_relaxed);
  if (n != 0) return n;
  try {
    n = default_num_threads();
  } catch (...) {
    n = available_cpus();
  }
  // set_num_threads on another thread may have come first: its value stays.
  int undecided = 0;
  return thread_setting.compare_exchange_strong(undecided, n) ? n : undecided;
}

void set_num_threads(int n) {
  check(n >= 1 && n <= kMaxThreads, "num_threads must be an integer from 1 to ", kMaxThreads,
        ", got ", n);
  thread_setting.store(n, std::memory_order_relaxed);
}

}  // namespace dlnative
