// The small parts of csrc/core: messages, Philox, floating-point mode, memory.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check.h"
#include "core/aligned.h"
#include "core/checks.h"
#include "core/fp_mode.h"
#include "core/philox.h"
#include "core/table.h"
#include "core/workspace.h"

namespace {

using dlnative::AlignedBuffer;
using dlnative::Philox;
using test::check;
using test::check_equal;

void test_messages() {
  using Shape = std::vector<std::int64_t>;
  test::check_text(dlnative::concat("a", std::string("b"), 3, ' ', 0.5, true, false),
                   "ab3 0.5truefalse");
  test::check_text(dlnative::concat(std::int8_t{65}, std::uint8_t{66}, std::int64_t{-1}), "6566-1");
  test::check_text(dlnative::concat(Shape{}, Shape{3}, Shape{2, 3}), "()(3,)(2, 3)");
  dlnative::check(true, "not thrown");
  test::check_throws<std::invalid_argument>([] { dlnative::check(false, "rank ", 3, " of 2"); },
                                            "rank 3 of 2");
  test::check_throws<std::invalid_argument>([] { dlnative::fail("shape ", Shape{4, 1}); },
                                            "shape (4, 1)");
}

// Known answers of the Random123 library (kat_vectors, "philox4x32 10").
void test_philox_known_answers() {
  struct Answer {
    Philox::Block counter;
    Philox::Key key;
    Philox::Block expected;
  };
  constexpr std::uint32_t kOnes = 0xffffffffu;
  const Answer answers[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}},
      {{kOnes, kOnes, kOnes, kOnes},
       {kOnes, kOnes},
       {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}},
      {{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u},
       {0xa4093822u, 0x299f31d0u},
       {0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}},
  };
  for (const Answer& answer : answers) {
    check(Philox::generate(answer.counter, answer.key) == answer.expected, "Philox known answer");
  }
  static_assert(Philox::generate({0, 0, 0, 0}, {0, 0})[0] == 0x6627e8d5u, "usable at compile time");
}

void test_philox_streams() {
  constexpr std::uint64_t kSeed = 0x299f31d0a4093822u;
  constexpr std::uint64_t kBlock = 0x85a308d3243f6a88u;
  constexpr std::uint64_t kStep = 0x0370734413198a2eu;
  const Philox::Key key = Philox::key(kSeed, 0);
  check(key == Philox::Key{0xa4093822u, 0x299f31d0u}, "key: low half of the seed first");
  check(Philox::key(kSeed, 5)[0] == (0xa4093822u ^ 5u), "key: op number in the low half");
  check(Philox::key(kSeed, 5)[1] == 0x299f31d0u, "key: high half of the seed");
  check_equal(Philox::words(key, kBlock, kStep)[0], 0xd16cfe09u, "counter layout");
  for (std::uint64_t element = 0; element < 9; ++element) {
    check_equal(Philox::word(key, element, 3), Philox::words(key, element / 4, 3)[element % 4],
                "word of an element");
  }
  check_equal(Philox::keep_threshold(0.0), std::uint64_t{0}, "threshold of 0");
  check_equal(Philox::keep_threshold(0.5), std::uint64_t{1} << 31, "threshold of 0.5");
  check_equal(Philox::keep_threshold(0.1), std::uint64_t{429496730}, "threshold of 0.1");
  check_equal(Philox::keep_threshold(1.0), std::uint64_t{1} << 32, "threshold of 1");
  // The share of words below the threshold is within 5 standard deviations of the rate.
  constexpr int kBlocks = 20000;
  std::uint64_t dropped = 0;
  for (std::uint64_t block = 0; block < kBlocks; ++block) {
    for (const std::uint32_t word : Philox::words(key, block, 0)) {
      dropped += word < Philox::keep_threshold(0.25);
    }
  }
  check(dropped > 20000 - 613 && dropped < 20000 + 613, "share of dropped elements");
}

// The bits of half of the smallest normal float: all zero if denormal results are flushed. Not a
// float, as a thread that flushes also takes a denormal for zero when it compares.
std::uint32_t denormal_bits() {
  volatile float smallest = 1.17549435e-38f;
  volatile float half = 0.5f;
  const float product = smallest * half;
  std::uint32_t bits;
  std::memcpy(&bits, &product, sizeof bits);
  return bits;
}

bool denormal_operand_is_zero() {
  volatile float operand = 1e-40f;
  volatile float factor = 1e20f;
  return operand * factor == 0;
}

void test_flush_denormals() {
  const std::uint64_t before = dlnative::fp_mode();
  check(denormal_bits() != 0 && !denormal_operand_is_zero(), "denormals flushed without a guard");
  {
    const dlnative::FlushDenormals outer;
    const bool flushes = dlnative::kFlushBits != 0;
    check_equal(dlnative::flushes_denormals(), flushes, "flushes_denormals()");
    check_equal(denormal_bits() == 0, flushes, "result flushed");
    check_equal(denormal_operand_is_zero(), flushes, "operand flushed");
    {
      const dlnative::FlushDenormals inner;
    }
    check_equal(dlnative::flushes_denormals(), flushes, "after an inner guard");
    {
      const dlnative::FpModeGuard plain(before);
      check(denormal_bits() != 0, "inner guard with the old mode");
    }
  }
  check_equal(dlnative::fp_mode(), before, "mode restored");
  check(denormal_bits() != 0, "flushing outlived its guard");
}

