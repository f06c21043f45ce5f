#include "ops/depthwise.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"

namespace dlnative {

namespace {

// Nanoseconds per product on one core with avx2 and the data in cache (Zen 3); a rough figure is
// enough to tell how much work is worth a task or a thread.
template <class T>
constexpr double kProductTime = sizeof(T) == 4 ? 0.05 : 0.1;

// A task takes about this long, so that many share the work, and handing it out costs little.
constexpr double kTaskTime = 20e3;

// Bytes of a band that is expanded or contracted: it stays in a core's L2 cache.
constexpr std::int64_t kBandBytes = 256 << 10;

// Parts of a kernel's gradient: more of them would not even out the work of many threads further,
// and each costs a pass over the kernel.
constexpr std::int64_t kMaxParts = 64;

}  // namespace

DepthwiseGeometry::DepthwiseGeometry(const Window& window, std::int64_t channels, Target target,
                                     bool stream)
    : rows_(make_axis(window.h, target)),
      columns_(make_axis(window.w, target)),
      channels_(channels),
      kernel_width_(window.w.window),
      stream_(stream) {
  const bool forward = target == Target::kOutput;
  target_row_ = (forward ? window.w.out : window.w.in) * channels;
  source_row_ = (forward ? window.w.in : window.w.out) * channels;
  make_runs();
  std::int64_t vertical = 0, horizontal = 0;
  for (const Place& place : rows_.places) vertical += place.taps;
  for (const Place& place : columns_.places) horizontal += place.taps;
  products_ = vertical * horizontal * channels;
}

// Place o of the output meets pixel o s - before + t d of the input under tap t. From the input's
// side, pixel i meets place (i + before - t d) / s under those taps t for which this is a whole
// number: every (s / gcd(d, s))-th. They are listed from the last one on, so that the places
// ascend.
DepthwiseGeometry::Axis DepthwiseGeometry::make_axis(const WindowAxis& a, Target target) {
  Axis axis;
  const bool forward = target == Target::kOutput;
  const std::int64_t common = std::gcd(a.dilation, a.stride);
  axis.source_step = forward ? a.dilation : a.dilation / common;
  axis.tap_step = forward ? 1 : -a.stride / common;
  axis.place_step = forward ? 1 : a.stride;
  axis.neighbour_step = forward ? a.stride : 1;
  const std::int64_t places = forward ? a.out : a.in, pixels = forward ? a.in : a.out;
  axis.places.reserve(static_cast<std::size_t>(places));
  for (std::int64_t o = 0; o < places; ++o) {
    Place place{a.first(o), 0, a.window};
    if (!forward) {
      const std::int64_t shifted = o + a.before;
      std::int64_t tap = 0;
      while (tap < a.window && (shifted - tap * a.dilation) % a.stride != 0) ++tap;
      place.taps = tap < a.window ? (a.window - 1 - tap) / -axis.tap_step + 1 : 0;
      place.tap = tap - (place.taps - 1) * axis.tap_step;
      place.first = place.taps > 0 ? (shifted - place.tap * a.dilation) / a.stride : 0;
    }
    while (place.taps > 0 && place.first < 0) {
      place.first += axis.source_step;
      place.tap += axis.tap_step;
      --place.taps;
    }
    while (place.taps > 0 && place.first + (place.taps - 1) * axis.source_step >= pixels)
      --place.taps;
    axis.places.push_back(place.taps > 0 ? place : Place{0, 0, 0});
  }
  return axis;
}

// Places of one phase follow each other in steps of place_step; those with the same taps, each
// neighbour_step further on in the source, make a run.
void DepthwiseGeometry::make_runs() {
  const Table<Place>& places = columns_.places;
  const auto count = static_cast<std::int64_t>(places.size());
  for (std::int64_t phase = 0; phase < std::min(columns_.place_step, count); ++phase) {
    std::int64_t next = -1;  // where the source of the run's next pixel must begin
    for (std::int64_t o = phase; o < count; o += columns_.place_step) {
      const Place& place = places[static_cast<std::size_t>(o)];
      const std::int64_t k = place.tap * channels_;
      const bool follows = next >= 0 && runs_.back().k == k && runs_.back().taps == place.taps &&
                           (place.taps == 0 || place.first == next);
      if (follows) {
        ++runs_.back().pixels;
      } else {
        runs_.push_back({o * channels_, place.first * channels_, k, 1, place.taps});
      }
      next = place.first + columns_.neighbour_step;
    }
  }
  for (const DepthwiseRun& run : runs_) {
    if (run.pixels > 1) {
      wide_runs_.push_back(run);
      continue;
    }
    for (std::int64_t group = 2; group <= kGroup; ++group) {
      column_runs_[group - 2].push_back({run.y, run.x, run.k, group, run.taps});
    }
  }
}

DepthwiseGeometry::Band DepthwiseGeometry::source_rows(Band target) const {
  Band band{INT64_MAX, 0};
  for (std::int64_t o = target.begin; o < target.end; ++o) {
    const Place& place = rows_.places[static_cast<std::size_t>(o)];
    if (place.taps == 0) continue;
    band.begin = std::min(band.begin, place.first);
    band.end = std::max(band.end, place.first + (place.taps - 1) * rows_.source_step + 1);
  }
  if (band.end == 0) band.begin = 0;
  return band;
}

// Rows from o on, at most kGroup, that meet the same taps one neighbour further on each.
std::int64_t DepthwiseGeometry::group_size(std::int64_t o, std::int64_t end) const {
  if (rows_.place_step != 1 || column_runs_[0].empty()) return 1;
  const Place& first = rows_.places[static_cast<std::size_t>(o)];
  std::int64_t group = 1;
  for (; group < std::min(kGroup, end - o); ++group) {
    const Place& place = rows_.places[static_cast<std::size_t>(o + group)];
    if (place.taps != first.taps || place.tap != first.tap ||
        place.first != first.first + group * rows_.neighbour_step) {
      break;
    }
  }
  return group;
}

DepthwiseGeometry::Piece DepthwiseGeometry::piece(std::int64_t o,
                                                  const Table<DepthwiseRun>& runs) const {
  const Place& place = rows_.places[static_cast<std::size_t>(o)];
  Piece piece;
  piece.o = o;
  piece.source = place.first * source_row_;
  piece.weight = place.tap * kernel_width_ * channels_;
  DepthwiseRow& row = piece.row;
  row.runs = runs.data();
  row.run_count = static_cast<std::int64_t>(runs.size());
  row.rows = place.taps;
  row.channels = channels_;
  row.y_pixel = columns_.place_step * channels_;
  row.x_pixel = columns_.neighbour_step * channels_;
  row.x_row = rows_.source_step * source_row_;
  row.x_tap = columns_.source_step * channels_;
  row.k_row = rows_.tap_step * kernel_width_ * channels_;
  row.k_tap = columns_.tap_step * channels_;
  row.stream = stream_;
  row.new_row = ((row.rows - 1) * rows_.source_step + 1) * source_row_;
  row.new_rows = rows_.neighbour_step;
  row.x_step = source_row_;
  row.new_pixels = columns_.neighbour_step;
  row.y_row = target_row_;
  return piece;
}

// The single pixels of rows o to o + group - 1.
DepthwiseGeometry::Piece DepthwiseGeometry::columns_piece(std::int64_t o,
                                                          std::int64_t group) const {
  Piece columns = piece(o, column_runs_[group - 2]);
  columns.row.y_pixel = target_row_;
  columns.row.x_pixel = rows_.neighbour_step * source_row_;
  columns.row.new_rows = 0;  // the wide runs prefetch them
  columns.row.y_row = group * target_row_;
  return columns;
}

namespace {

// Whether x and y come from memory and leave the caches before a consumer reads them. What is
// expanded or contracted, or meets another pass, fits L2.
template <class T>
bool streams(const Window& window, std::int64_t multiplier, const GemmEpilogue<T>& epilogue = {}) {
  const std::int64_t pixels = std::max(window.h.in * window.w.in, window.h.out * window.w.out);
  return multiplier == 1 && epilogue.activation == nullptr && epilogue.pre_activation == nullptr &&
         too_large_to_cache<T>(window.batch * pixels * window.channels);
}

// Rows of a task: about kTaskTime of work.
template <class T>
std::int64_t task_rows(const DepthwiseGeometry& geometry) {
  const double row = static_cast<double>(geometry.products()) /
                     static_cast<double>(std::max<std::int64_t>(geometry.height(), 1)) *
                     kProductTime<T>;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(kTaskTime / std::max(row, 1.0)));
}

// At most so many rows of x meet `rows` neighbouring ones of y.
std::int64_t rows_met(const WindowAxis& h, std::int64_t rows) {
  return std::clamp<std::int64_t>((rows - 1) * h.stride + h.span(), 0, h.in);
}

// Calls f(image, rows) for the bands that target rows [begin, end) of all images consist of.
template <class F>
void for_each_band(std::int64_t begin, std::int64_t end, std::int64_t height, std::int64_t most,
                   F&& f) {
  while (begin < end && !interrupted()) {
    const std::int64_t image = begin / height, row = begin % height;
    const std::int64_t rows = std::min(std::min(end - begin, height - row), most);
    f(image, DepthwiseGeometry::Band{row, row + rows});
    begin += rows;
  }
}

}  // namespace

