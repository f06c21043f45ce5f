#include "ops/spatial.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/checks.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

constexpr double kByteCost = 0.05;  // nanoseconds, memory to memory
constexpr double kTapCost = 0.1;    // nanoseconds per product, in cache
constexpr std::int64_t kChunkBytes = kChunk * 4;

std::size_t bytes(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

// The weight of a pixel at distance t; the sources are in the oracle, reference/spatial.py.
double kernel_at(const std::string& interpolation, double t) {
  if (interpolation == "bilinear") return std::max(1.0 - t, 0.0);
  if (interpolation == "bicubic") {
    if (t < 1.0) return ((1.5 * t - 2.5) * t) * t + 1.0;
    return t < 2.0 ? ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0 : 0.0;
  }
  const double radius = interpolation == "lanczos3" ? 3.0 : 5.0;
  if (t == 0.0) return 1.0;
  if (t >= radius) return 0.0;
  const double a = std::acos(-1.0) * t;
  return std::sin(a) / a * (std::sin(a / radius) / (a / radius));
}

std::int64_t radius_of(const std::string& interpolation) {
  if (interpolation == "bilinear") return 1;
  if (interpolation == "bicubic") return 2;
  if (interpolation == "lanczos3") return 3;
  if (interpolation == "lanczos5") return 5;
  check(interpolation == "nearest", "upsample2d: unknown interpolation '", interpolation, "'");
  return 1;
}

}  // namespace

FrameOp::FrameOp(std::int64_t batch, std::int64_t height, std::int64_t width,
                 std::int64_t pixel_bytes, const Sides& sides)
    : batch_(batch),
      height_(height),
      row_bytes_(width * pixel_bytes),
      sides_(sides),
      whole_height_(sides.top + height + sides.bottom),
      whole_bytes_((sides.left + width + sides.right) * pixel_bytes),
      threads_(threads_for(static_cast<double>(batch * whole_height_ * whole_bytes_) * kByteCost)) {
  sides_.left *= pixel_bytes;
  sides_.right *= pixel_bytes;
}

void FrameOp::pad(const void* inside, void* whole) const {
  const std::int64_t chunk =
      std::max<std::int64_t>(1, kChunkBytes / std::max<std::int64_t>(1, whole_bytes_));
  for_each_chunk(batch_ * whole_height_, chunk, threads_, [&](std::int64_t begin, std::int64_t n) {
    for (std::int64_t r = begin; r < begin + n; ++r) {
      char* to = static_cast<char*>(whole) + r * whole_bytes_;
      const std::int64_t y = r % whole_height_ - sides_.top;
      if (y < 0 || y >= height_) {
        std::memset(to, 0, bytes(whole_bytes_));
        continue;
      }
      const char* from =
          static_cast<const char*>(inside) + (r / whole_height_ * height_ + y) * row_bytes_;
      std::memset(to, 0, bytes(sides_.left));
      std::memcpy(to + sides_.left, from, bytes(row_bytes_));
      std::memset(to + sides_.left + row_bytes_, 0, bytes(sides_.right));
    }
  });
}

void FrameOp::crop(const void* whole, void* inside) const {
  const std::int64_t chunk =
      std::max<std::int64_t>(1, kChunkBytes / std::max<std::int64_t>(1, row_bytes_));
  for_each_chunk(batch_ * height_, chunk, threads_, [&](std::int64_t begin, std::int64_t n) {
    for (std::int64_t r = begin; r < begin + n; ++r) {
      const std::int64_t row = r / height_ * whole_height_ + sides_.top + r % height_;
      std::memcpy(static_cast<char*>(inside) + r * row_bytes_,
                  static_cast<const char*>(whole) + row * whole_bytes_ + sides_.left,
                  bytes(row_bytes_));
    }
  });
}

// --- resizing ------------------------------------------------------------------------------------

