#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"
#include "ops/conv.h"
#include "ops/map.h"

namespace dlnative {

namespace {

// Partial sums of the gradient: over all parts, and of one. Larger gradients are cut by columns
// alone: with two parts of 2.4 MB, 256 channels run at 0.85 of the peak, with one at 1.0 (Zen 3,
// 2026-11).
constexpr std::int64_t kPartialBytes = std::int64_t{8} << 20, kPartBytes = std::int64_t{1} << 20;

// Calls f(pixel) for all pixels of the rows of x from that of pixel `lowest` to that of `highest`:
// image by image, and in each those that one tap reads side by side.
template <class F>
void for_each_pixel(const Window& window, std::int64_t lowest, std::int64_t highest, F&& f) {
  const WindowAxis h = window.h, w = window.w;
  if (highest < lowest) return;
  for (std::int64_t image = lowest / (h.in * w.in); image <= highest / (h.in * w.in); ++image) {
    const std::int64_t first = std::max<std::int64_t>(lowest / w.in - image * h.in, 0);
    const std::int64_t last = std::min(highest / w.in - image * h.in, h.in - 1);
    for (std::int64_t phase = 0; phase < h.stride * w.stride; ++phase) {
      for (std::int64_t row = round_up(first, h.stride) + phase / w.stride - h.stride; row <= last;
           row += h.stride) {
        if (row < first) continue;
        for (std::int64_t column = phase % w.stride; column < w.in; column += w.stride)
          f((image * h.in + row) * w.in + column);
      }
    }
  }
}

// At most so many pixels of x are read by a round of so many neighbouring pixels of y, counted
// through `images` images: what the rows of y meet that it touches, with all of their columns.
std::int64_t most_sources(const ConvShape& shape, std::int64_t images, std::int64_t round) {
  const WindowAxis &h = shape.window.h, &w = shape.window.w;
  const auto met = [](const WindowAxis& a, std::int64_t first, std::int64_t last) {
    std::vector<bool> pixels(static_cast<std::size_t>(a.in), false);
    for (std::int64_t o = first; o <= last; ++o) {
      for (std::int64_t t = a.first_tap(o); t < a.last_tap(o); ++t)
        pixels[static_cast<std::size_t>(a.first(o) + t * a.dilation)] = true;
    }
    return static_cast<std::int64_t>(std::count(pixels.begin(), pixels.end(), true));
  };
  const std::int64_t columns = met(w, 0, w.out - 1), pixels = images * shape.places();
  std::int64_t most = 0;
  for (std::int64_t begin = 0; begin < pixels; begin += round) {
    const std::int64_t last = std::min(begin + round, pixels) - 1;
    std::int64_t rows = 0;
    for (std::int64_t image = begin / shape.places(); image <= last / shape.places(); ++image) {
      const std::int64_t at = image * shape.places();
      rows += met(h, std::max<std::int64_t>(begin - at, 0) / w.out,
                  std::min(last - at, shape.places() - 1) / w.out);
    }
    most = std::max(most, rows * columns);
  }
  return most;
}

}  // namespace

// As many parts as the partial sums allow, then columns.
template <class T>
GradientParts<T>::GradientParts(const ConvShape& shape)
    : images(images_per_table(shape, shape.places())),
      partial_elements(whole_vectors(shape.taps() * shape.group_channels() * shape.filters) +
                       whole_vectors(shape.filters)) {
  const std::int64_t batches = std::max<std::int64_t>(ceil_div(shape.batch(), images), 1);
  const std::int64_t part_bytes = partial_elements * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t most =
      std::min({kPartialBytes / std::max<std::int64_t>(part_bytes, 1), batches, kMostParts});
  if (part_bytes <= kPartBytes && shape.flops() >= 4.0 * kSerialFlops)
    while (2 * splits <= most) splits *= 2;  // equal parts of the usual batches
  batches_per_split = ceil_div(batches, splits);
  splits = ceil_div(batches, batches_per_split);
  column_part =
      round_up(ceil_div(shape.group_filters(), ceil_div(kMostParts / 2, splits * shape.groups)),
               kernels<T>().conv->panel);
  column_parts = std::max<std::int64_t>(ceil_div(shape.group_filters(), column_part), 1);
}

template <class T>
ConvGradient<T>::Memory::Memory(const ConvShape& shape, const GradientParts<T>& parts, int threads,
                                void* workspace) {
  const ConvKernels<T>& kernels = *dlnative::kernels<T>().conv;
  WorkspacePieces pieces(workspace);
  partial = pieces.take<T>(parts.elements());
  const std::int64_t rows = kernels.gradient_rows(shape.group_channels(), shape.group_filters());
  const std::int64_t sources = most_sources(shape, parts.images, kernels.gradient_pixels);
  scratch.take(pieces, shape.flops() < kSerialFlops ? 1 : threads, parts.tasks(shape),
               kernels.gradient_scratch(sources, rows));
  bytes = pieces.bytes();
}

template <class T>
std::size_t ConvGradient<T>::workspace_bytes(const ConvShape& shape, int threads) {
  return Memory(shape, GradientParts<T>(shape), threads, nullptr).bytes;
}

template <class T>
std::size_t ConvGradient<T>::set_workspace(void* workspace) {
  memory_ = Memory(shape_, parts_, threads_, workspace);
  return memory_.bytes;
}

template <class T>
ConvGradient<T>::ConvGradient(const ConvShape& shape, const T* x, const T* dy, T* dkernel, T* dbias,
                              int threads)
    : kernels_(kernels<T>().conv),
      shape_(shape),
      x_(x),
      dy_(dy),
      dkernel_(dkernel),
      dbias_(dbias),
      parts_(shape),
      threads_(shape.flops() < kSerialFlops ? 1 : threads),
      memory_(shape, parts_, threads_, nullptr) {
  const WindowAxis h = shape.window.h, w = shape.window.w;
  const std::int64_t places = shape.places();
  const std::int64_t pixels = parts_.images * places;
  rows_ = kernels_->gradient_rows(shape.group_channels(), shape.group_filters());
  // The pixel of the input that tap t of pixel i reads, or -1.
  const auto pixel_read = [&](std::int64_t t, std::int64_t i) {
    const std::int64_t image = i / places, place = i % places;
    const std::int64_t row = h.first(place / w.out) + t / w.window * h.dilation;
    const std::int64_t column = w.first(place % w.out) + t % w.window * w.dilation;
    const bool inside = row >= 0 && row < h.in && column >= 0 && column < w.in;
    return static_cast<std::int32_t>(inside ? (image * h.in + row) * w.in + column : -1);
  };
  const std::int64_t read_pixels = parts_.images * shape.image();
  std::vector<std::int32_t> number(static_cast<std::size_t>(read_pixels), -1);  // in the round
  for (std::int64_t begin = 0; begin < pixels; begin += kernels_->gradient_pixels) {
    const std::int64_t end = std::min<std::int64_t>(begin + kernels_->gradient_pixels, pixels);
    std::int64_t lowest = read_pixels, highest = -1;
    for (std::int64_t t = 0; t < shape.taps(); ++t) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t pixel = pixel_read(t, i);
        if (pixel < 0) continue;
        number[static_cast<std::size_t>(pixel)] = 0;
        lowest = std::min(lowest, pixel);
        highest = std::max(highest, pixel);
      }
    }
    source_starts_.push_back(static_cast<std::int32_t>(sources_.size()));
    source_ends_.push_back(static_cast<std::int32_t>(highest + 1));
    std::int32_t sources = 0;
    for_each_pixel(shape.window, lowest, highest, [&](std::int64_t pixel) {
      std::int32_t& n = number[static_cast<std::size_t>(pixel)];
      if (n < 0) return;
      n = sources++;
      sources_.push_back(static_cast<std::int32_t>(pixel));
    });
    for (std::int64_t t = 0; t < shape.taps(); ++t) {
      starts_.push_back(static_cast<std::int32_t>(entries_.size()));
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int32_t pixel = pixel_read(t, i);
        if (pixel < 0) continue;
        const std::int64_t place = number[static_cast<std::size_t>(pixel)] * rows_;
        entries_.push_back(
            {static_cast<std::int32_t>(place), static_cast<std::int32_t>(i - begin)});
      }
    }
    if (highest >= 0) std::fill(number.begin() + lowest, number.begin() + highest + 1, -1);
  }
  source_starts_.push_back(static_cast<std::int32_t>(sources_.size()));
  starts_.push_back(static_cast<std::int32_t>(entries_.size()));
}