template <class T>
DepthwiseCorrelation<T>::DepthwiseCorrelation(const Window& window, std::int64_t multiplier,
                                              DepthwiseGeometry::Target target,
                                              const GemmEpilogue<T>& epilogue, int threads)
    : kernels_(&kernels<T>()),
      geometry_(window, window.channels * multiplier, target,
                streams<T>(window, multiplier, epilogue)),
      epilogue_(epilogue),
      images_(window.batch),
      multiplier_(multiplier),
      source_height_(target == DepthwiseGeometry::Target::kOutput ? window.h.in : window.h.out),
      expands_(multiplier > 1 && target == DepthwiseGeometry::Target::kOutput),
      contracts_(multiplier > 1 && target == DepthwiseGeometry::Target::kInput),
      chunk_(task_rows<T>(geometry_)),
      threads_(std::min(threads, threads_for(static_cast<double>(geometry_.products() * images_) *
                                             kProductTime<T>))) {
  if (multiplier == 1) return;
  const std::int64_t stride = expands_ ? window.h.stride : 1;
  const std::int64_t bytes = (expands_ ? geometry_.source_row() : geometry_.target_row()) *
                             static_cast<std::int64_t>(sizeof(T));
  const std::int64_t fitting = (kBandBytes / bytes - (expands_ ? window.h.span() : 0)) / stride;
  chunk_ = std::max<std::int64_t>(1, std::min(chunk_, fitting));
  const std::int64_t rows = std::min(chunk_, geometry_.height());
  band_elements_ =
      expands_ ? rows_met(window.h, rows) * geometry_.source_row() : rows * geometry_.target_row();
}

