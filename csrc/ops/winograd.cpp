#include "ops/winograd.h"

#include <algorithm>

#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"
#include "ops/winograd_parts.h"

namespace dlnative {

namespace {

constexpr std::int64_t kLeastTiles = 36;  // of a block

}  // namespace

int winograd_tile(const ConvShape& shape) {
  const WindowAxis &h = shape.window.h, &w = shape.window.w;
  const bool plain = h.stride == 1 && w.stride == 1 && h.dilation == 1 && w.dilation == 1 &&
                     shape.groups == 1 && shape.channels() > 0 && shape.filters > 0;
  if (!plain || h.window != w.window) return 0;
  for (int i = 0; i < kWinogradSizes; ++i) {
    const WinogradKernels<float>& kernels = dlnative::kernels<float>().winograd[i];
    if (h.window == kernels.taps) return kernels.tile;
  }
  return 0;
}

template <class T>
WinogradConv<T>::WinogradConv(const ConvShape& shape, const Image& in, const Image& result,
                              const T* x, const T* kernel, T* y, const ConvExtras<T>& extras,
                              bool backward, int threads)
    : panels_(kernels<T>().conv),
      transforms_(&winograd_kernels<T>(shape)),
      shape_(shape),
      in_(in),
      result_(result),
      x_(x),
      kernel_(kernel),
      y_(y),
      extras_(extras),
      backward_(backward),
      tile_rows_(ceil_div(result.height, transforms_->tile)),
      tile_columns_(ceil_div(result.width, transforms_->tile)),
      tiles_(shape.batch() * tile_rows_ * tile_columns_),
      block_columns_(round_up(kBlockColumns, panels_->panel)),
      zeros_(static_cast<std::size_t>(in.channels)) {
  block_columns_ = std::min(block_columns_, round_up(result.channels, panels_->panel));
  packed_ = point_stride(panels_->packed_elements(1, in.channels, block_columns_));
  for (std::int64_t t = 0; t < shape.taps(); ++t) {
    taps_.push_back(static_cast<std::int32_t>((backward ? shape.taps() - 1 - t : t) *
                                              shape.channels() * shape.filters));
  }
  plan(threads);
}

template <class T>
WinogradConv<T> WinogradConv<T>::forward(const ConvShape& shape, const T* x, const T* kernel, T* y,
                                         const ConvExtras<T>& extras, int threads) {
  const WindowAxis &h = shape.window.h, &w = shape.window.w;
  const Image in{h.in, w.in, shape.channels(), h.before, w.before};
  const Image result{h.out, w.out, shape.filters, 0, 0};
  return WinogradConv(shape, in, result, x, kernel, y, extras, false, threads);
}

template <class T>
WinogradConv<T> WinogradConv<T>::backward_input(const ConvShape& shape, const T* dy,
                                                const T* kernel, T* dx, const ConvExtras<T>& extras,
                                                int threads) {
  const WindowAxis &h = shape.window.h, &w = shape.window.w;
  const Image in{h.out, w.out, shape.filters, h.window - 1 - h.before, w.window - 1 - w.before};
  const Image result{h.in, w.in, shape.channels(), 0, 0};
  return WinogradConv(shape, in, result, dy, kernel, dx, extras, true, threads);
}

// Blocks of tiles, then columns, so that every thread has work.
template <class T>
void WinogradConv<T>::plan(int threads) {
  threads_ = threads;
  const std::int64_t columns = result_.channels, image_tiles = tile_rows_ * tile_columns_;
  if (shape_.flops() < 4.0 * kSerialFlops) threads_ = 1;
  const std::int64_t most =
      block_tiles<T>(whole_vectors(in_.channels) + std::min(columns, kBlockColumns), kLeastTiles);
  std::int64_t blocks = std::max<std::int64_t>(ceil_div(tiles_, most), 1);
  // A number that the threads share evenly, if that leaves enough rows for the products.
  const std::int64_t even = round_up(blocks, threads_);
  if (ceil_div(tiles_, even) >= kLeastTiles / 2) blocks = even;
  block_ = std::max<std::int64_t>(ceil_div(tiles_, blocks), 1);
  task_tiles_ = block_;
  if (extras_.moments != nullptr) {  // those of whole images
    task_tiles_ = std::max<std::int64_t>(block_ / image_tiles, 1) * image_tiles;
    block_ = ceil_div(task_tiles_, ceil_div(task_tiles_, block_));
  }
  const std::int64_t tasks = std::max<std::int64_t>(ceil_div(tiles_, task_tiles_), 1);
  const std::int64_t parts = std::max<std::int64_t>(threads_ / tasks, 1);
  column_part_ = round_up(ceil_div(columns, parts), column_step(extras_));
  column_parts_ = ceil_div(columns, column_part_);
  tasks_ = tiles_ > 0 ? tasks * column_parts_ : 0;
  packing_threads_ = in_.channels * columns > (std::int64_t{1} << 12) ? threads : 1;
}

template <class T>
std::size_t WinogradConv<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  const bool packs_for_all = !packs_in_tasks() && !extras_.keeps_weights;
  workspace_ = reinterpret_cast<T*>(
      pieces.take<std::byte>(packs_for_all ? static_cast<std::int64_t>(packed_bytes()) : 0));
  auto threads = std::min<std::int64_t>(threads_, tasks_);
  std::int64_t elements = scratch_elements();
  if (!packs_in_tasks()) {  // the weights of each block of columns are packed beforehand
    const std::int64_t blocks = ceil_div(result_.channels, block_columns_);
    threads = std::max(threads, std::min<std::int64_t>(packing_threads_, blocks));
    elements = std::max(elements, taps_elements());
  }
  scratch_.take(pieces, threads, threads, elements);
  return pieces.bytes();
}