template <class T>
void ConvGradient<T>::run_task(std::int64_t task, T* partial, T* scratch) const {
  const std::int64_t column = task % parts_.column_parts * parts_.column_part;
  task /= parts_.column_parts;
  const std::int64_t group = task % shape_.groups, split = task / shape_.groups;
  const std::int64_t columns = std::min(parts_.column_part, shape_.group_filters() - column);
  const std::int64_t at = group * shape_.group_filters() + column, places = shape_.places();
  T* dkernel = partial == nullptr ? dkernel_ : partial + split * parts_.partial_elements;
  T* dbias =
      partial == nullptr
          ? dbias_
          : dkernel + whole_vectors(shape_.taps() * shape_.group_channels() * shape_.filters);
  TapGradient<T> g{};
  g.sources = sources_.data();
  g.source_starts = source_starts_.data();
  g.source_ends = source_ends_.data();
  g.entries = entries_.data();
  g.starts = starts_.data();
  g.rows = rows_;
  g.ldx = shape_.channels();
  g.lddy = shape_.filters;
  g.d = dkernel + at;
  g.ldd = shape_.filters;
  g.tap_stride = shape_.group_channels() * shape_.filters;
  g.taps = shape_.taps();
  g.channels = shape_.group_channels();
  g.n = columns;
  g.stop = &interrupted;
  g.scratch = scratch;
  const std::int64_t first = split * parts_.batches_per_split * parts_.images;
  const std::int64_t last =
      std::min(shape_.batch(), first + parts_.batches_per_split * parts_.images);
  for (std::int64_t image = first; image < last && !interrupted(); image += parts_.images) {
    g.pixels = std::min(parts_.images, last - image) * places;
    g.input_pixels = std::min(parts_.images, last - image) * shape_.image();
    g.x = x_ + image * shape_.image() * shape_.channels() + group * shape_.group_channels();
    g.dy = dy_ + image * places * shape_.filters + at;
    g.accumulate = image > first;
    g.more = image + parts_.images < shape_.batch();
    kernels_->gradient(g);
    if (dbias_ != nullptr) {
      kernels<T>().reduce->sum_rows(g.dy, g.lddy, dbias + at, g.pixels, columns, g.accumulate);
    }
  }
}

