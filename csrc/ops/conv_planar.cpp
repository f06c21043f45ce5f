#include <algorithm>
#include <cstring>

#include "core/aligned.h"
#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "ops/conv.h"

namespace dlnative {

namespace {

constexpr std::int64_t kBandBytes = 96 << 10;  // of planes: they stay in the second-level cache
constexpr std::int64_t kSlack = 16;            // what the last tile of a row may read past the end

// Elements up to the next multiple of what the widest vector holds.
std::int64_t whole_vectors(std::int64_t a) {
  return round_up(a, 16);
}

}  // namespace

template <class T>
PlanarConv<T>::PlanarConv(const ConvShape& shape, const T* x)
    : kernels_(kernels<T>().conv), shape_(shape), x_(x) {
  const WindowAxis h = shape.window.h, w = shape.window.w;
  const std::int64_t channels = shape.channels(), out_rows = std::max<std::int64_t>(h.out, 1);
  k_ = shape.taps() * channels;
  line_ = w.out + (w.span() - 1) / w.stride;
  const std::int64_t row_bytes =
      h.stride * w.stride * line_ * channels * static_cast<std::int64_t>(sizeof(T));
  band_ = std::clamp<std::int64_t>(kBandBytes / row_bytes, 1, out_rows);
  while (out_rows % band_ != 0) --band_;  // all bands are equal: they share the tables
  plane_ = ((band_ - 1) * h.stride + h.span()) * line_;
  planes_ = whole_vectors(channels * w.stride * plane_ + kSlack);
  for (std::int64_t t = 0; t < shape.taps(); ++t) {
    const std::int64_t row = t / w.window * h.dilation, column = t % w.window * w.dilation;
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t plane = c * w.stride + column % w.stride;
      offsets_.push_back(
          static_cast<std::int32_t>(plane * plane_ + row * line_ + column / w.stride));
    }
  }
}

template <class T>
PlanarConv<T> PlanarConv<T>::forward(const ConvShape& shape, const T* x, const T* kernel, T* y,
                                     const ConvExtras<T>& extras) {
  PlanarConv conv(shape, x);
  conv.kernel_ = kernel;
  conv.y_ = y;
  conv.extras_ = extras;
  return conv;
}

template <class T>
PlanarConv<T> PlanarConv<T>::gradient(const ConvShape& shape, const T* x, const T* dy, T* dkernel,
                                      T* dbias) {
  PlanarConv conv(shape, x);
  conv.dy_ = dy;
  conv.dkernel_ = dkernel;
  conv.dbias_ = dbias;
  conv.parts_ = shape.flops() < 4.0 * kSerialFlops
                    ? 1
                    : std::clamp<std::int64_t>(shape.batch(), 1, kMostParts);
  // The values of a window are the rows of the product, in tiles that are as equal as can be; the
  // rows of dy take the part of the taps, and their pixels that of the channels.
  const std::int64_t most = conv.kernels_->tile_rows, tiles = ceil_div(conv.k_, most),
                     rows = conv.band_;
  conv.tile_ = std::max<std::int64_t>(ceil_div(conv.k_, std::max<std::int64_t>(tiles, 1)), 1);
  conv.rows_.assign(static_cast<std::size_t>(ceil_div(conv.k_, conv.tile_) * rows * most), -1);
  for (std::int64_t i = 0; i < conv.k_; ++i) {
    for (std::int64_t r = 0; r < rows; ++r) {
      conv.rows_[static_cast<std::size_t>((i / conv.tile_ * rows + r) * most + i % conv.tile_)] =
          static_cast<std::int32_t>(conv.offsets_[static_cast<std::size_t>(i)] +
                                    r * shape.window.h.stride * conv.line_);
    }
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    conv.lines_.push_back(static_cast<std::int32_t>(r * shape.window.w.out * shape.filters));
  }
  return conv;
}

