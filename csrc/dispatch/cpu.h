// What the machine is: instruction sets, name and caches.
#pragma once

#include <cstdint>
#include <string>

namespace dlnative {

// Instruction sets that both the CPU and the operating system support (AVX registers are usable
// only if the system saves them at a task switch). The x86-64 levels are those of the System V ABI.
struct CpuFeatures {
  bool x86_64_v2 = false;    // SSE3, SSSE3, SSE4.1, SSE4.2, POPCNT, CMPXCHG16B, LAHF
  bool avx2 = false;         // x86-64-v3: v2 and AVX, AVX2, BMI1, BMI2, F16C, FMA, LZCNT, MOVBE
  bool avx512 = false;       // x86-64-v4: v3 and AVX-512 F, BW, CD, DQ, VL
  bool avx512_bf16 = false;  // v4 and AVX512_BF16 (vdpbf16ps)
  bool neon = false;         // aarch64: always there
};

// Found once per process, by CPUID and XGETBV.
const CpuFeatures& cpu_features() noexcept;

// The CPU's name as its maker spells it ("AMD EPYC 7B13 64-Core Processor"), or the architecture if
// it has none. Throws std::bad_alloc only.
std::string cpu_name();

// Bytes of the caches that one core uses; l3 is the whole cache, shared by several cores, and 0 if
// there is none.
struct CacheSizes {
  std::int64_t l1d = 0;
  std::int64_t l2 = 0;
  std::int64_t l3 = 0;
};

// Of the first CPU, found once per process. Sizes that cannot be found are those of a small
// machine: 32 KB, 512 KB, none.
const CacheSizes& cache_sizes() noexcept;

// The caches in a folder like /sys/devices/system/cpu/cpu0/cache (index0/level, type, size; ...);
// sizes that it does not tell are 0.
CacheSizes read_cache_sizes(const std::string& folder);

}  // namespace dlnative