template <class T>
void ConvGradient<T>::run() {
  const std::int64_t size = shape_.taps() * shape_.group_channels() * shape_.filters;
  if (shape_.batch() * shape_.places() == 0) {
    std::fill(dkernel_, dkernel_ + size, T(0));
    if (dbias_ != nullptr) std::fill(dbias_, dbias_ + shape_.filters, T(0));
    return;
  }
  T* partial = parts_.splits > 1 ? memory_.partial : nullptr;
  parallel_for(parts_.tasks(shape_), threads_, [&](std::int64_t task, int thread) {
    run_task(task, partial, memory_.scratch.of(thread));
  });
  if (parts_.splits == 1) return;
  sum_parts(partial, parts_.splits, parts_.partial_elements, size, dkernel_);
  if (dbias_ != nullptr)
    sum_parts(partial + whole_vectors(size), parts_.splits, parts_.partial_elements, shape_.filters,
              dbias_);
}

template <class T>
void sum_parts(const T* parts, std::int64_t count, std::int64_t stride, std::int64_t size, T* out) {
  const MapFunction add = (*kernels<T>().map)[Map::kAdd];
  for_each_chunk(size, kChunk, threads_for(0.3 * static_cast<double>(count * size)),
                 [&](std::int64_t begin, std::int64_t n) {
                   apply_map(add, parts + begin, parts + stride + begin, out + begin, n);
                   for (std::int64_t s = 2; s < count; ++s)
                     apply_map(add, out + begin, parts + s * stride + begin, out + begin, n);
                 });
}

template struct GradientParts<float>;
template struct GradientParts<double>;
template class ConvGradient<float>;
template class ConvGradient<double>;
template void sum_parts<float>(const float*, std::int64_t, std::int64_t, std::int64_t, float*);
template void sum_parts<double>(const double*, std::int64_t, std::int64_t, std::int64_t, double*);

}  // namespace dlnative