template <class T>
std::int64_t WinogradConv<T>::in_stride() const {
  return point_stride(block_ * whole_vectors(in_.channels));
}
template <class T>
std::int64_t WinogradConv<T>::out_stride() const {
  return point_stride(block_ * whole_vectors(block_columns_));
}

// Of a task: its columns of the weights, where it packs them itself.
template <class T>
std::int64_t WinogradConv<T>::own_elements() const {
  return packs_in_tasks() ? kWinogradPoints * packed_ + taps_elements() : 0;
}

// Of a task: both transforms of a block, its weights, and a value per tile for which are empty.
template <class T>
std::int64_t WinogradConv<T>::scratch_elements() const {
  return kWinogradPoints * (in_stride() + out_stride()) + own_elements() + block_;
}

// The weights of all points, block_columns_ at a time, then a normalisation.
template <class T>
std::size_t WinogradConv<T>::packed_bytes() const {
  const std::int64_t folded = FoldedNorm<T>(extras_, shape_.filters).elements();
  return static_cast<std::size_t>(packed_elements() + folded) * sizeof(T);
}

template <class T>
std::int64_t WinogradConv<T>::packed_elements() const {
  return ceil_div(result_.channels, block_columns_) * kWinogradPoints * packed_;
}

template <class T>
void WinogradConv<T>::keep_packed() {
  std::string key = backward_ ? "winograd, backward" : "winograd";
  append_to_key(key, transforms_);
  append_to_key(key, kernel_);
  for (const std::int64_t size : {in_.channels, result_.channels}) append_to_key(key, size);
  FoldedNorm<T>(extras_, shape_.filters).append_to(key);
  weights_.keep(key, packed_bytes());
}

template <class T>
void WinogradConv<T>::pack(std::int64_t version) {
  weights_.refresh(version, [this](T* to) { pack_weights(to); });
}

template <class T>
void WinogradConv<T>::pack_weights(T* packed) const {
  const FoldedNorm<T> norm(extras_, shape_.filters);
  norm.write(packed + packed_elements());
  const T* scale = norm.scale(packed + packed_elements());
  const std::int64_t columns = result_.channels;
  const std::int64_t blocks = ceil_div(columns, block_columns_);
  parallel_for(blocks, packing_threads_, [&](std::int64_t block, int thread) {
    const std::int64_t first = block * block_columns_;
    pack_columns(first, std::min(block_columns_, columns - first), scale,
                 packed + block * kWinogradPoints * packed_, scratch_.of(thread));
  });
}

// Scratch of pack_columns.
template <class T>
std::int64_t WinogradConv<T>::taps_elements() const {
  return round_up(shape_.taps() * in_.channels * block_columns_, 16);
}

// Columns [column, column + columns) of the block that begins at `block`: the panels of all taps,
// then their transform in the same order.
template <class T>
void WinogradConv<T>::pack_columns(std::int64_t column, std::int64_t columns, const T* scale,
                                   T* block, T* scratch) const {
  const std::int64_t taps = shape_.taps(), channels = in_.channels;
  TapWeights<T> weights{};
  weights.w = kernel_;
  weights.taps = taps_.data();
  weights.count = taps;
  weights.channels = channels;
  weights.n = result_.channels;
  weights.rs = backward_ ? 1 : shape_.filters;
  weights.cs = backward_ ? shape_.filters : 1;
  weights.scale = scale;
  panels_->pack(weights, 0, taps, column, columns, scratch - column * taps * channels);
  for (std::int64_t j = 0; j < columns; j += panels_->panel) {
    const std::int64_t size =
        panels_->packed_elements(1, channels, std::min<std::int64_t>(panels_->panel, columns - j));
    transforms_->weights(scratch + j * taps * channels, size,
                         block + (column + j) % block_columns_ * channels, packed_, size);
  }
}

