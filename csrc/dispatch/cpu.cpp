#include "dispatch/cpu.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#if defined(__x86_64__) || defined(_M_X64)
#define DLNATIVE_X86_64 1
#if defined(_WIN32)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#elif !defined(_WIN32)
#include <unistd.h>
#endif

namespace dlnative {
namespace {

#if defined(DLNATIVE_X86_64)

struct Registers {
  std::uint32_t eax = 0;
  std::uint32_t ebx = 0;
  std::uint32_t ecx = 0;
  std::uint32_t edx = 0;
};

// All zero for a leaf that the CPU does not have.
Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) noexcept {
  Registers r;
#if defined(_WIN32)
  int values[4] = {};
  __cpuid(values, static_cast<int>(leaf & 0x80000000u));
  if (static_cast<std::uint32_t>(values[0]) < leaf) return r;
  __cpuidex(values, static_cast<int>(leaf), static_cast<int>(subleaf));
  r.eax = static_cast<std::uint32_t>(values[0]);
  r.ebx = static_cast<std::uint32_t>(values[1]);
  r.ecx = static_cast<std::uint32_t>(values[2]);
  r.edx = static_cast<std::uint32_t>(values[3]);
#else
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
#endif
  return r;
}

// Which register files the operating system saves and restores. Needs the OSXSAVE feature.
std::uint64_t xcr0() noexcept {
#if defined(_WIN32)
  return _xgetbv(0);
#else
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
#endif
}

constexpr std::uint32_t bit(int n) {
  return std::uint32_t{1} << n;
}

constexpr bool has(std::uint32_t value, std::uint32_t bits) {
  return (value & bits) == bits;
}

// Bit numbers: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID.
CpuFeatures find_features() noexcept {
  const Registers leaf1 = cpuid(1);
  const Registers leaf7 = cpuid(7);
  const Registers leaf7_1 = leaf7.eax >= 1 ? cpuid(7, 1) : Registers{};
  const Registers extended = cpuid(0x80000001u);

  // Leaf 1, ecx.
  constexpr std::uint32_t kSse3 = bit(0), kSsse3 = bit(9), kFma = bit(12), kCmpxchg16b = bit(13),
                          kSse41 = bit(19), kSse42 = bit(20), kMovbe = bit(22), kPopcnt = bit(23),
                          kOsxsave = bit(27), kAvx = bit(28), kF16c = bit(29);
  // Leaf 0x80000001, ecx.
  constexpr std::uint32_t kLahf = bit(0), kLzcnt = bit(5);
  // Leaf 7, ebx. AVX-512: F, DQ, CD, BW, VL.
  constexpr std::uint32_t kBmi1 = bit(3), kAvx2 = bit(5), kBmi2 = bit(8);
  constexpr std::uint32_t kAvx512 = bit(16) | bit(17) | bit(28) | bit(30) | bit(31);
  // Leaf 7, subleaf 1, eax.
  constexpr std::uint32_t kBf16 = bit(5);
  // XCR0: SSE and AVX; and opmask, upper halves of zmm0-15, zmm16-31.
  constexpr std::uint64_t kYmmState = 0x6, kZmmState = 0xE6;

  const std::uint64_t saved = has(leaf1.ecx, kOsxsave) ? xcr0() : 0;
  CpuFeatures found;
  found.x86_64_v2 = has(leaf1.ecx, kSse3 | kSsse3 | kCmpxchg16b | kSse41 | kSse42 | kPopcnt) &&
                    has(extended.ecx, kLahf);
  found.avx2 = found.x86_64_v2 && (saved & kYmmState) == kYmmState &&
               has(leaf1.ecx, kAvx | kFma | kF16c | kMovbe) && has(extended.ecx, kLzcnt) &&
               has(leaf7.ebx, kAvx2 | kBmi1 | kBmi2);
  found.avx512 = found.avx2 && (saved & kZmmState) == kZmmState && has(leaf7.ebx, kAvx512);
  found.avx512_bf16 = found.avx512 && has(leaf7_1.eax, kBf16);
  return found;
}

std::string brand_string() {
  std::string name;
  for (std::uint32_t leaf = 0x80000002u; leaf <= 0x80000004u; ++leaf) {
    const Registers r = cpuid(leaf);
    for (const std::uint32_t word : {r.eax, r.ebx, r.ecx, r.edx}) {
      char bytes[4];
      std::memcpy(bytes, &word, sizeof bytes);
      name.append(bytes, sizeof bytes);
    }
  }
  return name.substr(0, name.find('\0'));
}

// Deterministic cache parameters: leaf 4 (Intel), 0x8000001D of the same form (AMD).
CacheSizes cpuid_caches() noexcept {
  CacheSizes sizes;
  const bool has_amd_leaf = has(cpuid(0x80000001u).ecx, bit(22));
  const std::uint32_t leaf = has_amd_leaf ? 0x8000001Du : 4u;
  for (std::uint32_t index = 0; index < 16; ++index) {
    const Registers r = cpuid(leaf, index);
    const std::uint32_t type = r.eax & 31;  // 0: no more, 1: data, 2: instructions, 3: both
    if (type == 0) break;
    const std::uint32_t level = r.eax >> 5 & 7;
    const std::int64_t ways = (r.ebx >> 22) + 1;
    const std::int64_t partitions = (r.ebx >> 12 & 1023) + 1;
    const std::int64_t line = (r.ebx & 4095) + 1;
    const std::int64_t bytes = ways * partitions * line * (std::int64_t{r.ecx} + 1);
    if (level == 1 && type != 2) sizes.l1d = bytes;
    if (level == 2) sizes.l2 = bytes;
    if (level == 3) sizes.l3 = bytes;
  }
  return sizes;
}

#endif  // DLNATIVE_X86_64

#if defined(__APPLE__)
std::int64_t sysctl_number(const char* name) noexcept {
  std::int64_t value = 0;
  std::size_t bytes = sizeof value;
  return sysctlbyname(name, &value, &bytes, nullptr, 0) == 0 ? value : 0;
}
#endif

// What the operating system's own calls say; 0 where they say nothing.
CacheSizes system_caches() noexcept {
  CacheSizes sizes;
#if defined(__APPLE__)
  sizes.l1d = sysctl_number("hw.l1dcachesize");
  sizes.l2 = sysctl_number("hw.l2cachesize");
  sizes.l3 = sysctl_number("hw.l3cachesize");
#elif defined(_SC_LEVEL1_DCACHE_SIZE)
  sizes.l1d = std::max(0L, sysconf(_SC_LEVEL1_DCACHE_SIZE));
  sizes.l2 = std::max(0L, sysconf(_SC_LEVEL2_CACHE_SIZE));
  sizes.l3 = std::max(0L, sysconf(_SC_LEVEL3_CACHE_SIZE));
#endif
  return sizes;
}

void fill_gaps(CacheSizes* sizes, const CacheSizes& other) noexcept {
  if (sizes->l1d <= 0) sizes->l1d = other.l1d;
  if (sizes->l2 <= 0) sizes->l2 = other.l2;
  if (sizes->l3 <= 0) sizes->l3 = other.l3;
}

// The kernel's files come first: under a hypervisor they are right more often than CPUID, and
// glibc's sysconf has told the L3 of a whole AMD package for that of one core complex.
CacheSizes find_cache_sizes() noexcept {
  CacheSizes sizes;
#if defined(__linux__)
  try {
    sizes = read_cache_sizes("/sys/devices/system/cpu/cpu0/cache");
  } catch (...) {  // no memory for a path: the other sources remain
  }
#endif
#if defined(DLNATIVE_X86_64)
  fill_gaps(&sizes, cpuid_caches());
#endif
  fill_gaps(&sizes, system_caches());
  fill_gaps(&sizes, CacheSizes{32 << 10, 512 << 10, 0});
  return sizes;
}

std::string first_word(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

// "32K", "1024K", "32M" as the kernel writes them.
std::int64_t parse_size(const std::string& text) {
  char* unit = nullptr;
  const std::int64_t value = std::strtoll(text.c_str(), &unit, 10);
  if (value <= 0) return 0;
  return *unit == 'K' ? value << 10 : *unit == 'M' ? value << 20 : value;
}

std::string trim(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

#if !defined(DLNATIVE_X86_64) && !defined(__APPLE__)

// The value of a "key : value" line of /proc/cpuinfo, or "".
std::string cpuinfo_field(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos && trim(line.substr(0, colon)) == key) {
      return trim(line.substr(colon + 1));
    }
  }
  return {};
}

// aarch64 kernels give numbers instead of a name. Numbers: Arm's MIDR_EL1 part numbers.
std::string arm_core_name(const std::string& implementer, const std::string& part) {
  constexpr std::array<std::pair<const char*, const char*>, 11> kArmCores = {{
      {"0xd03", "Cortex-A53"},
      {"0xd08", "Cortex-A72"},
      {"0xd0b", "Cortex-A76"},
      {"0xd0c", "Neoverse N1"},
      {"0xd40", "Neoverse V1"},
      {"0xd49", "Neoverse N2"},
      {"0xd4f", "Neoverse V2"},
      {"0xd83", "Neoverse V3AE"},
      {"0xd84", "Neoverse V3"},
      {"0xd8e", "Neoverse N3"},
      {"0xd07", "Cortex-A57"},
  }};
  for (const auto& [number, name] : kArmCores) {
    if (implementer == "0x41" && part == number) return std::string("Arm ") + name;
  }
  return "aarch64 (implementer " + implementer + ", part " + part + ")";
}

#endif

std::string find_name() {
#if defined(DLNATIVE_X86_64)
  const std::string name = trim(brand_string());
  return name.empty() ? "x86-64" : name;
#elif defined(__APPLE__)
  char name[128] = {};
  std::size_t bytes = sizeof name - 1;
  return sysctlbyname("machdep.cpu.brand_string", name, &bytes, nullptr, 0) == 0 ? name : "arm64";
#elif defined(__aarch64__)
  const std::string name = cpuinfo_field("model name");
  if (!name.empty()) return name;
  const std::string part = cpuinfo_field("CPU part");
  return part.empty() ? "aarch64" : arm_core_name(cpuinfo_field("CPU implementer"), part);
#else
  const std::string name = cpuinfo_field("model name");
  return name.empty() ? "unknown" : name;
#endif
}

}  // namespace

const CpuFeatures& cpu_features() noexcept {
  static const CpuFeatures features = [] {
#if defined(DLNATIVE_X86_64)
    return find_features();
#else
    CpuFeatures found;
#if defined(__aarch64__) || defined(_M_ARM64)
    found.neon = true;
#endif
    return found;
#endif
  }();
  return features;
}

std::string cpu_name() {
  return find_name();
}

const CacheSizes& cache_sizes() noexcept {
  static const CacheSizes sizes = find_cache_sizes();
  return sizes;
}

CacheSizes read_cache_sizes(const std::string& folder) {
  CacheSizes sizes;
  for (int index = 0; index < 16; ++index) {
    const std::string cache = folder + "/index" + std::to_string(index);
    const std::string level = first_word(cache + "/level");
    if (level.empty()) break;
    if (first_word(cache + "/type") == "Instruction") continue;
    const std::int64_t bytes = parse_size(first_word(cache + "/size"));
    if (level == "1") sizes.l1d = bytes;
    if (level == "2") sizes.l2 = bytes;
    if (level == "3") sizes.l3 = bytes;
  }
  return sizes;
}

}  // namespace dlnative
