// Memory for tensors: aligned to cache lines and, where it is large, to huge pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace dlnative {

inline constexpr std::size_t kAlignment = 64;                   // cache line, widest vector
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;  // x86-64, aarch64 with 4 KB pages
inline constexpr std::size_t kHugeThreshold = std::size_t{1} << 20;  // from here on huge pages

// Owns a block of memory. Blocks from kHugeThreshold bytes on begin at a multiple of kHugePage and
// ask the kernel for huge pages (Linux; a matrix read by columns otherwise misses the TLB once per
// row; training steps whose blocks have 1 to 4 MB were 0 to 3 % faster with them, Zen 3, 2026-11);
// smaller ones begin at a multiple of kAlignment. Move-only; a moved-from buffer is empty.
class AlignedBuffer {
 public:
  AlignedBuffer() noexcept = default;

  // Contents are undefined. Throws std::bad_alloc. With 0 bytes nothing is allocated.
  explicit AlignedBuffer(std::size_t bytes);

  // All bytes are zero.
  static AlignedBuffer zeroed(std::size_t bytes);

  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    AlignedBuffer taken(std::move(other));
    std::swap(data_, taken.data_);
    std::swap(bytes_, taken.bytes_);
    return *this;
  }
  ~AlignedBuffer();

  std::byte* data() noexcept { return data_; }  // nullptr if empty
  const std::byte* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// At least `bytes` bytes that belong to the calling thread, aligned to kAlignment, with undefined
// contents: the workspace of a single op that the thread runs outside of programs. The next call on
// the same thread may return the same memory and invalidates this pointer. Kept until the thread
// ends; a call that needs no more than an earlier one does not allocate. Throws std::bad_alloc.
void* workspace_of_thread(std::size_t bytes);

// What the process holds of AlignedBuffers, workspaces of threads and Tables (core/table.h), and
// how often it has allocated such memory.
struct MemoryCount {
  std::int64_t bytes = 0;
  std::int64_t allocations = 0;
};
MemoryCount memory_count() noexcept;

// Notes that so many bytes were allocated, or given back.
void note_allocation(std::size_t bytes) noexcept;
void note_release(std::size_t bytes) noexcept;

}  // namespace dlnative
