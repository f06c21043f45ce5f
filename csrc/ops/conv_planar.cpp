#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "ops/conv.h"

namespace dlnative {

namespace {

constexpr std::int64_t kBandBytes = 96 << 10;  // of planes: they stay in the second-level cache
constexpr std::int64_t kSlack = 16;            // what the last tile of a row may read past the end

}  // namespace

template <class T>
Planes<T>::Planes(const ConvShape& shape) : shape_(shape) {
  const WindowAxis h = shape.window.h, w = shape.window.w;
  const std::int64_t channels = shape.channels(), out_rows = std::max<std::int64_t>(h.out, 1);
  line_ = w.out + (w.span() - 1) / w.stride;
  const std::int64_t row_bytes =
      h.stride * w.stride * line_ * channels * static_cast<std::int64_t>(sizeof(T));
  band_ = std::clamp<std::int64_t>(kBandBytes / row_bytes, 1, out_rows);
  while (out_rows % band_ != 0) --band_;  // all bands are equal: they share the tables
  plane_ = ((band_ - 1) * h.stride + h.span()) * line_;
  elements_ = whole_vectors(channels * w.stride * plane_ + kSlack);
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
std::int64_t Planes<T>::row_step() const {
  return shape_.window.h.stride * line_;
}

template <class T>
void Planes<T>::fill(const T* image, std::int64_t first_row, std::int64_t rows, T* planes) const {
  const WindowAxis h = shape_.window.h, w = shape_.window.w;
  const std::int64_t channels = shape_.channels(), count = (rows - 1) * h.stride + h.span();
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
          image + (row * w.in + begin * w.stride + phase - w.before) * channels + channel;
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
PlanarConv<T>::PlanarConv(const ConvShape& shape, const T* x, const T* kernel, T* y,
                          const ConvExtras<T>& extras, int threads)
    : kernels_(kernels<T>().conv),
      shape_(shape),
      planes_(shape),
      x_(x),
      kernel_(kernel),
      y_(y),
      extras_(extras),
      packed_(whole_vectors(kernels_->packed_elements(1, planes_.k(), shape.filters))),
      threads_(shape.flops() < kSerialFlops ? 1 : threads),
      part_(shape.window.h.out) {
  // Images are tasks; few images are cut into bands of rows, unless moments are asked for.
  const std::int64_t rows = shape.window.h.out, batch = shape.batch();
  if (extras.moments == nullptr && batch < 4 * threads_) {
    part_ = std::max(ceil_div(rows, ceil_div(4 * threads_, std::max<std::int64_t>(batch, 1))),
                     std::min<std::int64_t>(rows, 4));
  }
  parts_ = rows > 0 ? ceil_div(rows, part_) : 0;
}

template <class T>
std::size_t PlanarConv<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  workspace_ = reinterpret_cast<T*>(pieces.take<std::byte>(
      extras_.keeps_weights ? 0 : static_cast<std::int64_t>(packed_bytes())));
  scratch_.take(pieces, threads_, shape_.batch() * parts_, planes_.elements());
  return pieces.bytes();
}

// The weights, then a normalisation.
template <class T>
std::size_t PlanarConv<T>::packed_bytes() const {
  const std::int64_t folded = FoldedNorm<T>(extras_, shape_.filters).elements();
  return static_cast<std::size_t>(packed_ + folded) * sizeof(T);
}

template <class T>
void PlanarConv<T>::keep_packed() {
  std::string key = "planar";
  append_to_key(key, kernels_);
  append_to_key(key, kernel_);
  append_to_key(key, planes_.k());
  FoldedNorm<T>(extras_, shape_.filters).append_to(key);
  weights_.keep(key, packed_bytes());
}

template <class T>
void PlanarConv<T>::pack(std::int64_t version) {
  weights_.refresh(version, [this](T* to) { pack_weights(to); });
}

template <class T>
void PlanarConv<T>::pack_weights(T* packed) const {
  const std::int64_t filters = shape_.filters;
  const FoldedNorm<T> norm(extras_, filters);
  norm.write(packed + packed_);
  const std::int32_t whole = 0;
  kernels_->pack(TapWeights<T>{kernel_, &whole, 1, planes_.k(), filters, filters, 1,
                               norm.scale(packed + packed_), false},
                 0, 1, 0, filters, packed);
}

template <class T>
void PlanarConv<T>::run() {
  const std::int64_t rows = shape_.window.h.out, columns = shape_.window.w.out;
  const std::int64_t filters = shape_.filters, batch = shape_.batch(), k = planes_.k();
  const auto weights = weights_.use(workspace_, [this](T* to) { pack_weights(to); });
  const T* packed = weights.data();
  const T* bias = FoldedNorm<T>(extras_, filters).bias(packed + packed_);
  place_residual(extras_, batch * shape_.places() * filters, y_);
  parallel_for(batch * parts_, threads_, [&](std::int64_t task, int thread) {
    const std::int64_t image = task / parts_, first = task % parts_ * part_,
                       last = std::min(rows, first + part_);
    T* planes = scratch_.of(thread);
    for (std::int64_t row = first; row < last && !interrupted(); row += planes_.band()) {
      const std::int64_t band = std::min(planes_.band(), last - row),
                         at = (image * shape_.places() + row * columns) * filters;
      planes_.fill(x_ + image * shape_.image() * shape_.channels(), row, band, planes);
      const GemmEpilogue<T> epilogue = epilogue_of_part(extras_, bias, 0, at, filters);
      kernels_->planar(PlanarProduct<T>{planes, planes_.row_step(), planes_.offsets().data(), k,
                                        packed, y_ + at, filters, band, columns, filters,
                                        extras_.residual != nullptr, &epilogue});
    }
    if (extras_.moments != nullptr) take_moments(extras_, shape_, y_, image, 0, filters);
  });
}

template <class T>
PlanarGradient<T>::PlanarGradient(const ConvShape& shape, const T* x, const T* dy, T* dkernel,
                                  T* dbias, int threads)
    : kernels_(kernels<T>().conv),
      shape_(shape),
      planes_(shape),
      x_(x),
      dy_(dy),
      dkernel_(dkernel),
      dbias_(dbias),
      parts_(shape.flops() < 4.0 * kSerialFlops
                 ? 1
                 : std::clamp<std::int64_t>(shape.batch(), 1, kMostParts)),
      partial_elements_(whole_vectors(planes_.k() * shape.filters) + whole_vectors(shape.filters)),
      threads_(static_cast<int>(std::min<std::int64_t>(threads, parts_))) {
  // The values of a window are the rows of the product, in tiles that are as equal as can be; the
  // rows of dy take the part of the taps, and their pixels that of the channels.
  const std::int64_t k = planes_.k(), most = kernels_->tile_rows, rows = planes_.band();
  tile_ = std::max<std::int64_t>(ceil_div(k, std::max<std::int64_t>(ceil_div(k, most), 1)), 1);
  rows_.assign(static_cast<std::size_t>(ceil_div(k, tile_) * rows * most), -1);
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t r = 0; r < rows; ++r) {
      rows_[static_cast<std::size_t>((i / tile_ * rows + r) * most + i % tile_)] =
          static_cast<std::int32_t>(planes_.offsets()[static_cast<std::size_t>(i)] +
                                    r * planes_.row_step());
    }
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    lines_.push_back(static_cast<std::int32_t>(r * shape.window.w.out * shape.filters));
  }
}

