#include <algorithm>

#include "core/parallel.h"
#include "ops/chunks.h"
#include "ops/winograd.h"
#include "ops/winograd_parts.h"

namespace dlnative {

namespace {

// Tiles of a block, whose products are summed at a time, and tasks that are few.
constexpr std::int64_t kLeastGradientTiles = 64, kFewTasks = 4;
// Partial sums over all parts.
constexpr std::int64_t kPartialBytes = std::int64_t{8} << 20;

}  // namespace

template <class T>
WinogradGradient<T>::WinogradGradient(const ConvShape& shape, const T* x, const T* dy, T* dkernel,
                                      T* dbias, int threads)
    : transforms_(&winograd_kernels<T>(shape)),
      shape_(shape),
      x_(x),
      dy_(dy),
      dkernel_(dkernel),
      dbias_(dbias),
      zeros_(static_cast<std::size_t>(std::max(shape.channels(), shape.filters))),
      tile_rows_(ceil_div(shape.window.h.out, transforms_->tile)),
      tile_columns_(ceil_div(shape.window.w.out, transforms_->tile)) {
  const std::int64_t panel = kernels<T>().conv->panel;
  const std::int64_t image_tiles = std::max<std::int64_t>(tile_rows_ * tile_columns_, 1);
  const std::int64_t width = std::min(whole_vectors(shape.filters), kBlockColumns);
  const std::int64_t most =
      block_tiles<T>(whole_vectors(shape.channels()) + width, kLeastGradientTiles);
  images_per_block_ =
      std::clamp<std::int64_t>(most / image_tiles, 1, std::max<std::int64_t>(shape.batch(), 1));
  const std::int64_t tiles = images_per_block_ * image_tiles;
  block_ = ceil_div(tiles, ceil_div(tiles, most));
  const std::int64_t groups = std::max<std::int64_t>(ceil_div(shape.batch(), images_per_block_), 1);
  const std::int64_t bytes =
      kWinogradPoints * shape.channels() * shape.filters * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t limit = std::min({kPartialBytes / bytes, groups, kMostParts});
  parts_ = 1;
  while (2 * parts_ <= limit) parts_ *= 2;
  part_groups_ = ceil_div(groups, parts_);
  parts_ = ceil_div(groups, part_groups_);
  // Each part of the columns transforms the input anew: few parts, unless there is no other task.
  const std::int64_t wanted = std::max<std::int64_t>(kMostParts / 2 / parts_, 1);
  const bool few = parts_ * ceil_div(shape.filters, kBlockColumns) < kFewTasks;
  const std::int64_t least = few ? kBlockColumns / 2 : kBlockColumns;
  column_part_ = round_up(std::max(ceil_div(shape.filters, wanted), least), panel);
  column_part_ = std::min(column_part_, round_up(shape.filters, panel));
  column_parts_ = ceil_div(shape.filters, column_part_);
  threads_ = shape.flops() < 4.0 * kSerialFlops ? 1 : threads;
}

// Of a task: the sums at all points, then those of dbias.
template <class T>
std::int64_t WinogradGradient<T>::sums_elements() const {
  return kWinogradPoints * sums_stride() + whole_vectors(column_part_);
}
template <class T>
std::int64_t WinogradGradient<T>::sums_stride() const {
  return point_stride(shape_.channels() * column_part_);
}

// Of a task: both transforms of a block, and its sums where nobody else has them.
template <class T>
std::int64_t WinogradGradient<T>::scratch_elements() const {
  const std::int64_t x = point_stride(block_ * whole_vectors(shape_.channels()));
  const std::int64_t dy = point_stride(block_ * whole_vectors(column_part_));
  return kWinogradPoints * (x + dy) + (parts_ == 1 ? sums_elements() : 0);
}

template <class T>
std::size_t WinogradGradient<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  const std::int64_t tasks = parts_ * column_parts_;
  met_ = pieces.take<std::uint32_t>(tasks);
  sums_ = pieces.take<T>(parts_ > 1 ? tasks * sums_elements() : 0);
  scratch_.take(pieces, threads_, tasks, scratch_elements());
  return pieces.bytes();
}

