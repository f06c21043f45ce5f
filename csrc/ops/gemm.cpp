#include "ops/gemm.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/interrupt.h"
#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

// The size of the parts when `size` is cut into about `parts` multiples of `tile`.
std::int64_t part_size(std::int64_t size, std::int64_t parts, std::int64_t tile) {
  return std::max(tile, round_up(ceil_div(size, parts), tile));
}

// B is read in order where it does not fit the L2 of a core, for three rows of A and more where it
// does not fit L3: from there, its panels are read as fast (Zen 3, 2026-11; from memory, six rows
// take half the time in order).
constexpr std::int64_t kL2B = std::int64_t{256} << 10, kL3B = std::int64_t{32} << 20;

// A thread reads as much of a B in order in the time in which it does kSerialFlops. A packed one is
// read from the second-level caches of the threads, each of which keeps its share.
constexpr std::int64_t kSerialBytes = std::int64_t{1} << 20;
constexpr std::int64_t kSerialPackedBytes = std::int64_t{256} << 10;

// A smaller B fits L1, packed or not, and the account of its version costs more than packing saves.
constexpr std::int64_t kPackedBytes = std::int64_t{64} << 10;

// Of products that take seconds: a kernel asks whether to stop after so many rows or columns, times
// a block of the other side. Packing what several tasks share costs less than 0.3 %.
constexpr double kLongFlops = 20.0 * kPieceFlops;
constexpr std::int64_t kLongRows = 4096, kLongColumns = 8192;

// What packing a value of A or B costs, in products.
constexpr double kPackedValue = 8.0;

// The products per value of k that the busiest of some threads does when an m x n result is cut
// into parts of rows x columns, which go to the thread that is free first, and what it packs.
double busiest(std::int64_t m, std::int64_t n, std::int64_t rows, std::int64_t columns,
               int threads) {
  std::vector<double> loads(static_cast<std::size_t>(threads));
  for (std::int64_t i = 0; i < m; i += rows) {
    for (std::int64_t j = 0; j < n; j += columns) {
      const auto r = static_cast<double>(std::min(rows, m - i));
      const auto c = static_cast<double>(std::min(columns, n - j));
      *std::min_element(loads.begin(), loads.end()) += r * c + kPackedValue * (r + c);
    }
  }
  return *std::max_element(loads.begin(), loads.end());
}

template <class T>
std::int64_t bytes_of_b(const GemmBlock<T>& g) {
  return g.k * g.n * static_cast<std::int64_t>(sizeof(T));
}

}  // namespace

template <class T>
Gemm<T>::Gemm(const GemmBlock<T>& block, const GemmEpilogue<T>& epilogue, int threads,
              bool may_pack_b)
    : kernels_(kernels<T>().gemm), block_(block), epilogue_(epilogue), may_pack_b_(may_pack_b) {
  block_.in_order = !may_pack_b && block.m <= kernels_->mr && block.n > kernels_->nr &&
                    block.cs_b == 1 && block.rs_b == block.n &&
                    bytes_of_b(block) > (block.m <= 2 ? kL2B : kL3B);
  block_.one_column = block.n == 1;
  block_.stop = &interrupted;
  plan(threads);
}

template <class T>
void Gemm<T>::plan(int threads) {
  threads_ = threads;
  rows_ = block_.m;
  columns_ = block_.n;
  const double flops = 2.0 * static_cast<double>(block_.m) * static_cast<double>(block_.n) *
                       static_cast<double>(block_.k);
  const bool large = flops >= kSerialFlops ||
                     (block_.in_order && bytes_of_b(block_) >= kSerialBytes) ||
                     (may_pack_b_ && bytes_of_b(block_) >= kSerialPackedBytes);
  if (threads > 1 && large) {
    // Two tasks per thread even out a thread that is held up, where C is large enough for it. Each
    // packs its own share of A and of B. Shortest sides alone cut 784 columns into 256, 256, 256
    // and 16: two threads then took 1.17 times as long for 128 x 784 x 512, B transposed (Zen 5,
    // 2026-11).
    const int wanted = flops > 100.0 * kSerialFlops ? 2 * threads : threads;
    double least = busiest(rows_, columns_, rows_, columns_, threads);
    for (int down = 1; down <= wanted; ++down) {
      if (wanted % down != 0) continue;
      const std::int64_t rows = part_size(block_.m, down, kernels_->mr);
      const std::int64_t columns = part_size(block_.n, wanted / down, kernels_->nr);
      const double most = busiest(block_.m, block_.n, rows, columns, threads);
      if (most >= least) continue;
      least = most;
      rows_ = rows;
      columns_ = columns;
    }
  }
  if (flops > kLongFlops) {
    rows_ = std::min(rows_, round_up(kLongRows, kernels_->mr));
    columns_ = std::min(columns_, round_up(kLongColumns, kernels_->nr));
  }
  row_tasks_ = rows_ > 0 ? ceil_div(block_.m, rows_) : 0;
  column_tasks_ = columns_ > 0 ? ceil_div(block_.n, columns_) : 0;
}