template <class T>
std::size_t DepthwiseCorrelation<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  scratch_.take(pieces, threads_, chunk_count(images_ * geometry_.height(), chunk_),
                band_elements_);
  return pieces.bytes();
}

// What remains of the epilogue, for n elements of the target that are still in cache.
template <class T>
void DepthwiseCorrelation<T>::finish(T* rows, std::int64_t offset, std::int64_t n) const {
  if (epilogue_.pre_activation != nullptr) {
    std::memcpy(epilogue_.pre_activation + offset, rows, static_cast<std::size_t>(n) * sizeof(T));
  }
  if (epilogue_.activation != nullptr) epilogue_.activation(rows, rows, n, epilogue_.params);
}

template <class T>
void DepthwiseCorrelation<T>::band(const T* source, const T* kernel, T* target, std::int64_t image,
                                   DepthwiseGeometry::Band rows, T* scratch) const {
  const std::int64_t target_row = geometry_.target_row(), source_row = geometry_.source_row();
  const std::int64_t offset = (image * geometry_.height() + rows.begin) * target_row;
  const std::int64_t count = rows.end - rows.begin;
  const T* from = source + image * source_height_ * source_row;
  std::int64_t origin = 0;  // the offset in the image that `from` stands for
  T* to = target + offset;
  if (expands_) {
    const DepthwiseGeometry::Band met = geometry_.source_rows(rows);
    const std::int64_t n = (met.end - met.begin) * source_row;
    const T* first = source + (image * source_height_ + met.begin) * (source_row / multiplier_);
    kernels_->depthwise->expand(first, scratch, n / multiplier_, multiplier_);
    from = scratch;
    origin = met.begin * source_row;
  } else if (contracts_) {
    to = scratch;
  }
  geometry_.for_each_piece(rows, [&](const DepthwiseGeometry::Piece& piece) {
    kernels_->depthwise->correlate(piece.row,
                                   piece.row.rows > 0 ? from + (piece.source - origin) : from,
                                   kernel + piece.weight, to + (piece.o - rows.begin) * target_row,
                                   epilogue_.bias, epilogue_.relu);
  });
  finish(to, offset, count * target_row);
  if (contracts_) {
    kernels_->depthwise->contract(to, target + offset / multiplier_,
                                  count * target_row / multiplier_, multiplier_);
  }
}

