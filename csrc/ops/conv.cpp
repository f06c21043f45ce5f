#include "ops/conv.h"

#include <algorithm>

#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

// Packed weights of this size are cut among threads rather than read by all of them.
constexpr std::int64_t kLargeWeights = std::int64_t{1} << 18;

constexpr std::int64_t kPackedPanels = 8;  // by one task

// Tasks of at least kSerialFlops even out threads of which one is held up.
constexpr std::int64_t kTasksPerThread = 8;

// Tasks per thread with which a task may be all phases of its images.
constexpr std::int64_t kJoinedTasks = 4;

// What tiles do of an epilogue, without what runs over rows that are in the cache.
template <class T>
GemmEpilogue<T> in_registers(GemmEpilogue<T> e) {
  e.activation = nullptr;
  e.activation_backward = nullptr;
  e.pre_activation = nullptr;
  return e;
}

// Cycles of tiles of so many pixels, where a tap takes `step` of them: taps that lie in the padding
// for all pixels of a tile are left out, so a tile as wide as a small image does less.
double tap_cycles(const std::vector<std::int32_t>& reached, std::int64_t taps, std::int64_t tile,
                  double step) {
  const auto pixels = static_cast<std::int64_t>(reached.size()) / std::max<std::int64_t>(taps, 1);
  double cycles = 0.0;
  for (std::int64_t i = 0; i < pixels; i += tile) {
    cycles += kTileEndCycles;
    for (std::int64_t t = 0; t < taps; ++t) {
      bool any = false;
      for (std::int64_t r = i; r < std::min(i + tile, pixels); ++r)
        any = any || reached[static_cast<std::size_t>(r * taps + t)] >= 0;
      if (any) cycles += step + kTapChangeCycles;
    }
  }
  return cycles;
}

}  // namespace

bool ConvShape::padded() const {
  for (const WindowAxis* axis : {&window.h, &window.w}) {
    if (axis->before > 0 || axis->first(axis->out - 1) + axis->span() > axis->in) return true;
  }
  return false;
}

double ConvShape::flops() const {
  return 2.0 * static_cast<double>(batch() * places()) *
         static_cast<double>(taps() * group_channels()) * static_cast<double>(filters);
}

template <class T>
DirectConv<T>::DirectConv(const ConvShape& shape, const T* in, const T* kernel, T* result,
                          const ConvExtras<T>& extras)
    : kernels_(kernels<T>().conv),
      shape_(shape),
      in_(in),
      kernel_(kernel),
      result_(result),
      extras_(extras) {}

