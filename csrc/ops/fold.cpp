#include "ops/fold.h"

namespace dlnative {

namespace {

// The fold of n contiguous elements, in kLanes interleaved parts.
template <class Fold, class X>
typename Fold::Result fold_row(const X* x, std::int64_t n) {
  using Result = typename Fold::Result;
  constexpr std::int64_t kLanes = 64 / static_cast<std::int64_t>(sizeof(Result));
  Result lanes[kLanes];
  for (Result& lane : lanes) lane = Fold::kEmpty;
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t k = 0; k < kLanes; ++k) lanes[k] = Fold::join(lanes[k], Fold::of(x[i + k]));
  }
  for (; i < n; ++i) lanes[0] = Fold::join(lanes[0], Fold::of(x[i]));
  for (std::int64_t k = 1; k < kLanes; ++k) lanes[0] = Fold::join(lanes[0], lanes[k]);
  return lanes[0];
}

// y[c] = fold over r of x[r * ldx + c]; where ldx is 1, of one contiguous row.
template <class Fold, class X>
void fold_block(const X* x, std::int64_t ldx, std::int64_t rows, std::int64_t columns,
                typename Fold::Result* __restrict y) {
  if (ldx == 1) {
    *y = fold_row<Fold>(x, rows);
    return;
  }
  std::fill_n(y, columns, Fold::kEmpty);
  for (std::int64_t r = 0; r < rows; ++r, x += ldx) {
    for (std::int64_t c = 0; c < columns; ++c) y[c] = Fold::join(y[c], Fold::of(x[c]));
  }
}

}  // namespace

template <class Fold>
FoldOp<Fold>::FoldOp(const std::string& name, const std::vector<std::int64_t>& shape,
                     const std::vector<std::int64_t>& axes)
    : passes_(name, shape, axes) {}

template <class Fold>
std::size_t FoldOp<Fold>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  const std::size_t count = passes_.passes.size();
  std::int64_t sizes[2] = {};
  for (std::size_t i = 0; i < count; ++i) {
    if (i + 1 == count && std::is_same_v<Element, Result>) continue;
    sizes[i % 2] = std::max(sizes[i % 2], passes_.passes[i].outer * passes_.passes[i].inner);
  }
  for (std::size_t i = 0; i < 2; ++i) between_[i] = pieces.take<Result>(sizes[i]);
  partial_ = pieces.take<Result>(passes_.partials);
  return pieces.bytes();
}

template <class Fold>
void FoldOp<Fold>::run(const Element* x, Element* y) const {
  constexpr bool kSame = std::is_same_v<Element, Result>;
  const std::int64_t size = passes_.output_size;
  if (size == 0) return;
  const std::size_t count = passes_.passes.size();
  if (count == 0) {
    for (std::int64_t i = 0; i < size; ++i) y[i] = static_cast<Element>(Fold::of(x[i]));
    return;
  }
  const auto fold = [](const auto* from, std::int64_t ldx, std::int64_t rows, std::int64_t columns,
                       Result* to) { fold_block<Fold>(from, ldx, rows, columns, to); };
  const auto target = [&](std::size_t i) {
    if constexpr (kSame) {
      if (i + 1 == count) return y;
    }
    return between_[i % 2];
  };
  run_pass(passes_.passes[0], x, partial_, target(0), fold);
  for (std::size_t i = 1; i < count; ++i)
    run_pass(passes_.passes[i], target(i - 1), partial_, target(i), fold);
  if constexpr (!kSame) {
    const Result* const result = target(count - 1);
    for (std::int64_t i = 0; i < size; ++i) y[i] = static_cast<Element>(result[i]);
  }
}

template class FoldOp<SumFold<std::int32_t>>;
template class FoldOp<SumFold<std::int64_t>>;
template class FoldOp<ProductFold<float>>;
template class FoldOp<ProductFold<double>>;
template class FoldOp<ProductFold<std::int32_t>>;
template class FoldOp<ProductFold<std::int64_t>>;
template class FoldOp<MaxFold<std::int32_t>>;
template class FoldOp<MaxFold<std::int64_t>>;
template class FoldOp<MaxFold<std::uint8_t>>;
template class FoldOp<MinFold<std::int32_t>>;
template class FoldOp<MinFold<std::int64_t>>;
template class FoldOp<MinFold<std::uint8_t>>;
template class FoldOp<AnyFold>;
template class FoldOp<AllFold>;

}  // namespace dlnative
