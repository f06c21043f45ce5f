#include "core/aligned.h"

#include <cstring>
#include <limits>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace dlnative {
namespace {

std::size_t round_up(std::size_t bytes, std::size_t multiple) {
  if (bytes > std::numeric_limits<std::size_t>::max() - multiple) throw std::bad_alloc();
  return (bytes + multiple - 1) / multiple * multiple;
}

std::align_val_t alignment_of(std::size_t bytes) {
  return std::align_val_t{bytes >= kHugeThreshold ? kHugePage : kAlignment};
}

void* allocate(std::size_t bytes) {
  const std::align_val_t alignment = alignment_of(bytes);
  const std::size_t rounded = round_up(bytes, static_cast<std::size_t>(alignment));
  void* data = ::operator new(rounded, alignment);
#if defined(__linux__)
  // Only a wish: where transparent huge pages are off, the call fails and nothing is lost.
  if (bytes >= kHugeThreshold) static_cast<void>(madvise(data, rounded, MADV_HUGEPAGE));
#endif
  return data;
}

void release(void* data, std::size_t bytes) noexcept {
  ::operator delete(data, alignment_of(bytes));
}

// A thread's scratch: one pointer in thread-local storage, to a block that begins with its size.
class Scratch {
 public:
  constexpr Scratch() noexcept = default;
  ~Scratch() { reset(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

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
  }

  void reset() noexcept {
    if (block_ == nullptr) return;
    const std::size_t total = block_->bytes + sizeof(Block);
    release(std::exchange(block_, nullptr), total);
  }

  Block* block_ = nullptr;
};

thread_local Scratch scratch;
thread_local Scratch shared;

}  // namespace

AlignedBuffer::AlignedBuffer(std::size_t bytes)
    : data_(bytes == 0 ? nullptr : static_cast<std::byte*>(allocate(bytes))), bytes_(bytes) {}

AlignedBuffer AlignedBuffer::zeroed(std::size_t bytes) {
  AlignedBuffer buffer(bytes);
  if (bytes != 0) std::memset(buffer.data(), 0, bytes);
  return buffer;
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ != nullptr) release(data_, bytes_);
}

void* thread_scratch(std::size_t bytes) {
  return scratch.get(bytes);
}

void* region_scratch(std::size_t bytes) {
  return shared.get(bytes);
}

}  // namespace dlnative