template <class T>
void PlanarConv<T>::fill_planes(std::int64_t image, std::int64_t first_row, std::int64_t rows,
                                T* planes) const {
  const WindowAxis h = shape_.window.h, w = shape_.window.w;
  const std::int64_t channels = shape_.channels(), count = (rows - 1) * h.stride + h.span();
  const T* from = x_ + image * shape_.image() * channels;
  for (std::int64_t p = 0; p < channels * w.stride; ++p) {
    const std::int64_t channel = p / w.stride, phase = p % w.stride;
    // Column i of the plane is pixel i * stride + phase - before of the image.
    const std::int64_t begin = std::clamp<std::int64_t>(
        ceil_div(std::max<std::int64_t>(w.before - phase, 0), w.stride), 0, line_);
    const std::int64_t pixels = w.in + w.before - phase;
    const std::int64_t end =
        std::clamp<std::int64_t>(pixels > 0 ? ceil_div(pixels, w.stride) : 0, begin, line_);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t row = h.first(first_row) + i;
      T* to = planes + p * plane_ + i * line_;
      if (row < 0 || row >= h.in) {
        std::fill(to, to + line_, T(0));
        continue;
      }
      std::fill(to, to + begin, T(0));
      const T* pixel =
          from + (row * w.in + begin * w.stride + phase - w.before) * channels + channel;
      const std::int64_t step = w.stride * channels;
      if (step == 1) {
        std::memcpy(to + begin, pixel, sizeof(T) * static_cast<std::size_t>(end - begin));
      } else {
        for (std::int64_t j = begin; j < end; ++j, pixel += step) to[j] = *pixel;
      }
      std::fill(to + end, to + line_, T(0));
    }
  }
}

template <class T>
void PlanarConv<T>::run_forward() {
  const WindowAxis h = shape_.window.h, w = shape_.window.w;
  const std::int64_t filters = shape_.filters, rows = h.out, batch = shape_.batch();
  const std::int64_t size = whole_vectors(kernels_->packed_elements(1, k_, filters));
  T* packed = static_cast<T*>(
      region_scratch(static_cast<std::size_t>(size + 2 * whole_vectors(filters)) * sizeof(T)));
  const T* bias = extras_.epilogue.bias;
  const std::int32_t whole = 0;
  TapWeights<T> weights{kernel_, &whole, 1, k_, filters, filters, 1, nullptr};
  if (extras_.variance != nullptr) {
    T* scale = packed + size;
    fold_batch_norm(extras_, filters, scale, scale + whole_vectors(filters));
    weights.scale = scale;
    bias = scale + whole_vectors(filters);
  }
  kernels_->pack(weights, 0, filters, packed);
  const int threads = shape_.flops() < kSerialFlops ? 1 : num_threads();
  // Images are tasks; few images are cut into bands of rows, unless moments are asked for.
  std::int64_t part = rows;
  if (extras_.moments == nullptr && batch < 4 * threads) {
    part = std::max(ceil_div(rows, ceil_div(4 * threads, std::max<std::int64_t>(batch, 1))),
                    std::min<std::int64_t>(rows, 4));
  }
  const std::int64_t parts = rows > 0 ? ceil_div(rows, part) : 0;
  parallel_for(batch * parts, threads, [&](std::int64_t task, int) {
    const std::int64_t image = task / parts, first = task % parts * part,
                       last = std::min(rows, first + part);
    T* planes = static_cast<T*>(thread_scratch(static_cast<std::size_t>(planes_) * sizeof(T)));
    for (std::int64_t row = first; row < last; row += band_) {
      const std::int64_t band = std::min(band_, last - row),
                         at = (image * shape_.places() + row * w.out) * filters;
      fill_planes(image, row, band, planes);
      GemmEpilogue<T> epilogue = extras_.epilogue;
      epilogue.bias = bias;
      epilogue.ld_saved = filters;
      if (epilogue.relu_saved != nullptr) epilogue.relu_saved += at;
      if (epilogue.saved != nullptr) epilogue.saved += at;
      if (epilogue.pre_activation != nullptr) epilogue.pre_activation += at;
      kernels_->planar(PlanarProduct<T>{planes, h.stride * line_, offsets_.data(), k_, packed,
                                        y_ + at, filters, band, w.out, filters, &epilogue});
    }
    if (extras_.moments != nullptr) take_moments(extras_, shape_, y_, image, 0, filters);
  });
}

