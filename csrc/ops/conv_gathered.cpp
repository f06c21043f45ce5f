#include <algorithm>
#include <cstring>

#include "core/aligned.h"
#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "kernels/norm_kernels.h"
#include "ops/conv.h"

namespace dlnative {

namespace {

constexpr std::int64_t kBlockPixels = 256;            // gathered at a time: they stay in the caches
constexpr std::int64_t kBandBytes = 96 << 10;         // of padded input
constexpr double kSerialFlops = 1.5e6;                // a second thread does not pay below
constexpr std::int64_t kMostParts = 16;
constexpr std::int64_t kSlack = 64;                   // what a vector may run over

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a) { return ceil_div(a, 64) * 64; }

}  // namespace

template <class T>
GatheredConv<T>::GatheredConv(const ConvShape& shape, const T* x)
    : kernels_(kernels<T>().conv), gemm_(kernels<T>().gemm), shape_(shape), x_(x) {
  const WindowAxis h = shape.window.h, w = shape.window.w;
  const std::int64_t channels = shape.channels();
  k_ = shape.taps() * channels;
  width_ = (w.out - 1) * w.stride + w.span();
  const std::int64_t row_bytes = h.stride * width_ * channels * static_cast<std::int64_t>(sizeof(T));
  band_ = std::clamp<std::int64_t>(kBandBytes / row_bytes, 1, std::max<std::int64_t>(h.out, 1));
  // A row of taps is one run, unless dilation takes it apart.
  const std::int64_t pieces = w.dilation == 1 ? 1 : w.window;
  run_length_ = w.window / pieces * channels;
  for (std::int64_t i = 0; i < h.window; ++i) {
    for (std::int64_t j = 0; j < pieces; ++j) {
      runs_.push_back(static_cast<std::int32_t>((i * h.dilation * width_ + j * w.dilation) * channels));
    }
  }
}

template <class T>
GatheredConv<T> GatheredConv<T>::forward(const ConvShape& shape, const T* x, const T* kernel, T* y,
                                         const ConvExtras<T>& extras) {
  GatheredConv conv(shape, x);
  conv.kernel_ = kernel;
  conv.y_ = y;
  conv.extras_ = extras;
  return conv;
}

template <class T>
GatheredConv<T> GatheredConv<T>::gradient(const ConvShape& shape, const T* x, const T* dy, T* dkernel, T* dbias) {
  GatheredConv conv(shape, x);
  conv.dy_ = dy;
  conv.dkernel_ = dkernel;
  conv.dbias_ = dbias;
  conv.splits_ = shape.flops() < 4.0 * kSerialFlops ? 1 : std::clamp<std::int64_t>(shape.batch(), 1, kMostParts);
  return conv;
}

template <class T>
std::int64_t GatheredConv<T>::gather_elements() const {
  const WindowAxis h = shape_.window.h;
  const std::int64_t padded = ((band_ - 1) * h.stride + h.span()) * width_ * shape_.channels() + kSlack;
  return round_up(padded) + round_up(kBlockPixels * k_ + kSlack);
}

// The rows of the image that rows [first_row, first_row + rows) of y read, with their padding.
template <class T>
void GatheredConv<T>::pad(std::int64_t image, std::int64_t first_row, std::int64_t rows, T* to) const {
  const WindowAxis h = shape_.window.h, w = shape_.window.w;
  const std::int64_t channels = shape_.channels(), line = width_ * channels;
  const std::int64_t count = (rows - 1) * h.stride + h.span(), inside = std::min(w.in, width_ - w.before);
  const T* from = x_ + image * shape_.image() * channels;
  for (std::int64_t i = 0; i < count; ++i, to += line) {
    const std::int64_t row = h.first(first_row) + i;
    if (row < 0 || row >= h.in || inside <= 0) {
      std::fill(to, to + line, T(0));
      continue;
    }
    std::fill(to, to + w.before * channels, T(0));
    std::memcpy(to + w.before * channels, from + row * w.in * channels, sizeof(T) * static_cast<std::size_t>(inside * channels));
    std::fill(to + (w.before + inside) * channels, to + line, T(0));
  }
}

// Calls f(windows, first pixel, pixels) for blocks of gathered windows of these rows of y.
template <class T>
template <class F>
void GatheredConv<T>::for_each_block(std::int64_t image, std::int64_t first_row, std::int64_t rows, T* scratch,
                                     F&& f) const {
  const WindowAxis h = shape_.window.h, w = shape_.window.w;
  const std::int64_t channels = shape_.channels();
  T* windows = scratch + gather_elements() - round_up(kBlockPixels * k_ + kSlack);
  std::int32_t pixels[kBlockPixels];
  for (std::int64_t row = first_row; row < first_row + rows; row += band_) {
    const std::int64_t band = std::min(band_, first_row + rows - row), count = band * w.out;
    pad(image, row, band, scratch);
    for (std::int64_t begin = 0; begin < count; begin += kBlockPixels) {
      const std::int64_t n = std::min(kBlockPixels, count - begin);
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t pixel = begin + i;
        pixels[i] = static_cast<std::int32_t>((pixel / w.out * h.stride * width_ + pixel % w.out * w.stride) * channels);
      }
      kernels_->gather(WindowRows<T>{scratch, pixels, n, runs_.data(), static_cast<std::int64_t>(runs_.size()),
                                     run_length_, windows});
      f(windows, row * w.out + begin, n);
    }
  }
}