template <class T>
WinogradTiles<T> WinogradConv<T>::tiles_of(const Image& image, std::int64_t first,
                                           std::int64_t count, T* transformed) const {
  WinogradTiles<T> tiles{};
  tiles.height = image.height;
  tiles.width = image.width;
  tiles.ld = tiles.channels = image.channels;
  tiles.before_row = image.before_row;
  tiles.before_column = image.before_column;
  tiles.tile_rows = tile_rows_;
  tiles.tile_columns = tile_columns_;
  tiles.first = first;
  tiles.count = count;
  tiles.transformed = transformed;
  tiles.tile_stride = whole_vectors(image.channels);
  tiles.point_stride = point_stride(block_ * tiles.tile_stride);
  tiles.result_height = result_.height;
  tiles.result_width = result_.width;
  return tiles;
}

// Some tiles and columns: the input is transformed, then a block of columns after the other is
// multiplied and transformed back.
template <class T>
void WinogradConv<T>::run_task(std::int64_t task, const T* packed, const T* bias,
                               T* scratch) const {
  const std::int64_t first_column = task % column_parts_ * column_part_;
  const std::int64_t last_column = std::min(first_column + column_part_, result_.channels);
  const std::int64_t begin = task / column_parts_ * task_tiles_;
  const std::int64_t end = std::min(begin + task_tiles_, tiles_);
  T* transformed = scratch;
  T* products = transformed + kWinogradPoints * in_stride();
  T* own_packed = products + kWinogradPoints * out_stride();
  static_assert(sizeof(T) >= sizeof(std::uint16_t), "a value per tile holds its bits");
  auto* empty = reinterpret_cast<std::uint16_t*>(own_packed + own_elements());
  for (std::int64_t first = begin; first < end && !interrupted(); first += block_) {
    const std::int64_t count = std::min(block_, end - first);
    WinogradTiles<T> patches = tiles_of(in_, first, count, transformed);
    patches.empty = empty;
    const bool any_empty = transforms_->input(patches, x_, zeros_.data());
    for (std::int64_t column = first_column, columns = 0; column < last_column; column += columns) {
      const std::int64_t within = column % block_columns_;
      columns = std::min(block_columns_ - within, last_column - column);
      const T* block = own_packed;
      if (packs_in_tasks()) {
        pack_columns(column, columns, nullptr, own_packed, own_packed + kWinogradPoints * packed_);
      } else {
        block = packed + column / block_columns_ * kWinogradPoints * packed_;
      }
      WinogradProduct<T> product{};
      product.x = transformed;
      product.b = block + within * in_.channels;
      product.y = products;
      product.x_stride = in_stride();
      product.b_stride = packed_;
      product.y_stride = out_stride();
      product.ldx = whole_vectors(in_.channels);
      product.ldy = whole_vectors(block_columns_);
      product.tiles = count;
      product.channels = in_.channels;
      product.n = columns;
      transforms_->product(product);
      WinogradTiles<T> tiles = tiles_of(result_, first, count, products);
      tiles.channels = columns;
      tiles.tile_stride = whole_vectors(block_columns_);
      tiles.point_stride = out_stride();
      tiles.empty = any_empty ? empty : nullptr;
      const GemmEpilogue<T> epilogue =
          epilogue_of_part(extras_, bias, column, column, result_.channels);
      transforms_->output(tiles, y_ + column, extras_.residual != nullptr, epilogue);
    }
  }
  if (extras_.moments == nullptr) return;
  const std::int64_t image_tiles = tile_rows_ * tile_columns_;
  for (std::int64_t image = begin / image_tiles; image < end / image_tiles; ++image)
    take_moments(extras_, shape_, y_, image, first_column, last_column - first_column);
}

template <class T>
void WinogradConv<T>::run() {
  if (tasks_ == 0) return;
  place_residual(extras_, shape_.batch() * result_.height * result_.width * result_.channels, y_);
  const auto run_with = [this](const T* packed, const T* bias) {
    parallel_for(tasks_, threads_, [&](std::int64_t task, int thread) {
      run_task(task, packed, bias, scratch_.of(thread));
    });
  };
  if (packs_in_tasks()) return run_with(nullptr, extras_.epilogue.bias);
  const auto weights = weights_.use(workspace_, [this](T* to) { pack_weights(to); });
  const T* packed = weights.data();
  run_with(packed, FoldedNorm<T>(extras_, shape_.filters).bias(packed + packed_elements()));
}

template class WinogradConv<float>;
template class WinogradConv<double>;

}  // namespace dlnative