template <class T>
void PlanarConv<T>::run_part(std::int64_t part, T* partial) const {
  const WindowAxis h = shape_.window.h, w = shape_.window.w;
  const std::int64_t filters = shape_.filters, size = k_ * filters;
  T* dkernel = partial == nullptr ? dkernel_
                                  : partial + part * (whole_vectors(size) + whole_vectors(filters));
  T* dbias = partial == nullptr ? dbias_ : dkernel + whole_vectors(size);
  const std::int64_t images = ceil_div(shape_.batch(), parts_);
  const std::int64_t first = part * images, last = std::min(shape_.batch(), first + images);
  const std::int64_t packed = kernels_->packed_elements(band_, w.out, filters);
  T* planes =
      static_cast<T*>(thread_scratch(static_cast<std::size_t>(planes_ + packed) * sizeof(T)));
  const GemmEpilogue<T> plain;
  TapProduct<T> product{};
  product.x = planes;
  product.rows = rows_.data();
  product.zeros = planes;
  product.b = planes + planes_;
  product.y = dkernel;
  product.ldy = filters;
  product.pixels = k_;
  product.taps = band_;
  product.channels = w.out;
  product.n = filters;
  product.tile = tile_;
  product.epilogue = &plain;
  if (first >= last) {  // no image was left for this part
    std::fill(dkernel, dkernel + size, T(0));
    if (dbias_ != nullptr) std::fill(dbias, dbias + filters, T(0));
  }
  for (std::int64_t image = first; image < last; ++image) {
    for (std::int64_t row = 0; row < h.out; row += band_) {
      const T* dy = dy_ + (image * shape_.places() + row * w.out) * filters;
      fill_planes(image, row, band_, planes);
      kernels_->pack(TapWeights<T>{dy, lines_.data(), band_, w.out, filters, filters, 1, nullptr},
                     0, filters, planes + planes_);
      product.accumulate = image > first || row > 0;
      kernels_->product(product);
      if (dbias_ != nullptr) {
        kernels<T>().reduce->sum_rows(dy, filters, dbias, band_ * w.out, filters,
                                      product.accumulate);
      }
    }
  }
}

template <class T>
void PlanarConv<T>::run_gradient() {
  const std::int64_t filters = shape_.filters, size = k_ * filters;
  if (shape_.batch() * shape_.places() == 0) {
    std::fill(dkernel_, dkernel_ + size, T(0));
    if (dbias_ != nullptr) std::fill(dbias_, dbias_ + filters, T(0));
    return;
  }
  const std::int64_t stride = whole_vectors(size) + whole_vectors(filters);
  T* partial =
      parts_ == 1
          ? nullptr
          : static_cast<T*>(region_scratch(static_cast<std::size_t>(parts_ * stride) * sizeof(T)));
  parallel_for(parts_, parts_ == 1 ? 1 : num_threads(),
               [&](std::int64_t part, int) { run_part(part, partial); });
  if (parts_ == 1) return;
  sum_parts(partial, parts_, stride, size, dkernel_);
  if (dbias_ != nullptr) sum_parts(partial + whole_vectors(size), parts_, stride, filters, dbias_);
}

template <class T>
void PlanarConv<T>::run() {
  if (y_ != nullptr) {
    run_forward();
  } else {
    run_gradient();
  }
}

template class PlanarConv<float>;
template class PlanarConv<double>;

}  // namespace dlnative