template <class T>
void GatheredConv<T>::run_forward() {
  const std::int64_t filters = shape_.filters, rows = shape_.window.h.out;
  const T* kernel = kernel_;
  const T* bias = extras_.epilogue.bias;
  if (extras_.variance != nullptr) {
    T* scale = static_cast<T*>(region_scratch(static_cast<std::size_t>((2 + k_) * filters) * sizeof(T)));
    fold_batch_norm(extras_, filters, scale, scale + filters);
    T* scaled = scale + 2 * filters;
    for (std::int64_t i = 0; i < k_ * filters; ++i) scaled[i] = kernel_[i] * scale[i % filters];
    kernel = scaled;
    bias = scale + filters;
  }
  const int threads = shape_.flops() < kSerialFlops ? 1 : num_threads();
  // Images are tasks; few images are cut into bands of rows, unless moments are asked for.
  std::int64_t part = rows;
  if (extras_.moments == nullptr && shape_.batch() < 4 * threads) {
    part = std::max(ceil_div(rows, ceil_div(4 * threads, std::max<std::int64_t>(shape_.batch(), 1))), std::min<std::int64_t>(rows, 4));
  }
  const std::int64_t parts = ceil_div(rows, part);
  const std::int64_t gathered = gather_elements();
  const std::int64_t elements = gathered + gemm_->scratch_elements(kBlockPixels, filters, k_);
  parallel_for(shape_.batch() * parts, threads, [&](std::int64_t task, int) {
    const std::int64_t image = task / parts, first = task % parts * part;
    T* scratch = static_cast<T*>(thread_scratch(static_cast<std::size_t>(elements) * sizeof(T)));
    for_each_block(image, first, std::min(part, rows - first), scratch, [&](const T* windows, std::int64_t pixel, std::int64_t n) {
      const std::int64_t at = (image * shape_.places() + pixel) * filters;
      GemmEpilogue<T> epilogue = extras_.epilogue;
      epilogue.bias = bias;
      if (epilogue.relu_saved != nullptr) epilogue.relu_saved += at;
      if (epilogue.saved != nullptr) epilogue.saved += at;
      if (epilogue.pre_activation != nullptr) epilogue.pre_activation += at;
      epilogue.ld_saved = filters;
      gemm_->block(GemmBlock<T>{windows, kernel, y_ + at, k_, 1, filters, 1, filters, n, filters, k_, false, &epilogue,
                                scratch + gathered});
    });
    if (extras_.moments == nullptr) return;
    T* moments = extras_.moments + image * 2 * filters;
    kernels<T>().norm->channel_moments(y_ + image * shape_.places() * filters, filters, shape_.places(), filters,
                                       moments, moments + filters);
  });
}

template <class T>
void GatheredConv<T>::run_gradient() {
  const std::int64_t filters = shape_.filters, size = k_ * filters, batch = shape_.batch();
  if (batch * shape_.places() == 0) {
    std::fill(dkernel_, dkernel_ + size, T(0));
    if (dbias_ != nullptr) std::fill(dbias_, dbias_ + filters, T(0));
    return;
  }
  const std::int64_t stride = round_up(size) + round_up(filters);
  T* partial = splits_ == 1 ? nullptr : static_cast<T*>(region_scratch(static_cast<std::size_t>(splits_ * stride) * sizeof(T)));
  const std::int64_t gathered = gather_elements();
  const std::int64_t elements = gathered + gemm_->scratch_elements(k_, filters, kBlockPixels);
  const std::int64_t images = ceil_div(batch, splits_);
  parallel_for(splits_, splits_ == 1 ? 1 : num_threads(), [&](std::int64_t split, int) {
    T* scratch = static_cast<T*>(thread_scratch(static_cast<std::size_t>(elements) * sizeof(T)));
    T* dkernel = partial == nullptr ? dkernel_ : partial + split * stride;
    T* dbias = partial == nullptr ? dbias_ : dkernel + round_up(size);
    const GemmEpilogue<T> plain;
    bool first = true;
    for (std::int64_t image = split * images; image < std::min(batch, (split + 1) * images); ++image) {
      for_each_block(image, 0, shape_.window.h.out, scratch, [&](const T* windows, std::int64_t pixel, std::int64_t n) {
        const T* dy = dy_ + (image * shape_.places() + pixel) * filters;
        gemm_->block(GemmBlock<T>{windows, dy, dkernel, 1, k_, filters, 1, filters, k_, filters, n, !first, &plain,
                                  scratch + gathered});
        if (dbias_ != nullptr) kernels<T>().reduce->sum_rows(dy, filters, dbias, n, filters, !first);
        first = false;
      });
    }
    if (first) {  // no image was left for this part
      std::fill(dkernel, dkernel + size, T(0));
      if (dbias_ != nullptr) std::fill(dbias, dbias + filters, T(0));
    }
  });
  if (splits_ == 1) return;
  sum_parts(partial, splits_, stride, size, dkernel_);
  if (dbias_ != nullptr) sum_parts(partial + round_up(size), splits_, stride, filters, dbias_);
}

template <class T>
void GatheredConv<T>::run() {
  if (y_ != nullptr) {
    run_forward();
  } else {
    run_gradient();
  }
}

template class GatheredConv<float>;
template class GatheredConv<double>;

}  // namespace dlnative
