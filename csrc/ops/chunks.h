// Pieces of one long array: their size depends on the problem alone, so results do not depend on
// the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "core/integers.h"
#include "core/parallel.h"
#include "core/workspace.h"
#include "dispatch/cpu.h"

namespace dlnative {

// Elements of one task. A task of the cheapest kernels then takes about 3 us, several times what
// handing it to a thread costs, and its 128 KB per float32 array stay in a core's L2 cache.
inline constexpr std::int64_t kChunk = 32768;

// Elements of one task of a function that takes so long per element: of expensive functions fewer,
// so that each task takes some microseconds.
inline std::int64_t task_size(double nanoseconds) {
  constexpr double kTaskTime = 20e3;
  constexpr std::int64_t kUnit = 1024;
  const auto units = static_cast<std::int64_t>(kTaskTime / nanoseconds) / kUnit;
  return std::clamp(units * kUnit, kUnit, kChunk);
}

// Threads worth waking for a job that takes one thread this long: none below 30 us.
inline int threads_for(double nanoseconds) {
  constexpr double kWorthwhile = 30e3;
  constexpr double kShare = 15e3;
  if (nanoseconds < kWorthwhile) return 1;
  return static_cast<int>(std::min(nanoseconds / kShare, static_cast<double>(kMaxThreads)));
}

// Products of fewer floating-point operations stay on one thread: a second costs a few microseconds
// to wake, and at 50 to 100 GFLOP/s this much work takes 10 to 20.
inline constexpr double kSerialFlops = 1e6;

inline std::int64_t chunk_count(std::int64_t n, std::int64_t chunk) {
  return ceil_div(n, chunk);
}

// Whether what a pass writes has left the caches before anybody can read it: with the input it
// fills the last of them.
template <class T>
bool too_large_to_cache(std::int64_t elements) {
  const CacheSizes& caches = cache_sizes();
  const std::int64_t last = std::max(caches.l2, caches.l3);
  return elements * static_cast<std::int64_t>(sizeof(T)) >= last / 2;
}

// Whether arrays of so many bytes that are read and written once are in no cache afterwards. Of one
// that many cores share a program has a part.
inline bool no_cache_holds(std::int64_t bytes) {
  constexpr std::int64_t kLargest = 64 << 20;
  return bytes > std::min(std::max(cache_sizes().l2, cache_sizes().l3), kLargest);
}

// Calls f(begin, size) or f(begin, size, thread) for the chunks of [0, n), with no call for n = 0.
template <class F>
void for_each_chunk(std::int64_t n, std::int64_t chunk, int threads, F&& f) {
  const auto call = [&f](std::int64_t begin, std::int64_t size, int thread) {
    if constexpr (std::is_invocable_v<F&, std::int64_t, std::int64_t, int>) {
      f(begin, size, thread);
    } else {
      static_cast<void>(thread);
      f(begin, size);
    }
  };
  if (n <= chunk) {
    if (n > 0) call(0, n, 0);
    return;
  }
  parallel_for(chunk_count(n, chunk), threads, [&](std::int64_t task, int thread) {
    const std::int64_t begin = task * chunk;
    call(begin, std::min(chunk, n - begin), thread);
  });
}

// The sum over [0, n) of what a function gives for each chunk, added in the order of the chunks.
class ChunkedSum {
 public:
  // `nanoseconds`: time of the function per element.
  ChunkedSum(std::int64_t n, double nanoseconds)
      : n_(n),
        threads_(threads_for(static_cast<double>(n) * nanoseconds)),
        parts_(n > kChunk ? chunk_count(n, kChunk) : 0) {}

  void take(WorkspacePieces& pieces) { partial_ = pieces.take<double>(parts_); }

  template <class F>
  double run(F&& f) const {
    if (n_ <= kChunk) return f(std::int64_t{0}, n_);
    for_each_chunk(n_, kChunk, threads_, [&](std::int64_t begin, std::int64_t size) {
      partial_[begin / kChunk] = f(begin, size);
    });
    double total = 0.0;
    for (std::int64_t i = 0; i < parts_; ++i) total += partial_[i];
    return total;
  }

 private:
  std::int64_t n_ = 0;
  int threads_ = 0;
  std::int64_t parts_ = 0;
  double* partial_ = nullptr;
};

}  // namespace dlnative
