#include <algorithm>

#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "ops/conv.h"

namespace dlnative {

namespace {

constexpr std::int64_t kColumnBytes = 192 << 10;  // they stay in the second-level cache

}  // namespace

template <class T>
Col2ImConv<T>::Axis::Axis(const WindowAxis& of) : axis(of) {
  const WindowAxis& a = axis;
  for (std::int64_t phase = 0; phase < a.stride; ++phase) {
    starts.push_back(static_cast<std::int32_t>(taps.size()));
    for (std::int64_t t = 0; t < a.window; ++t) {
      const std::int64_t at = phase + a.before - t * a.dilation;
      if (at % a.stride != 0) continue;
      taps.push_back({static_cast<std::int32_t>(t), static_cast<std::int32_t>(at / a.stride)});
    }
  }
  starts.push_back(static_cast<std::int32_t>(taps.size()));
}

template <class T>
PhaseAxis Col2ImConv<T>::Axis::phases() const {
  return {axis.in, axis.out, axis.window, axis.stride, taps.data(), starts.data()};
}

template <class T>
std::pair<std::int64_t, std::int64_t> Col2ImConv<T>::places(std::int64_t row,
                                                            std::int64_t rows) const {
  const WindowAxis& h = shape_.window.h;
  if (bands_ == 1) return {0, h.out};
  const std::int64_t least = std::max<std::int64_t>(row + h.before - h.span() + 1, 0);
  const std::int64_t first = std::min(ceil_div(least, h.stride), h.out);
  const std::int64_t last = std::min((row + rows - 1 + h.before) / h.stride + 1, h.out);
  return {first, std::max(first, last)};
}

template <class T>
Col2ImConv<T>::Col2ImConv(const ConvShape& shape, const T* dy, const T* kernel, T* dx,
                          const ConvExtras<T>& extras, int threads)
    : kernels_(kernels<T>().conv),
      shape_(shape),
      dy_(dy),
      kernel_(kernel),
      dx_(dx),
      extras_(extras),
      h_(shape.window.h),
      w_(shape.window.w),
      threads_(shape.flops() < kSerialFlops ? 1 : threads),
      band_(std::max<std::int64_t>(shape.window.h.in, 1)) {
  const WindowAxis &h = shape.window.h, &w = shape.window.w;
  const std::int64_t batch = shape.batch(), count = shape.taps() * shape.channels();
  const std::int64_t tasks = 4 * threads_;
  // Bands of rows whose columns fit the cache, and more of them where images are few.
  const std::int64_t row_bytes =
      std::max<std::int64_t>(count * w.out * static_cast<std::int64_t>(sizeof(T)), 1);
  const std::int64_t rows = std::max<std::int64_t>(kColumnBytes / row_bytes, 1);
  if (h.out > rows) band_ = rows * h.stride - h.span();
  if (batch < tasks) {
    const std::int64_t parts = ceil_div(tasks, std::max<std::int64_t>(batch, 1));
    band_ = std::min(band_, std::max(ceil_div(h.in, parts), 2 * h.span()));
  }
  band_ = std::clamp<std::int64_t>(band_, h.stride, std::max(h.in, h.stride));
  bands_ = ceil_div(h.in, band_);
  if (bands_ == 1) {
    images_ = std::clamp<std::int64_t>(batch / tasks, 1, images_per_table(shape, shape.places()));
  }
  std::int64_t most = 0;
  for (std::int64_t row = 0; row < h.in; row += band_) {
    const auto [first, last] = places(row, std::min(band_, h.in - row));
    most = std::max(most, last - first);
  }
  plane_ = whole_vectors(std::max<std::int64_t>(images_ * most * w.out, 1));
  columns_ = plane_ * count + 2 * whole_vectors(1);
  products_ = whole_vectors(kernels<T>().gemm->scratch_elements(count, plane_, shape.filters));
  lines_ = kernels_->col2im_scratch(w_.phases(), shape.channels());
}

template <class T>
std::size_t Col2ImConv<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  scratch_.take(pieces, threads_, ceil_div(shape_.batch(), images_) * bands_,
                columns_ + products_ + lines_);
  return pieces.bytes();
}

template <class T>
void Col2ImConv<T>::multiply(std::int64_t image, std::int64_t first, std::int64_t places,
                             T* columns, T* scratch) const {
  const std::int64_t filters = shape_.filters, count = shape_.taps() * shape_.channels();
  const GemmEpilogue<T> plain;
  const T* dy = dy_ + (image * shape_.places() + first * shape_.window.w.out) * filters;
  GemmBlock<T> block{kernel_, dy,    columns, filters, 1,     1,       filters,
                     plane_,  count, places,  filters, false, nullptr, nullptr};
  block.epilogue = &plain;
  block.scratch = scratch;
  block.stop = &interrupted;
  kernels<T>().gemm->block(block);
}

template <class T>
void Col2ImConv<T>::add_up(std::int64_t image, std::int64_t row, std::int64_t rows,
                           std::int64_t first, const T* columns, T* scratch) const {
  const std::int64_t at =
      (image * shape_.window.h.in + row) * shape_.window.w.in * shape_.channels();
  const GemmEpilogue<T> epilogue =
      epilogue_of_part(extras_, extras_.epilogue.bias, 0, at, shape_.channels());
  kernels_->col2im({h_.phases(), w_.phases(), shape_.channels(), columns, plane_, first, row, rows,
                    dx_ + at, extras_.residual != nullptr, &epilogue, scratch});
}

template <class T>
void Col2ImConv<T>::run() {
  const std::int64_t batch = shape_.batch(), height = shape_.window.h.in;
  place_residual(extras_, batch * shape_.image() * shape_.channels(), dx_);
  parallel_for(ceil_div(batch, images_) * bands_, threads_, [&](std::int64_t task, int thread) {
    T* columns = scratch_.of(thread) + whole_vectors(1);
    T* scratch = scratch_.of(thread) + columns_;
    const std::int64_t image = task / bands_ * images_, images = std::min(images_, batch - image);
    const std::int64_t row = task % bands_ * band_, rows = std::min(band_, height - row);
    const auto [first, last] = places(row, rows);
    multiply(image, first,
             ((images - 1) * shape_.window.h.out + last - first) * shape_.window.w.out, columns,
             scratch);
    for (std::int64_t i = 0; i < images && !interrupted(); ++i)
      add_up(image + i, row, rows, first, columns + i * shape_.places(), scratch + products_);
  });
}

template class Col2ImConv<float>;
template class Col2ImConv<double>;

}  // namespace dlnative
