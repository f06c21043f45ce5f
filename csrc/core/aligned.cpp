#include "core/aligned.h"

#include <atomic>
#include <cstring>
#include <limits>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace dlnative {
namespace {

std::atomic<std::int64_t> held_bytes{0}, allocations{0};

std::size_t round_up(std::size_t bytes, std::size_t multiple) {
  if (bytes > std::numeric_limits<std::size_t>::max() - multiple) throw std::bad_alloc();
  return (bytes + multiple - 1) / multiple * multiple;
}

#if defined(__linux__)
// Large blocks come from the kernel: their pages are zero, and appear when they are first touched.
// Zeroing an arena of 300 MB beforehand would take half a second, in which Ctrl-C waits.
void* map_pages(std::size_t bytes) {
  const std::size_t rounded = round_up(bytes, kHugePage);
  const std::size_t mapped = round_up(rounded + 1, kHugePage);  // an aligned block lies in it
  void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<std::byte*>(memory);
  const std::size_t before =
      (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  const std::size_t after = mapped - before - rounded;
  if (before != 0) munmap(begin, before);
  if (after != 0) munmap(begin + before + rounded, after);
  // Only a wish: where transparent huge pages are off, the call fails and nothing is lost.
  static_cast<void>(madvise(begin + before, rounded, MADV_HUGEPAGE));
  return begin + before;
}
#endif

void* allocate(std::size_t bytes, bool zero = false) {
#if defined(__linux__)
  if (bytes >= kHugeThreshold) return map_pages(bytes);
#endif
  const auto alignment = bytes >= kHugeThreshold ? kHugePage : kAlignment;
  const std::size_t rounded = round_up(bytes, alignment);
  void* data = ::operator new(rounded, std::align_val_t{alignment});
  if (zero) std::memset(data, 0, rounded);
  return data;
}

void release(void* data, std::size_t bytes) noexcept {
#if defined(__linux__)
  if (bytes >= kHugeThreshold) {
    munmap(data, (bytes + kHugePage - 1) / kHugePage * kHugePage);
    return;
  }
#endif
  ::operator delete(data, std::align_val_t{bytes >= kHugeThreshold ? kHugePage : kAlignment});
}

// One pointer in thread-local storage, to a block that begins with its size.
class ThreadBlock {
 public:
  constexpr ThreadBlock() noexcept = default;
  ~ThreadBlock() { reset(); }
  ThreadBlock(const ThreadBlock&) = delete;
  ThreadBlock& operator=(const ThreadBlock&) = delete;

  void* get(std::size_t bytes) {
    if (block_ == nullptr || block_->bytes < bytes) grow(bytes);
    return block_ + 1;
  }

 private:
  struct alignas(kAlignment) Block {
    std::size_t bytes;  // behind this header
  };

  void grow(std::size_t bytes) {
    const std::size_t usable = round_up(bytes == 0 ? 1 : bytes, 4096);
    const std::size_t total = round_up(usable + sizeof(Block), kAlignment);
    reset();  // first, so that the old and the new block never coexist
    block_ = ::new (allocate(total)) Block{total - sizeof(Block)};
    note_allocation(total);
  }

  void reset() noexcept {
    if (block_ == nullptr) return;
    const std::size_t total = block_->bytes + sizeof(Block);
    release(std::exchange(block_, nullptr), total);
    note_release(total);
  }

  Block* block_ = nullptr;
};

thread_local ThreadBlock workspace;

}  // namespace

AlignedBuffer::AlignedBuffer(std::size_t bytes)
    : data_(bytes == 0 ? nullptr : static_cast<std::byte*>(allocate(bytes))), bytes_(bytes) {
  if (bytes != 0) note_allocation(bytes);
}

AlignedBuffer AlignedBuffer::zeroed(std::size_t bytes) {
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  buffer.data_ = static_cast<std::byte*>(allocate(bytes, true));
  buffer.bytes_ = bytes;
  note_allocation(bytes);
  return buffer;
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ == nullptr) return;
  release(data_, bytes_);
  note_release(bytes_);
}

void* workspace_of_thread(std::size_t bytes) {
  return workspace.get(bytes);
}

MemoryCount memory_count() noexcept {
  return {held_bytes.load(std::memory_order_relaxed), allocations.load(std::memory_order_relaxed)};
}

void note_allocation(std::size_t bytes) noexcept {
  held_bytes.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  allocations.fetch_add(1, std::memory_order_relaxed);
}

void note_release(std::size_t bytes) noexcept {
  held_bytes.fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
}

}  // namespace dlnative