// `sums` of all tasks, part by part; null where there is one part: then a task finishes its
// columns.
template <class T>
void WinogradGradient<T>::run_task(std::int64_t task, T* sums, T* scratch) const {
  const std::int64_t channels = shape_.channels(), filters = shape_.filters;
  const std::int64_t column = task % column_parts_ * column_part_, part = task / column_parts_;
  const std::int64_t columns = std::min(column_part_, filters - column);
  WinogradTiles<T> x{}, dy{};
  const WindowAxis &h = shape_.window.h, &w = shape_.window.w;
  x.height = h.in;
  x.width = w.in;
  x.ld = x.channels = channels;
  x.before_row = h.before;
  x.before_column = w.before;
  dy.height = h.out;
  dy.width = w.out;
  dy.ld = filters;
  dy.channels = columns;
  x.tile_rows = dy.tile_rows = tile_rows_;
  x.tile_columns = dy.tile_columns = tile_columns_;
  x.tile_stride = whole_vectors(channels);
  dy.tile_stride = whole_vectors(columns);
  x.point_stride = point_stride(block_ * x.tile_stride);
  dy.point_stride = point_stride(block_ * dy.tile_stride);
  const std::int64_t transformed = kWinogradPoints * (x.point_stride + dy.point_stride);
  x.transformed = scratch;
  dy.transformed = x.transformed + kWinogradPoints * x.point_stride;
  T* d = sums != nullptr ? sums + task * sums_elements() : x.transformed + transformed;
  T* dbias = sums != nullptr ? d + kWinogradPoints * sums_stride() : dbias_ + column;
  WinogradProduct<T> product{};
  product.x = x.transformed;
  product.b = dy.transformed;
  product.y = d;
  product.x_stride = x.point_stride;
  product.b_stride = dy.point_stride;
  product.y_stride = sums_stride();
  product.ldx = x.tile_stride;
  product.ldb = dy.tile_stride;
  product.ldy = column_part_;
  product.channels = channels;
  product.n = columns;
  const std::int64_t image_tiles = tile_rows_ * tile_columns_, places = shape_.places();
  const std::int64_t first = part * part_groups_ * images_per_block_;
  const std::int64_t last = std::min(shape_.batch(), first + part_groups_ * images_per_block_);
  std::uint32_t met = 0;
  for (std::int64_t image = first; image < last; image += images_per_block_) {
    const std::int64_t images = std::min(images_per_block_, last - image);
    const std::int64_t end = (image + images) * image_tiles;
    for (std::int64_t tile = image * image_tiles; tile < end && !interrupted(); tile += block_) {
      x.first = dy.first = tile;
      x.count = dy.count = product.tiles = std::min(block_, end - tile);
      met = transforms_->taps_met(x, x_, dy, dy_ + column, met);
      transforms_->input(x, x_, zeros_.data());
      transforms_->output_gradient(dy, dy_ + column, zeros_.data());
      product.accumulate = tile > first * image_tiles;
      transforms_->gradient(product);
    }
    if (dbias_ != nullptr) {
      kernels<T>().reduce->sum_rows(dy_ + image * places * filters + column, filters, dbias,
                                    images * places, columns, image > first);
    }
  }
  met_[task] = met;
  if (sums == nullptr) finish(column, 0, channels, d);
}

// Some channels of the columns whose sums begin at d, from all parts.
template <class T>
void WinogradGradient<T>::finish(std::int64_t column, std::int64_t channel, std::int64_t channels,
                                 const T* d) const {
  const std::int64_t filters = shape_.filters, columns = std::min(column_part_, filters - column);
  std::uint32_t met = 0;
  for (std::int64_t part = 0; part < parts_; ++part)
    met |= met_[part * column_parts_ + column / column_part_];
  for (std::int64_t c = channel; c < channel + channels; ++c) {
    transforms_->weights_gradient(d + c * column_part_, parts_, column_parts_ * sums_elements(),
                                  sums_stride(), met, dkernel_ + c * filters + column,
                                  shape_.channels() * filters, columns);
  }
}

template <class T>
void WinogradGradient<T>::run() {
  const std::int64_t channels = shape_.channels(), filters = shape_.filters;
  if (shape_.batch() * shape_.places() == 0) {
    std::fill(dkernel_, dkernel_ + shape_.taps() * channels * filters, T(0));
    if (dbias_ != nullptr) std::fill(dbias_, dbias_ + filters, T(0));
    return;
  }
  const std::int64_t tasks = parts_ * column_parts_;
  T* sums = parts_ > 1 ? sums_ : nullptr;
  parallel_for(tasks, threads_,
               [&](std::int64_t task, int thread) { run_task(task, sums, scratch_.of(thread)); });
  if (parts_ == 1) return;
  constexpr std::int64_t kChannels = 16;  // by one task
  const std::int64_t some = ceil_div(channels, kChannels);
  parallel_for(column_parts_ * some, threads_, [&](std::int64_t task, int) {
    const std::int64_t part = task / some, channel = task % some * kChannels;
    finish(part * column_part_, channel, std::min(kChannels, channels - channel),
           sums + part * sums_elements());
  });
  if (dbias_ == nullptr) return;
  for (std::int64_t j = 0; j < filters; ++j) {
    const T* from = sums + j / column_part_ * sums_elements() + kWinogradPoints * sums_stride() +
                    j % column_part_;
    T sum = from[0];
    for (std::int64_t p = 1; p < parts_; ++p) sum += from[p * column_parts_ * sums_elements()];
    dbias_[j] = sum;
  }
}

template class WinogradGradient<float>;
template class WinogradGradient<double>;

}  // namespace dlnative
