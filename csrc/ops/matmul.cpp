#include "ops/matmul.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/checks.h"
#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

// What a product costs beside its arithmetic: the call, and packing or reading each value.
constexpr double kCallFlops = 1000.0, kValueFlops = 8.0;

// Entries of less stay whole where there are several for each thread.
constexpr double kWholeFlops = 20.0 * kSerialFlops;

template <class Product>
double cost_of(const Product& p) {
  const auto m = static_cast<double>(p.m), n = static_cast<double>(p.n),
             k = static_cast<double>(p.k);
  return 2.0 * m * n * k + kValueFlops * (m * k + k * n + m * n) + kCallFlops;
}

// The size of `shape` on axis `axis` of `rank`, aligned on the right; 1 where it has no such axis.
std::int64_t aligned_size(const MatrixBatch::Shape& shape, std::size_t axis, std::size_t rank) {
  const std::size_t missing = rank - shape.size();
  return axis < missing ? 1 : shape[axis - missing];
}

// Calls f(first, count), or f(first, count, thread), for groups of `total` pieces that cost this
// much each.
template <class F>
void for_groups(std::int64_t total, double cost, int threads, F&& f) {
  constexpr double kGroupFlops = kSerialFlops / 4.0;
  const auto group = static_cast<std::int64_t>(std::max(1.0, kGroupFlops / cost));
  for_each_chunk(total, group, static_cast<double>(total) * cost >= kSerialFlops ? threads : 1, f);
}

template <class T>
void add_product(T& c, T a, T b) {
  if constexpr (std::is_same_v<T, bool>) {
    c = c || (a && b);
  } else {
    using U = std::make_unsigned_t<T>;
    c = static_cast<T>(static_cast<U>(c) + static_cast<U>(a) * static_cast<U>(b));
  }
}

// One row of C.
template <class T>
void integer_row(const IntegerProduct<T>& p, const T* a, const T* b, T* c) {
  std::fill(c, c + p.n, T{});
  for (std::int64_t i = 0; i < p.k; ++i) {
    const T factor = a[i * p.cs_a];
    const T* row = b + i * p.rs_b;
    if (p.cs_b == 1) {
      for (std::int64_t j = 0; j < p.n; ++j) add_product(c[j], factor, row[j]);
    } else {
      for (std::int64_t j = 0; j < p.n; ++j) add_product(c[j], factor, row[j * p.cs_b]);
    }
  }
}

}  // namespace

MatrixBatch::MatrixBatch(const Shape& a, const Shape& b, const Shape& c) {
  const std::size_t rank = c.size();
  check(rank <= LoopNest::kMaxRank && a.size() <= rank && b.size() <= rank, "matmul: batch axes ",
        a, " and ", b, " do not broadcast to ", c);
  Table<LoopNest::Axis> axes(rank);
  LoopNest::Offsets steps{1, 1};
  for (std::size_t i = rank; i-- > 0;) {
    const std::int64_t size = c[i];
    const std::int64_t size_a = aligned_size(a, i, rank), size_b = aligned_size(b, i, rank);
    check((size_a == size || size_a == 1) && (size_b == size || size_b == 1), "matmul: batch axes ",
          a, " and ", b, " do not broadcast to ", c);
    axes[i] = {size, {size_a == 1 ? 0 : steps.a, size_b == 1 ? 0 : steps.b}};
    steps.a *= size_a;
    steps.b *= size_b;
  }
  nest_ = LoopNest(std::move(axes));
}

template <class T>
BatchedGemm<T>::BatchedGemm(const GemmBlock<T>& first, MatrixBatch batch, int threads)
    : first_(first),
      batch_(std::move(batch)),
      threads_(threads),
      whole_(cost_of(first) < kSerialFlops ||
             (cost_of(first) < kWholeFlops && batch_.size() >= 4 * threads)),
      gemm_(first, {}, threads) {}

template <class T>
std::size_t BatchedGemm<T>::set_workspace(void* workspace) {
  if (!whole_) return gemm_.set_workspace(workspace);
  WorkspacePieces pieces(workspace);
  scratch_.take(pieces, threads_, batch_.size(),
                kernels<T>().gemm->scratch_elements(first_.m, first_.n, first_.k));
  return pieces.bytes();
}

template <class T>
void BatchedGemm<T>::run() {
  const std::int64_t entries = batch_.size();
  if (entries == 0) return;
  const std::int64_t size_a = first_.m * first_.k, size_b = first_.k * first_.n,
                     size_c = first_.m * first_.n;
  if (whole_) {
    const GemmEpilogue<T> plain;
    for_groups(entries, cost_of(first_), threads_,
               [&](std::int64_t first, std::int64_t count, int thread) {
                 GemmBlock<T> whole = gemm_.block();
                 whole.epilogue = &plain;
                 whole.scratch = scratch_.of(thread);
                 batch_.for_each(first, count, [&](std::int64_t entry, LoopNest::Offsets at) {
                   whole.a = first_.a + at.a * size_a;
                   whole.b = first_.b + at.b * size_b;
                   whole.c = first_.c + entry * size_c;
                   kernels<T>().gemm->block(whole);
                 });
               });
    return;
  }
  batch_.for_each(0, entries, [&](std::int64_t entry, LoopNest::Offsets at) {
    if (interrupted()) return;
    gemm_.run_on(first_.a + at.a * size_a, first_.b + at.b * size_b, first_.c + entry * size_c);
  });
}

template <class T>
void integer_matmul(const IntegerProduct<T>& first, const MatrixBatch& batch) {
  if (first.m == 0 || first.n == 0) return;
  IntegerProduct<T> row = first;
  row.m = 1;
  for_groups(batch.size() * first.m, cost_of(row), num_threads(),
             [&](std::int64_t begin, std::int64_t count) {
               const std::int64_t entry = begin / first.m, last = (begin + count - 1) / first.m;
               batch.for_each(entry, last - entry + 1, [&](std::int64_t e, LoopNest::Offsets at) {
                 const T* a = first.a + at.a * first.m * first.k;
                 const T* b = first.b + at.b * first.k * first.n;
                 const std::int64_t from = std::max(begin, e * first.m),
                                    to = std::min(begin + count, (e + 1) * first.m);
                 for (std::int64_t r = from; r < to; ++r)
                   integer_row(first, a + (r - e * first.m) * first.rs_a, b, first.c + r * first.n);
               });
             });
}

template class BatchedGemm<float>;
template class BatchedGemm<double>;
template void integer_matmul(const IntegerProduct<std::int32_t>&, const MatrixBatch&);
template void integer_matmul(const IntegerProduct<std::int64_t>&, const MatrixBatch&);
template void integer_matmul(const IntegerProduct<std::uint8_t>&, const MatrixBatch&);
template void integer_matmul(const IntegerProduct<bool>&, const MatrixBatch&);

}  // namespace dlnative