// Adds the pixels (row0 + i * row_step, column0 + j * column_step) of the result. reach(row,
// column, tap) gives the pixel of the input that a tap reads, -1 for padding, or -2 where the tap
// is none of this phase's.
template <class T>
template <class Reach>
void DirectConv<T>::add_phase(std::int64_t row0, std::int64_t column0, std::int64_t row_step,
                              std::int64_t column_step, Reach reach) {
  Phase phase;
  const std::int64_t rows = ceil_div(result_height_ - row0, row_step);
  const std::int64_t columns = ceil_div(result_width_ - column0, column_step);
  phase.pixels = rows * columns;
  std::vector<std::int64_t> taps;
  // Taps are in the order of the pixels they read.
  for (std::int64_t i = 0; i < shape_.taps(); ++i) {
    const std::int64_t t = backward_ ? shape_.taps() - 1 - i : i;
    if (reach(row0, column0, t) == -2) continue;
    taps.push_back(t);
    phase.taps.push_back(static_cast<std::int32_t>(t * shape_.group_channels() * shape_.filters));
  }
  const std::int64_t count = static_cast<std::int64_t>(taps.size());
  const std::int64_t pixels = images_per_table_ * phase.pixels;
  const bool all = row_step == 1 && column_step == 1;
  std::vector<std::int32_t> reached(static_cast<std::size_t>(pixels * count), -1);
  if (!all) phase.out.resize(static_cast<std::size_t>(pixels));
  for (std::int64_t i = 0; i < pixels; ++i) {
    const std::int64_t image = i / phase.pixels, within = i % phase.pixels;
    const std::int64_t row = row0 + within / columns * row_step,
                       column = column0 + within % columns * column_step;
    if (!all) {
      phase.out[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(
          ((image * result_height_ + row) * result_width_ + column) * result_channels_);
    }
    for (std::int64_t t = 0; t < count; ++t) {
      const std::int64_t pixel = reach(row, column, taps[static_cast<std::size_t>(t)]);
      if (pixel < 0) continue;
      reached[static_cast<std::size_t>(i * count + t)] =
          static_cast<std::int32_t>((image * in_pixels_ + pixel) * in_channels_);
    }
  }
  // At least the eight sums that keep the units busy; a single vector has two.
  const std::int64_t most = kernels_->tile_rows;
  const std::int64_t vectors = ceil_div(
      std::min<std::int64_t>(columns_, kernels_->panel) * static_cast<std::int64_t>(sizeof(T)),
      kernel_table().vector_bytes);
  double least = 0.0;
  for (std::int64_t tile = most; tile * std::max<std::int64_t>(vectors, 2) >= 8 || tile == most;
       --tile) {
    const double cycles =
        tap_cycles(reached, count, tile,
                   static_cast<double>(tile * vectors) / 2.0 * static_cast<double>(channels_));
    if (tile == most || cycles < least) {
      least = cycles;
      phase.tile = tile;
    }
  }
  phase.rows.assign(static_cast<std::size_t>(ceil_div(pixels, phase.tile) * most * count), -1);
  for (std::int64_t i = 0; i < pixels; ++i) {
    for (std::int64_t t = 0; t < count; ++t) {
      const std::int64_t at = (i / phase.tile * count + t) * most + i % phase.tile;
      phase.rows[static_cast<std::size_t>(at)] = reached[static_cast<std::size_t>(i * count + t)];
    }
  }
  phases_.push_back(std::move(phase));
}

template <class T>
void DirectConv<T>::finish_phases() {
  for (Phase& phase : phases_) {
    phase.packed_at = packed_;
    packed_ += kernels_->packed_elements(static_cast<std::int64_t>(phase.taps.size()), channels_,
                                         columns_);
  }
  packed_ = round_up(packed_, static_cast<std::int64_t>(kAlignment));
  zeros_.assign(static_cast<std::size_t>(channels_), T(0));
}

template <class T>
DirectConv<T> DirectConv<T>::forward(const ConvShape& shape, const T* x, const T* kernel, T* y,
                                     const ConvExtras<T>& extras) {
  DirectConv conv(shape, x, kernel, y, extras);
  const WindowAxis h = shape.window.h, w = shape.window.w;
  conv.in_pixels_ = h.in * w.in;
  conv.in_channels_ = shape.channels();
  conv.result_height_ = h.out;
  conv.result_width_ = w.out;
  conv.result_channels_ = shape.filters;
  conv.channels_ = shape.group_channels();
  conv.columns_ = shape.group_filters();
  conv.images_per_table_ = images_per_table(shape, h.out * w.out);
  if (h.out * w.out > 0) {
    conv.add_phase(0, 0, 1, 1,
                   [&](std::int64_t row, std::int64_t column, std::int64_t t) -> std::int64_t {
                     const std::int64_t i = h.first(row) + t / w.window * h.dilation;
                     const std::int64_t j = w.first(column) + t % w.window * w.dilation;
                     return i < 0 || i >= h.in || j < 0 || j >= w.in ? -1 : i * w.in + j;
                   });
  }
  conv.finish_phases();
  return conv;
}

template <class T>
DirectConv<T> DirectConv<T>::backward_input(const ConvShape& shape, const T* dy, const T* kernel,
                                            T* dx, const ConvExtras<T>& extras) {
  DirectConv conv(shape, dy, kernel, dx, extras);
  const WindowAxis h = shape.window.h, w = shape.window.w;
  conv.backward_ = true;
  conv.in_pixels_ = h.out * w.out;
  conv.in_channels_ = shape.filters;
  conv.result_height_ = h.in;
  conv.result_width_ = w.in;
  conv.result_channels_ = shape.channels();
  conv.channels_ = shape.group_filters();
  conv.columns_ = shape.group_channels();
  conv.images_per_table_ = images_per_table(shape, h.in * w.in);
  // The place whose tap reads a pixel: (pixel + before - tap * dilation) / stride, where that is
  // whole.
  const auto place = [](const WindowAxis& a, std::int64_t pixel, std::int64_t tap) -> std::int64_t {
    const std::int64_t at = pixel + a.before - tap * a.dilation;
    if (at % a.stride != 0) return -2;
    return at < 0 || at / a.stride >= a.out ? -1 : at / a.stride;
  };
  for (std::int64_t i = 0; i < std::min(h.stride, h.in); ++i) {
    for (std::int64_t j = 0; j < std::min(w.stride, w.in); ++j) {
      conv.add_phase(i, j, h.stride, w.stride,
                     [&](std::int64_t row, std::int64_t column, std::int64_t t) -> std::int64_t {
                       const std::int64_t o = place(h, row, t / w.window),
                                          p = place(w, column, t % w.window);
                       return o == -2 || p == -2 ? -2 : o == -1 || p == -1 ? -1 : o * w.out + p;
                     });
    }
  }
  conv.finish_phases();
  return conv;
}

template <class T>
void DirectConv<T>::plan(int threads) {
  planned_for_ = threads_ = threads;
  tasks_ = 0;
  const std::int64_t batches = ceil_div(shape_.batch(), images_per_table_);
  const std::int64_t tables = static_cast<std::int64_t>(phases_.size()) * shape_.groups * batches;
  const double flops = shape_.flops();
  const std::int64_t wanted =
      threads == 1 || flops < kSerialFlops
          ? 1
          : std::clamp<std::int64_t>(static_cast<std::int64_t>(flops / kSerialFlops), threads,
                                     kTasksPerThread * threads);
  if (wanted == 1) threads_ = 1;  // too little work for a second thread
  const bool large = packed_ * static_cast<std::int64_t>(sizeof(T)) > kLargeWeights;
  whole_images_ =
      phases_.size() > 1 && !large && shape_.groups * batches >= kJoinedTasks * threads_;
  for (Phase& phase : phases_) {
    const std::int64_t pixels = std::min(images_per_table_, shape_.batch()) * phase.pixels;
    std::int64_t parts = tables > 0 && !whole_images_ ? ceil_div(wanted, tables) : 1;
    phase.pixel_part = round_up(std::max<std::int64_t>(pixels, 1), phase.tile);
    const std::int64_t step = column_step(extras_);
    phase.column_part = round_up(columns_, step);
    if (large || extras_.moments != nullptr) {
      phase.column_part = round_up(ceil_div(columns_, parts), step);
      parts = ceil_div(parts, ceil_div(columns_, phase.column_part));
    }
    if (parts > 1 && extras_.moments == nullptr) {  // moments are those of whole images
      phase.pixel_part =
          round_up(std::max<std::int64_t>(ceil_div(pixels, parts), 4 * phase.tile), phase.tile);
    }
    phase.pixel_parts = std::max<std::int64_t>(ceil_div(pixels, phase.pixel_part), 1);
    phase.column_parts = ceil_div(columns_, phase.column_part);
    phase.first_task = tasks_;
    tasks_ += shape_.groups * batches * phase.pixel_parts * phase.column_parts;
  }
  if (whole_images_) tasks_ = shape_.groups * batches;
}

template <class T>
std::size_t DirectConv<T>::set_workspace(void* workspace) {
  workspace_ = static_cast<T*>(workspace);
  return extras_.keeps_weights ? 0 : packed_bytes();
}

template <class T>
std::size_t DirectConv<T>::workspace_bytes(const ConvShape& shape, ConvDirection direction,
                                           const ConvExtras<T>& extras) {
  if (extras.keeps_weights) return 0;
  const ConvKernels<T>& kernels = *dlnative::kernels<T>().conv;
  const WindowAxis &h = shape.window.h, &w = shape.window.w;
  std::int64_t packed = 0;
  if (direction == ConvDirection::kForward) {
    if (shape.places() > 0)
      packed = kernels.packed_elements(shape.taps(), shape.group_channels(), shape.group_filters());
  } else {
    const auto taps_of_phase = [](const WindowAxis& a, std::int64_t pixel) {
      std::int64_t taps = 0;
      for (std::int64_t t = 0; t < a.window; ++t)
        taps += (pixel + a.before - t * a.dilation) % a.stride == 0 ? 1 : 0;
      return taps;
    };
    for (std::int64_t i = 0; i < std::min(h.stride, h.in); ++i) {
      for (std::int64_t j = 0; j < std::min(w.stride, w.in); ++j) {
        packed += kernels.packed_elements(taps_of_phase(h, i) * taps_of_phase(w, j),
                                          shape.group_filters(), shape.group_channels());
      }
    }
  }
  packed = round_up(packed, static_cast<std::int64_t>(kAlignment)) * shape.groups;
  return static_cast<std::size_t>(packed + FoldedNorm<T>(extras, shape.filters).elements()) *
         sizeof(T);
}

// The weights of all groups, then a normalisation.
template <class T>
std::size_t DirectConv<T>::packed_bytes() const {
  const std::int64_t folded = FoldedNorm<T>(extras_, shape_.filters).elements();
  return static_cast<std::size_t>(packed_ * shape_.groups + folded) * sizeof(T);
}

template <class T>
void DirectConv<T>::keep_packed() {
  std::string key = backward_ ? "direct, backward" : "direct";
  append_to_key(key, kernels_);
  append_to_key(key, kernel_);
  for (const std::int64_t size : {shape_.groups, channels_, columns_}) append_to_key(key, size);
  for (const Phase& phase : phases_) {
    append_to_key(key, phase.packed_at);
    for (const std::int32_t tap : phase.taps) append_to_key(key, tap);
  }
  FoldedNorm<T>(extras_, shape_.filters).append_to(key);
  weights_.keep(key, packed_bytes());
}

template <class T>
void DirectConv<T>::pack(std::int64_t version) {
  weights_.refresh(version, [this](T* to) { pack_weights(to); });
}

template <class T>
void DirectConv<T>::pack_weights(T* packed) const {
  const std::int64_t filters = shape_.filters;
  const FoldedNorm<T> norm(extras_, filters);
  norm.write(packed + packed_ * shape_.groups);
  const T* scale = norm.scale(packed + packed_ * shape_.groups);
  // A task packs some panels of one tap and group, whose rows are read side by side.
  const std::int64_t width = kPackedPanels * kernels_->panel, parts = ceil_div(columns_, width);
  const int threads = packed_ * shape_.groups > (std::int64_t{1} << 17) ? num_threads() : 1;
  for (const Phase& phase : phases_) {
    const std::int64_t taps = static_cast<std::int64_t>(phase.taps.size());
    parallel_for(shape_.groups * taps * parts, threads, [&](std::int64_t task, int) {
      const std::int64_t first = task % parts * width;
      const std::int64_t tap = task / parts % taps, group = task / parts / taps;
      TapWeights<T> weights{};
      weights.w = kernel_ + group * shape_.group_filters();
      weights.taps = phase.taps.data();
      weights.count = taps;
      weights.channels = channels_;
      weights.n = columns_;
      weights.rs = backward_ ? 1 : filters;
      weights.cs = backward_ ? filters : 1;
      weights.scale = scale != nullptr ? scale + group * shape_.group_filters() : nullptr;
      weights.for_taps = true;
      kernels_->pack(weights, tap, 1, first, std::min(width, columns_ - first),
                     packed + group * packed_ + phase.packed_at);
    });
  }
}

template <class T>
void DirectConv<T>::run_task(std::int64_t task, const T* packed, const T* bias) const {
  const std::int64_t batches = ceil_div(shape_.batch(), images_per_table_);
  if (whole_images_) {
    const std::int64_t group = task / batches, first_image = task % batches * images_per_table_;
    for (const Phase& phase : phases_) {
      if (interrupted()) return;
      run_images(phase, group, first_image, 0, 0, packed, bias);
    }
    return finish_images(group, first_image);
  }
  std::size_t p = phases_.size() - 1;
  while (phases_[p].first_task > task) --p;
  const Phase& phase = phases_[p];
  task -= phase.first_task;
  const std::int64_t column = task % phase.column_parts;
  task /= phase.column_parts;
  const std::int64_t pixel = task % phase.pixel_parts;
  task /= phase.pixel_parts;
  run_images(phase, task / batches, task % batches * images_per_table_, pixel * phase.pixel_part,
             column * phase.column_part, packed, bias);
}

template <class T>
void DirectConv<T>::run_images(const Phase& phase, std::int64_t group, std::int64_t first_image,
                               std::int64_t pixel, std::int64_t column, const T* packed,
                               const T* bias) const {
  const std::int64_t images = std::min(images_per_table_, shape_.batch() - first_image);
  const std::int64_t taps = static_cast<std::int64_t>(phase.taps.size());
  const std::int64_t result_pixels = result_height_ * result_width_;
  TapProduct<T> product{};
  product.pixels = std::min(phase.pixel_part, images * phase.pixels - pixel);
  if (product.pixels <= 0) return;
  product.n = std::min(phase.column_part, columns_ - column);
  product.x = in_ + first_image * in_pixels_ * in_channels_ + group * channels_;
  product.rows = phase.rows.data() + pixel / phase.tile * taps * kernels_->tile_rows;
  product.zeros = zeros_.data();
  product.b = packed + group * packed_ + phase.packed_at + column * taps * channels_;
  std::int64_t at = first_image * result_pixels * result_channels_ + group * columns_ + column;
  if (phase.out.empty()) {
    at += pixel * result_channels_;
  } else {
    product.out = phase.out.data() + pixel;
  }
  product.y = result_ + at;
  product.ldy = result_channels_;
  product.taps = taps;
  product.tile = phase.tile;
  product.channels = channels_;
  product.accumulate = extras_.residual != nullptr;
  GemmEpilogue<T> epilogue =
      epilogue_of_part(extras_, bias, group * columns_ + column, at, result_channels_);
  if (whole_images_) epilogue = in_registers(epilogue);
  product.epilogue = &epilogue;
  product.stop = &interrupted;
  kernels_->product(product);
  if (extras_.moments == nullptr) return;
  for (std::int64_t i = 0; i < images; ++i) {
    take_moments(extras_, shape_, result_, first_image + i, group * columns_ + column, product.n);
  }
}

template <class T>
void DirectConv<T>::finish_images(std::int64_t group, std::int64_t first_image) const {
  const std::int64_t images = std::min(images_per_table_, shape_.batch() - first_image);
  const std::int64_t pixels = result_height_ * result_width_, channels = result_channels_;
  const std::int64_t at = first_image * pixels * channels + group * columns_;
  const GemmEpilogue<T> e = epilogue_of_part(extras_, extras_.epilogue.bias, 0, at, channels);
  // With one group there are no gaps between pixels.
  const std::int64_t rows = shape_.groups == 1 ? 1 : images * pixels;
  const std::int64_t size = shape_.groups == 1 ? images * pixels * channels : columns_;
  for (std::int64_t i = 0; i < rows * channels; i += channels) {
    T* y = result_ + at + i;
    if (e.pre_activation != nullptr) std::copy(y, y + size, e.pre_activation + i);
    if (e.activation != nullptr) e.activation(y, y, size, e.params);
    if (e.activation_backward != nullptr) e.activation_backward(y, e.saved + i, y, size, e.params);
  }
}

template <class T>
void DirectConv<T>::run() {
  if (planned_for_ != num_threads()) plan(num_threads());
  if (tasks_ == 0) return;
  const auto weights = weights_.use(workspace_, [this](T* to) { pack_weights(to); });
  const T* packed = weights.data();
  const T* bias = FoldedNorm<T>(extras_, shape_.filters).bias(packed + packed_ * shape_.groups);
  place_residual(extras_, shape_.batch() * result_height_ * result_width_ * result_channels_,
                 result_);
  parallel_for(tasks_, threads_, [&](std::int64_t task, int) { run_task(task, packed, bias); });
}

template class DirectConv<float>;
template class DirectConv<double>;

}  // namespace dlnative
