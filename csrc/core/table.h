// Arrays that an instruction makes when it is built and only reads when it runs, such as the index
// tables of convolutions: constants of a program. They are vectors whose bytes are counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/aligned.h"

namespace dlnative {

// The bytes of all Tables that this thread has made, less those that it has destroyed.
inline std::int64_t& table_bytes_of_thread() noexcept {
  thread_local std::int64_t bytes = 0;
  return bytes;
}

template <class V>
class TableAllocator {
 public:
  using value_type = V;

  TableAllocator() noexcept = default;
  template <class U>
  TableAllocator(const TableAllocator<U>&) noexcept {}

  V* allocate(std::size_t n) {
    V* const data = std::allocator<V>().allocate(n);
    note_allocation(n * sizeof(V));
    table_bytes_of_thread() += static_cast<std::int64_t>(n * sizeof(V));
    return data;
  }
  void deallocate(V* data, std::size_t n) noexcept {
    std::allocator<V>().deallocate(data, n);
    note_release(n * sizeof(V));
    table_bytes_of_thread() -= static_cast<std::int64_t>(n * sizeof(V));
  }

  friend bool operator==(const TableAllocator&, const TableAllocator&) noexcept { return true; }
  friend bool operator!=(const TableAllocator&, const TableAllocator&) noexcept { return false; }
};

template <class V>
using Table = std::vector<V, TableAllocator<V>>;

}  // namespace dlnative
