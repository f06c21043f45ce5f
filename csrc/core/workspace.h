// Workspace: the memory in which an instruction keeps what a run computes in between.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/aligned.h"

namespace dlnative {

// Cuts a workspace into pieces, one after the other, each aligned to kAlignment. Of a null one it
// gives null pieces, and says all the same how many bytes they take.
//
// An op that needs workspace has `std::size_t set_workspace(void*)`, which takes its pieces and
// returns their bytes.
class WorkspacePieces {
 public:
  explicit WorkspacePieces(void* workspace) : data_(static_cast<std::byte*>(workspace)) {}

  template <class V>
  V* take(std::int64_t count) {
    V* const piece = data_ != nullptr ? reinterpret_cast<V*>(data_ + bytes_) : nullptr;
    const std::size_t size = static_cast<std::size_t>(count) * sizeof(V);
    bytes_ += (size + kAlignment - 1) / kAlignment * kAlignment;
    return piece;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// Scratch for tiles: a piece for each thread.
template <class V>
class ThreadScratch {
 public:
  // `elements` of them for each of so many threads that has one of so many tasks.
  void take(WorkspacePieces& pieces, std::int64_t threads, std::int64_t tasks,
            std::int64_t elements) {
    constexpr auto kMultiple = static_cast<std::int64_t>(kAlignment / sizeof(V));
    step_ = (elements + kMultiple - 1) / kMultiple * kMultiple;
    data_ = pieces.take<V>(std::min(threads, tasks) * step_);
  }
  V* of(int thread) const { return data_ + thread * step_; }

 private:
  V* data_ = nullptr;
  std::int64_t step_ = 0;
};

}  // namespace dlnative