template <class T>
void PlanarGradient<T>::run_part(std::int64_t part, T* partial, T* planes) const {
  const WindowAxis h = shape_.window.h, w = shape_.window.w;
  const std::int64_t filters = shape_.filters, size = planes_.k() * filters, band = planes_.band();
  T* dkernel = partial == nullptr ? dkernel_ : partial + part * partial_elements_;
  T* dbias = partial == nullptr ? dbias_ : dkernel + whole_vectors(size);
  const std::int64_t images = ceil_div(shape_.batch(), parts_);
  const std::int64_t first = part * images, last = std::min(shape_.batch(), first + images);
  const GemmEpilogue<T> plain;
  TapProduct<T> product{};
  product.x = planes;
  product.rows = rows_.data();
  product.zeros = planes;
  product.b = planes + planes_.elements();
  product.y = dkernel;
  product.ldy = filters;
  product.pixels = planes_.k();
  product.taps = band;
  product.channels = w.out;
  product.n = filters;
  product.tile = tile_;
  product.epilogue = &plain;
  if (first >= last) {  // no image was left for this part
    std::fill(dkernel, dkernel + size, T(0));
    if (dbias_ != nullptr) std::fill(dbias, dbias + filters, T(0));
  }
  for (std::int64_t image = first; image < last; ++image) {
    for (std::int64_t row = 0; row < h.out && !interrupted(); row += band) {
      const T* dy = dy_ + (image * shape_.places() + row * w.out) * filters;
      planes_.fill(x_ + image * shape_.image() * shape_.channels(), row, band, planes);
      kernels_->pack(
          TapWeights<T>{dy, lines_.data(), band, w.out, filters, filters, 1, nullptr, true}, 0,
          band, 0, filters, planes + planes_.elements());
      product.accumulate = image > first || row > 0;
      kernels_->product(product);
      if (dbias_ != nullptr) {
        kernels<T>().reduce->sum_rows(dy, filters, dbias, band * w.out, filters,
                                      product.accumulate);
      }
    }
  }
}

template <class T>
std::size_t PlanarGradient<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  partial_ = pieces.take<T>(parts_ > 1 ? parts_ * partial_elements_ : 0);
  const std::int64_t packed =
      kernels_->packed_elements(planes_.band(), shape_.window.w.out, shape_.filters);
  scratch_.take(pieces, threads_, parts_, planes_.elements() + packed);
  return pieces.bytes();
}

template <class T>
void PlanarGradient<T>::run() {
  const std::int64_t filters = shape_.filters, size = planes_.k() * filters;
  if (shape_.batch() * shape_.places() == 0) {
    std::fill(dkernel_, dkernel_ + size, T(0));
    if (dbias_ != nullptr) std::fill(dbias_, dbias_ + filters, T(0));
    return;
  }
  T* partial = parts_ == 1 ? nullptr : partial_;
  parallel_for(parts_, threads_, [&](std::int64_t part, int thread) {
    run_part(part, partial, scratch_.of(thread));
  });
  if (parts_ == 1) return;
  sum_parts(partial, parts_, partial_elements_, size, dkernel_);
  if (dbias_ != nullptr)
    sum_parts(partial + whole_vectors(size), parts_, partial_elements_, filters, dbias_);
}

template class Planes<float>;
template class Planes<double>;
template class PlanarConv<float>;
template class PlanarConv<double>;
template class PlanarGradient<float>;
template class PlanarGradient<double>;

}  // namespace dlnative