bool is_aligned(const void* data, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(data) % alignment == 0;
}

void test_aligned_buffer() {
  const std::size_t sizes[] = {1, 63, 64, 65, 4096, 1000003, (4 << 20) - 1, 4 << 20, (9 << 20) + 5};
  for (const std::size_t bytes : sizes) {
    AlignedBuffer buffer = AlignedBuffer::zeroed(bytes);
    check_equal(buffer.bytes(), bytes, "bytes()");
    check(is_aligned(buffer.data(), 64), "64-byte alignment");
    check(bytes < (4 << 20) || is_aligned(buffer.data(), 2 << 20), "2 MB alignment");
    const auto is_zero = [](std::byte b) { return b == std::byte{0}; };
    check(std::all_of(buffer.data(), buffer.data() + bytes, is_zero), "zeroed");
    std::memset(buffer.data(), 0xff, bytes);  // every byte may be written

    std::byte* data = buffer.data();
    AlignedBuffer moved(std::move(buffer));
    check(moved.data() == data && moved.bytes() == bytes, "moved to");
    check(buffer.data() == nullptr && buffer.bytes() == 0, "moved from");
    AlignedBuffer assigned(10);
    assigned = std::move(moved);
    check(assigned.data() == data && moved.data() == nullptr, "move assignment");
    AlignedBuffer& self = assigned;
    assigned = std::move(self);
    check(assigned.data() == data && assigned.bytes() == bytes, "move to itself");
  }
  check(AlignedBuffer().data() == nullptr && AlignedBuffer(0).data() == nullptr, "empty");
  check(AlignedBuffer::zeroed(0).bytes() == 0, "empty, zeroed");
  bool thrown = false;
  try {
    AlignedBuffer too_large(std::numeric_limits<std::size_t>::max());
    check(too_large.data() == nullptr, "allocated the address space");
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  check(thrown, "no bad_alloc for an impossible size");
}

void test_workspace_of_thread() {
  void* first = dlnative::workspace_of_thread(100);
  check(is_aligned(first, 64), "workspace alignment");
  std::memset(first, 1, 100);
  check(dlnative::workspace_of_thread(50) == first, "a smaller request moved the workspace");
  check(dlnative::workspace_of_thread(0) == first, "an empty request moved the workspace");
  const std::size_t sizes[] = {5000, 100000, 6 << 20, 300};
  for (const std::size_t bytes : sizes) {
    void* grown = dlnative::workspace_of_thread(bytes);
    check(is_aligned(grown, 64), "workspace alignment, grown");
    std::memset(grown, 2, bytes);
  }
  void* here = dlnative::workspace_of_thread(64);
  std::thread([here] {
    void* there = dlnative::workspace_of_thread(64);
    check(there != here, "two threads share their workspace");
    std::memset(there, 3, 64);
  }).join();
  check(static_cast<unsigned char*>(here)[0] == 2, "workspace overwritten by another thread");
}

void test_memory_count() {
  const dlnative::MemoryCount before = dlnative::memory_count();
  const std::int64_t tables_before = dlnative::table_bytes_of_thread();
  {
    const AlignedBuffer buffer(1000), large = AlignedBuffer::zeroed(3 << 20);
    const dlnative::Table<std::int32_t> table(25);
    const dlnative::MemoryCount count = dlnative::memory_count();
    check_equal(count.bytes - before.bytes, std::int64_t{1000 + (3 << 20) + 100}, "bytes held");
    check_equal(count.allocations - before.allocations, std::int64_t{3}, "allocations");
    check_equal(dlnative::table_bytes_of_thread() - tables_before, std::int64_t{100}, "of tables");
    std::thread([] { static_cast<void>(dlnative::workspace_of_thread(5000)); }).join();
    check_equal(dlnative::memory_count().bytes, count.bytes, "bytes of a thread that has ended");
  }
  check_equal(dlnative::memory_count().bytes, before.bytes, "bytes held in the end");
  check_equal(dlnative::table_bytes_of_thread(), tables_before, "bytes of tables in the end");
}

void test_workspace_pieces() {
  alignas(64) std::byte memory[1024];
  for (std::byte* workspace : {memory, static_cast<std::byte*>(nullptr)}) {
    dlnative::WorkspacePieces pieces(workspace);
    check(pieces.take<double>(0) == reinterpret_cast<double*>(workspace), "an empty piece");
    pieces.take<float>(17);
    check_equal(pieces.bytes(), std::size_t{128}, "a piece that is rounded up");
    dlnative::ThreadScratch<float> scratch;
    scratch.take(pieces, 3, 7, 20);
    check_equal(pieces.bytes(), std::size_t{128 + 3 * 128}, "scratch of three threads");
    dlnative::ThreadScratch<float>().take(pieces, 3, 1, 16);
    check_equal(pieces.bytes(), std::size_t{128 + 3 * 128 + 64}, "scratch for one task");
    if (workspace == nullptr) continue;
    check(reinterpret_cast<std::byte*>(scratch.of(2)) == memory + 128 + 2 * 128, "of a thread");
  }
}

}  // namespace

int main() {
  test_messages();
  test_philox_known_answers();
  test_philox_streams();
  test_flush_denormals();
  test_aligned_buffer();
  test_workspace_of_thread();
  test_memory_count();
  test_workspace_pieces();
  return test::finish("test_core");
}