template <class T>
void DepthwiseCorrelation<T>::run(const T* source, const T* kernel, T* target) const {
  const std::int64_t total = images_ * geometry_.height();
  for_each_chunk(total, chunk_, threads_, [&](std::int64_t begin, std::int64_t rows, int thread) {
    for_each_band(begin, begin + rows, geometry_.height(), chunk_,
                  [&](std::int64_t image, DepthwiseGeometry::Band of_image) {
                    band(source, kernel, target, image, of_image, scratch_.of(thread));
                  });
  });
}

template <class T>
DepthwiseBackwardKernel<T>::DepthwiseBackwardKernel(const Window& window, std::int64_t multiplier,
                                                    int threads)
    : kernels_(&kernels<T>()),
      geometry_(window, window.channels * multiplier, DepthwiseGeometry::Target::kOutput,
                streams<T>(window, multiplier)),
      images_(window.batch),
      multiplier_(multiplier),
      source_height_(window.h.in),
      kernel_size_(window.h.window * window.w.window * window.channels * multiplier) {
  const double time = static_cast<double>(geometry_.products() * images_) * kProductTime<T>;
  threads_ = std::min(threads, threads_for(time));
  const std::int64_t total = std::max<std::int64_t>(images_ * geometry_.height(), 1);
  const auto wanted = static_cast<std::int64_t>(std::min(time / kTaskTime, double{kMaxParts}));
  parts_ = std::max<std::int64_t>(1, std::min(wanted, total));
  const std::int64_t bytes = geometry_.source_row() * static_cast<std::int64_t>(sizeof(T));
  band_ = multiplier == 1
              ? geometry_.height()
              : std::max<std::int64_t>(1, (kBandBytes / bytes - window.h.span()) / window.h.stride);
  if (multiplier > 1) {
    const std::int64_t rows = std::min(band_, geometry_.height());
    band_elements_ = rows_met(window.h, rows) * geometry_.source_row();
  }
}

template <class T>
std::size_t DepthwiseBackwardKernel<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  scratch_.take(pieces, threads_, parts_, band_elements_);
  partial_ = pieces.take<T>(parts_ > 1 ? parts_ * kernel_size_ : 0);
  return pieces.bytes();
}

template <class T>
void DepthwiseBackwardKernel<T>::part(const T* x, const T* dy, std::int64_t begin, std::int64_t end,
                                      T* sums, T* expanded) const {
  const std::int64_t y_row = geometry_.target_row(), x_row = geometry_.source_row();
  std::fill(sums, sums + kernel_size_, T(0));
  for_each_band(
      begin, end, geometry_.height(), band_, [&](std::int64_t image, DepthwiseGeometry::Band rows) {
        const T* from = x + image * source_height_ * x_row;
        std::int64_t origin = 0;
        if (multiplier_ > 1) {
          const DepthwiseGeometry::Band met = geometry_.source_rows(rows);
          const std::int64_t n = (met.end - met.begin) * x_row;
          const T* first = x + (image * source_height_ + met.begin) * (x_row / multiplier_);
          kernels_->depthwise->expand(first, expanded, n / multiplier_, multiplier_);
          from = expanded;
          origin = met.begin * x_row;
        }
        geometry_.for_each_piece(rows, [&](const DepthwiseGeometry::Piece& piece) {
          if (piece.row.rows == 0) return;
          const T* y = dy + (image * geometry_.height() + piece.o) * y_row;
          kernels_->depthwise->accumulate(piece.row, from + (piece.source - origin), y,
                                          sums + piece.weight);
        });
      });
}

template <class T>
void DepthwiseBackwardKernel<T>::run(const T* x, const T* dy, T* dkernel) const {
  const std::int64_t total = images_ * geometry_.height();
  if (parts_ == 1) return part(x, dy, 0, total, dkernel, scratch_.of(0));
  parallel_for(parts_, threads_, [&](std::int64_t task, int thread) {
    part(x, dy, task * total / parts_, (task + 1) * total / parts_, partial_ + task * kernel_size_,
         scratch_.of(thread));
  });
  kernels_->reduce->sum_rows(partial_, kernel_size_, dkernel, parts_, kernel_size_, false);
}

template class DepthwiseCorrelation<float>;
template class DepthwiseCorrelation<double>;
template class DepthwiseBackwardKernel<float>;
template class DepthwiseBackwardKernel<double>;

}  // namespace dlnative