template <class T>
std::size_t Gemm<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  scratch_.take(pieces, threads_, row_tasks_ * column_tasks_,
                kernels_->scratch_elements(rows_, columns_, block_.k));
  return pieces.bytes();
}

template <class T>
void Gemm<T>::run_task(std::int64_t task, int thread) const {
  const std::int64_t i = task / column_tasks_ * rows_, j = task % column_tasks_ * columns_;
  GemmBlock<T> part = block_;
  const GemmEpilogue<T> epilogue =
      epilogue_of_part(epilogue_, j, i * epilogue_.ld_saved + j, i * part.ldc + j);
  part.a += i * part.rs_a;
  part.b += j * part.cs_b;
  if (part.packed_b != nullptr) part.packed_b += j * part.k;
  part.c += i * part.ldc + j;
  part.m = std::min(rows_, part.m - i);
  part.n = std::min(columns_, part.n - j);
  part.epilogue = &epilogue;
  part.scratch = scratch_.of(thread);
  kernels_->block(part);
}

template <class T>
void Gemm<T>::run(const T* packed_b) {
  block_.packed_b = packed_b;
  const std::int64_t tasks = row_tasks_ * column_tasks_;
  if (tasks == 1) {
    block_.epilogue = &epilogue_;
    block_.scratch = scratch_.of(0);
    kernels_->block(block_);
  } else {
    parallel_for(tasks, threads_,
                 [this](std::int64_t task, int thread) { run_task(task, thread); });
  }
}

template <class T>
void Gemm<T>::run_on(const T* a, const T* b, T* c) {
  block_.a = a;
  block_.b = b;
  block_.c = c;
  run();
}

template <class T>
std::size_t Gemm<T>::packed_bytes() const {
  return static_cast<std::size_t>(kernels_->packed_elements(block_.n, block_.k)) * sizeof(T);
}

template <class T>
void Gemm<T>::pack(T* packed) const {
  const int threads = bytes_of_b(block_) >= kSerialBytes ? num_threads() : 1;
  parallel_for(ceil_div(block_.n, kernels_->nr), threads,
               [&](std::int64_t panel, int) { kernels_->pack(block_, panel, panel + 1, packed); });
}

template <class T>
PackedGemm<T>::PackedGemm(const GemmBlock<T>& block, const GemmEpilogue<T>& epilogue, int threads)
    : gemm_(block, epilogue, threads, true) {
  std::string key = "gemm";
  append_to_key(key, kernels<T>().gemm);
  append_to_key(key, block.b);
  for (const std::int64_t size : {block.rs_b, block.cs_b, block.n, block.k})
    append_to_key(key, size);
  weights_.keep(key, gemm_.packed_bytes());
}

template <class T>
bool PackedGemm<T>::pays(const GemmBlock<T>& block) {
  return block.m > 0 && block.n > 1 && bytes_of_b(block) >= kPackedBytes &&
         bytes_of_b(block) <= kL3B;
}

template <class T>
void PackedGemm<T>::renew(std::int64_t version) {
  version_ = version;
  is_new_ = true;
  is_packed_ = false;
}

template <class T>
void PackedGemm<T>::run() {
  if (!is_packed_) {
    if (is_new_ && !weights_.is_current(version_)) {
      is_new_ = false;
      return gemm_.run();
    }
    const Interruptible whole(nullptr);  // a copy that is packed in part must not be taken for one
    weights_.refresh(version_, [this](T* to) { gemm_.pack(to); });
    is_packed_ = true;
  }
  const auto weights = weights_.use(nullptr, [](T*) {});
  gemm_.run(weights.data());
}

template class Gemm<float>;
template class Gemm<double>;
template class PackedGemm<float>;
template class PackedGemm<double>;

}  // namespace dlnative
