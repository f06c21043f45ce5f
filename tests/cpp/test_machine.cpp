// What the process finds out about its machine: numbers of threads (core/thread_count.h), with
// made-up cgroup trees, and the CPU (dispatch/cpu.h).
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "check.h"
#include "core/thread_count.h"
#include "dispatch/cpu.h"

namespace {

namespace fs = std::filesystem;
using test::check;
using test::check_equal;

constexpr double kNone = HUGE_VAL;

// A folder for made-up files, removed at the end of its life.
class Tree {
 public:
  Tree() {
    root_ = fs::temp_directory_path() / ("dlnative_test_" + std::to_string(std::rand()));
    while (!fs::create_directory(root_)) root_ += "x";
  }
  ~Tree() { fs::remove_all(root_); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  Tree& file(const std::string& path, const std::string& text) {
    fs::create_directories((root_.string() + path).substr(0, (root_.string() + path).rfind('/')));
    std::ofstream(root_.string() + path) << text;
    return *this;
  }
  std::string root() const { return root_.string(); }
  double quota() const { return dlnative::cgroup_cpu_quota(root()); }

 private:
  fs::path root_;
};

constexpr const char* kMount2 =
    "24 30 0:22 / /proc rw shared:13 - proc proc rw\n"
    "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

void test_quota_version2() {
  const auto tree_with = [](Tree& tree) -> Tree& {
    return tree.file("/proc/self/mountinfo", kMount2).file("/proc/self/cgroup", "0::/a/b/c\n");
  };
  const std::string top = "/sys/fs/cgroup";
  Tree none;
  check_equal(none.quota(), kNone, "no files at all");
  check_equal(tree_with(none).quota(), kNone, "no cpu.max");
  Tree leaf;
  tree_with(leaf).file(top + "/a/b/c/cpu.max", "150000 100000\n");
  check_equal(leaf.quota(), 1.5, "own group");
  Tree parent;
  tree_with(parent).file(top + "/a/b/c/cpu.max", "max 100000\n");
  parent.file(top + "/a/cpu.max", "300000 100000\n").file(top + "/a/b/cpu.max", "50000 20000\n");
  check_equal(parent.quota(), 2.5, "smallest of the parents");
  Tree top_only;
  tree_with(top_only).file(top + "/cpu.max", "400000 100000\n");
  check_equal(top_only.quota(), 4.0, "at the mount point");
  for (const char* text :
       {"max 100000\n", "", "max", "x 100000", "100000 0", "-5 100000", "1000"}) {
    Tree odd;
    tree_with(odd).file(top + "/a/b/c/cpu.max", text);
    check_equal(odd.quota(), kNone, std::string("cpu.max of \"") + text + "\"");
  }
  Tree at_root;
  at_root.file("/proc/self/cgroup", "0::/\n").file(top + "/cpu.max", "120000 100000\n");
  check_equal(at_root.quota(), 1.2, "group / and no mountinfo");
}

void test_quota_in_containers() {
  // The container's group is mounted at the top, /proc/self/cgroup tells the host's path.
  const std::string mounted_group =
      "31 24 0:27 /pods/x\\040y /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
  Tree inner;
  inner.file("/proc/self/mountinfo", mounted_group).file("/proc/self/cgroup", "0::/pods/x y/job\n");
  inner.file("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  check_equal(inner.quota(), 2.0, "quota of the container");
  inner.file("/sys/fs/cgroup/job/cpu.max", "90000 100000\n");
  check_equal(inner.quota(), 0.9, "quota of a group in the container");
  // A path that the mount point does not show.
  Tree other;
  other.file("/proc/self/mountinfo", kMount2).file("/proc/self/cgroup", "0::/docker/abc\n");
  other.file("/sys/fs/cgroup/cpu.max", "700000 100000\n");
  check_equal(other.quota(), 7.0, "unknown path: the mount point counts");
  // A process outside of its cgroup namespace.
  Tree outside;
  outside.file("/proc/self/mountinfo", kMount2).file("/proc/self/cgroup", "0::/../../elsewhere\n");
  outside.file("/sys/fs/cgroup/cpu.max", "600000 100000\n");
  check_equal(outside.quota(), 6.0, "path outside of the namespace");
}

void test_quota_version1() {
  const std::string mounts =
      "31 24 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
      "32 31 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
      "33 31 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "34 31 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  const std::string folder = "/sys/fs/cgroup/cpu,cpuacct";
  Tree tree;
  tree.file("/proc/self/mountinfo", mounts);
  tree.file("/proc/self/cgroup", "5:cpuset:/z\n4:cpu,cpuacct:/a/b\n0::/u\n");
  check_equal(tree.quota(), kNone, "v1: no files");
  tree.file(folder + "/cpu.cfs_quota_us", "-1\n").file(folder + "/cpu.cfs_period_us", "100000\n");
  check_equal(tree.quota(), kNone, "v1: -1 is no limit");
  tree.file(folder + "/a/b/cpu.cfs_quota_us", "250000\n");
  check_equal(tree.quota(), kNone, "v1: quota without a period");
  tree.file(folder + "/a/b/cpu.cfs_period_us", "100000\n");
  check_equal(tree.quota(), 2.5, "v1: own group");
  tree.file(folder + "/a/cpu.cfs_quota_us", "20000\n");
  tree.file(folder + "/a/cpu.cfs_period_us", "10000\n");
  check_equal(tree.quota(), 2.0, "v1: parent");
  tree.file("/sys/fs/cgroup/unified/u/cpu.max", "100000 100000\n");
  check_equal(tree.quota(), 1.0, "v1 and v2 at once: the smaller");
}

int threads_with(const char* own, const char* openmp) {
  const auto set = [](const char* name, const char* value) {
    if (value == nullptr) {
      unsetenv(name);
    } else {
      setenv(name, value, 1);
    }
  };
  set("DLNATIVE_NUM_THREADS", own);
  set("OMP_NUM_THREADS", openmp);
  return dlnative::default_num_threads();
}

void test_default_number_of_threads() {
  const int cpus = dlnative::available_cpus();
  check(cpus >= 1 && cpus <= dlnative::kMaxThreads, "available_cpus()");
  check_equal(threads_with(nullptr, nullptr), cpus, "no variables");
  check_equal(threads_with("3", "5"), 3, "DLNATIVE_NUM_THREADS first");
  check_equal(threads_with(" 1024 ", nullptr), 1024, "blanks around the number");
  check_equal(threads_with("", "5"), 5, "empty DLNATIVE_NUM_THREADS");
  check_equal(threads_with(nullptr, "4,2"), 4, "list in OMP_NUM_THREADS");
  check_equal(threads_with(nullptr, " 6 , 2"), 6, "list with blanks");
  check_equal(threads_with(nullptr, "99999"), dlnative::kMaxThreads, "OMP_NUM_THREADS too large");
  for (const char* ignored : {"", "0", "-2", "many", "3x", ",4", "99999999999999999999"}) {
    check_equal(threads_with(nullptr, ignored), cpus, std::string("OMP_NUM_THREADS=") + ignored);
  }
  for (const std::string bad : {"0", "-1", "1025", "two", "2.5", "2,3", "99999999999999999999"}) {
    test::check_throws<std::invalid_argument>(
        [&bad] { threads_with(bad.c_str(), "2"); },
        "DLNATIVE_NUM_THREADS must be an integer from 1 to 1024, got '" + bad + "'");
  }
  check_equal(dlnative::num_threads(), cpus, "num_threads() where the variable is bad");
  threads_with(nullptr, nullptr);
}

void test_cpu() {
  const dlnative::CpuFeatures& cpu = dlnative::cpu_features();
  check(!cpu.avx512_bf16 || cpu.avx512, "AVX512_BF16 without AVX-512");
  check(!cpu.avx512 || cpu.avx2, "AVX-512 without AVX2");
  check(!cpu.avx2 || cpu.x86_64_v2, "AVX2 without x86-64-v2");
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
  // The compiler's runtime asks the same questions.
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  check_equal(cpu.x86_64_v2, __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"),
              "x86-64-v2");
  check_equal(cpu.avx2, avx2, "avx2");
  check_equal(cpu.avx512, avx512, "avx512");
  check(!cpu.neon, "NEON on x86-64");
#elif defined(__aarch64__)
  check(cpu.neon && !cpu.avx2 && !cpu.x86_64_v2, "features of aarch64");
#endif
  const std::string name = dlnative::cpu_name();
  check(!name.empty() && name.front() != ' ' && name.back() != ' ', "CPU name: '" + name + "'");
  const dlnative::CacheSizes& caches = dlnative::cache_sizes();
  check(caches.l1d >= 8 << 10 && caches.l1d <= 1 << 20, "plausible L1");
  check(caches.l2 > caches.l1d && caches.l3 >= 0, "plausible L2 and L3");
}

void test_cache_files() {
  Tree tree;
  const auto cache = [&tree](int index, const char* level, const char* type, const char* size) {
    const std::string folder = "/cache/index" + std::to_string(index);
    tree.file(folder + "/level", level).file(folder + "/type", type).file(folder + "/size", size);
  };
  dlnative::CacheSizes sizes = dlnative::read_cache_sizes(tree.root() + "/cache");
  check(sizes.l1d == 0 && sizes.l2 == 0 && sizes.l3 == 0, "no files");
  cache(0, "1\n", "Data\n", "48K\n");
  cache(1, "1\n", "Instruction\n", "64K\n");
  cache(2, "2\n", "Unified\n", "1024K\n");
  cache(3, "3\n", "Unified\n", "32M\n");
  sizes = dlnative::read_cache_sizes(tree.root() + "/cache");
  check_equal(sizes.l1d, std::int64_t{48} << 10, "L1");
  check_equal(sizes.l2, std::int64_t{1} << 20, "L2");
  check_equal(sizes.l3, std::int64_t{32} << 20, "L3");
}

}  // namespace

int main() {
  test_quota_version2();
  test_quota_in_containers();
  test_quota_version1();
  test_default_number_of_threads();
  test_cpu();
  test_cache_files();
  return test::finish("test_machine");
}