template <class T>
ResizeMatrix<T>::ResizeMatrix(std::int64_t size, std::int64_t factor,
                              const std::string& interpolation, bool transposed)
    : stride_(1), identity_(factor == 1) {
  const std::int64_t large = size * factor, radius = radius_of(interpolation);
  // Row o of the matrix: its weights from column first[o] on.
  std::vector<std::vector<double>> weights(bytes(large));
  std::vector<std::int64_t> first(bytes(large));
  for (std::int64_t o = 0; o < large; ++o) {
    std::vector<double>& row = weights[bytes(o)];
    if (interpolation == "nearest" || factor == 1) {
      first[bytes(o)] = o / factor;
      row = {1.0};
      continue;
    }
    const double position = (static_cast<double>(o) + 0.5) / static_cast<double>(factor) - 0.5;
    const auto nearest = static_cast<std::int64_t>(std::floor(position));
    const std::int64_t begin = std::max<std::int64_t>(0, nearest - radius);
    const std::int64_t end = std::min(size, nearest + radius + 2);
    double total = 0.0;
    for (std::int64_t i = begin; i < end; ++i) {
      const double weight = kernel_at(interpolation, std::abs(position - static_cast<double>(i)));
      row.push_back(std::abs(weight) < 1e-12 ? 0.0 : weight);  // sin(pi n) is not quite 0
      total += row.back();
    }
    for (double& weight : row) weight /= total;
    first[bytes(o)] = begin;
    while (row.back() == 0.0) row.pop_back();
    const auto zeros = std::find_if(row.begin(), row.end(), [](double w) { return w != 0.0; });
    first[bytes(o)] += zeros - row.begin();
    row.erase(row.begin(), zeros);
  }
  if (transposed) {
    std::vector<std::vector<double>> columns(bytes(size));
    std::vector<std::int64_t> begin(bytes(size), 0);
    for (std::int64_t o = 0; o < large; ++o) {
      for (std::size_t k = 0; k < weights[bytes(o)].size(); ++k) {
        const std::size_t i = bytes(first[bytes(o)]) + k;
        if (columns[i].empty()) begin[i] = o;
        columns[i].resize(bytes(o - begin[i]) + 1);
        columns[i].back() = weights[bytes(o)][k];
      }
    }
    weights.swap(columns);
    first.swap(begin);
  }
  for (const auto& row : weights)
    stride_ = std::max(stride_, static_cast<std::int64_t>(row.size()));
  weights_.assign(weights.size() * bytes(stride_), T(0));
  for (std::size_t o = 0; o < weights.size(); ++o) set_row(o, first[o], weights[o]);
}

template <class T>
void ResizeMatrix<T>::set_row(std::size_t o, std::int64_t begin,
                              const std::vector<double>& weights) {
  begin_.push_back(begin);
  count_.push_back(static_cast<std::int64_t>(weights.size()));
  gaps_ = gaps_ || std::find(weights.begin(), weights.end(), 0.0) != weights.end();
  std::transform(weights.begin(), weights.end(),
                 weights_.begin() + static_cast<std::ptrdiff_t>(o) * stride_,
                 [](double w) { return static_cast<T>(w); });
}

template <class T>
bool ResizeMatrix<T>::is_copy(std::int64_t o) const {
  return count_[bytes(o)] == 1 && weights_[bytes(o * stride_)] == T(1);
}

template <class T>
UpsampleOp<T>::UpsampleOp(std::int64_t batch, std::int64_t height, std::int64_t width,
                          std::int64_t channels, std::int64_t factor_h, std::int64_t factor_w,
                          const std::string& interpolation, bool transposed, int threads)
    : kernels_(kernels<T>().spatial),
      rows_(height, factor_h, interpolation, transposed),
      columns_(width, factor_w, interpolation, transposed),
      batch_(batch),
      in_h_(transposed ? height * factor_h : height),
      in_w_(transposed ? width * factor_w : width),
      channels_(channels) {
  const std::int64_t taps =
      in_w_ * rows_.bands().stride + columns_.rows() * columns_.bands().stride;
  threads_ = std::min(
      threads, threads_for(static_cast<double>(batch * rows_.rows() * taps * channels) * kTapCost));
}

template <class T>
std::size_t UpsampleOp<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  scratch_.take(pieces, threads_, batch_ * rows_.rows(),
                columns_.is_identity() ? 0 : in_w_ * channels_);
  return pieces.bytes();
}

template <class T>
void UpsampleOp<T>::run(const T* x, T* y) const {
  const std::int64_t line = std::max(in_w_, columns_.rows()) * channels_;
  if (line == 0) return;
  const std::int64_t chunk = std::max<std::int64_t>(1, kChunk / line);
  for_each_chunk(batch_ * rows_.rows(), chunk, threads_,
                 [&](std::int64_t begin, std::int64_t n, int thread) {
                   for (std::int64_t row = begin; row < begin + n; ++row)
                     run_row(x, y, row, scratch_.of(thread));
                 });
}

// First down the columns of the image, for one row of the result, then along that row.
template <class T>
void UpsampleOp<T>::run_row(const T* x, T* y, std::int64_t row, T* scratch) const {
  const std::int64_t line = in_w_ * channels_, o = row % rows_.rows();
  const T* image = x + row / rows_.rows() * in_h_ * line;
  const T* x_end = x + batch_ * in_h_ * line;
  T* to = y + row * columns_.rows() * channels_;
  const T* mixed = image + rows_.bands().begin[o] * line;
  const T* mixed_end = x_end;
  if (columns_.is_identity()) {
    return kernels_->resample(rows_.bands(), image, x_end, to, line, o, 1);
  }
  if (!rows_.is_copy(o)) {
    kernels_->resample(rows_.bands(), image, x_end, scratch, line, o, 1);
    mixed = scratch;
    mixed_end = scratch + line;
  }
  kernels_->resample(columns_.bands(), mixed, mixed_end, to, channels_, 0, columns_.rows());
}

template class ResizeMatrix<float>;
template class ResizeMatrix<double>;
template class UpsampleOp<float>;
template class UpsampleOp<double>;

}  // namespace dlnative
