// Winograd's convolution over threads (kernels/winograd_kernels.h): windows of 3 x 3 or 5 x 5 taps
// without strides, dilation and groups.
//
// Tiles of all images are counted through and cut into blocks, whose transforms stay in the caches
// between the passes. A tile's values do not depend on its block, so any cut gives the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/winograd_kernels.h"
#include "ops/conv.h"

namespace dlnative {

// Rows and columns of a tile if Winograd's convolution can compute this one, else 0.
int winograd_tile(const ConvShape& shape);

// y from x, or dx from dy.
template <class T>
class WinogradConv {
 public:
  static WinogradConv forward(const ConvShape& shape, const T* x, const T* kernel, T* y,
                              const ConvExtras<T>& extras, int threads);
  static WinogradConv backward_input(const ConvShape& shape, const T* dy, const T* kernel, T* dx,
                                     const ConvExtras<T>& extras, int threads);

  void run();
  std::size_t set_workspace(void* workspace);
  bool keeps_weights() const { return extras_.keeps_weights; }  // see DirectConv
  void keep_packed();
  void pack(std::int64_t version);
  std::size_t kept_bytes() const { return weights_.kept_bytes(); }

 private:
  // An image, and how far its patches begin before the tiles of the other.
  struct Image {
    std::int64_t height, width, channels, before_row, before_column;
  };

  WinogradConv(const ConvShape& shape, const Image& in, const Image& result, const T* x,
               const T* kernel, T* y, const ConvExtras<T>& extras, bool backward, int threads);
  void plan(int threads);
  // A task packs its columns of the weights itself where no other meets them.
  bool packs_in_tasks() const {
    return !extras_.keeps_weights && block_ >= tiles_ && extras_.variance == nullptr;
  }
  std::int64_t in_stride() const;   // from a point to the next, of the input of a block
  std::int64_t out_stride() const;  // and of its products
  std::int64_t own_elements() const;
  std::int64_t scratch_elements() const;
  std::size_t packed_bytes() const;
  std::int64_t packed_elements() const;
  std::int64_t taps_elements() const;
  void pack_weights(T* packed) const;
  void pack_columns(std::int64_t column, std::int64_t columns, const T* scale, T* block,
                    T* scratch) const;
  void run_task(std::int64_t task, const T* packed, const T* bias, T* scratch) const;
  WinogradTiles<T> tiles_of(const Image& image, std::int64_t first, std::int64_t count,
                            T* transformed) const;

  const ConvKernels<T>* panels_ = nullptr;
  const WinogradKernels<T>* transforms_ = nullptr;
  ConvShape shape_;
  Image in_, result_;
  const T* x_ = nullptr;
  const T* kernel_ = nullptr;
  T* y_ = nullptr;
  ConvExtras<T> extras_;
  bool backward_ = false;
  std::int64_t tile_rows_ = 0, tile_columns_ = 0, tiles_ = 0;  // of an image; of all
  std::int64_t block_columns_ = 0;                             // of the weights, at a time
  std::int64_t packed_ = 0;   // elements of their columns at a point
  Table<std::int32_t> taps_;  // where each begins in the kernel
  Table<T> zeros_;
  PackedWeights<T> weights_;
  T* workspace_ = nullptr;    // for packed weights
  ThreadScratch<T> scratch_;  // of tasks, and of what packs weights for all of them
  int threads_ = 0, packing_threads_ = 0;
  std::int64_t tasks_ = 0;
  std::int64_t task_tiles_ = 0, block_ = 0;          // tiles of a task, and at a time
  std::int64_t column_part_ = 0, column_parts_ = 0;  // of a task
};

// dkernel, and dbias where it is not null.
template <class T>
class WinogradGradient {
 public:
  WinogradGradient(const ConvShape& shape, const T* x, const T* dy, T* dkernel, T* dbias,
                   int threads);

  void run();
  std::size_t set_workspace(void* workspace);

 private:
  std::int64_t scratch_elements() const;
  void run_task(std::int64_t task, T* sums, T* scratch) const;
  void finish(std::int64_t column, std::int64_t channel, std::int64_t channels, const T* d) const;
  std::int64_t sums_elements() const;
  std::int64_t sums_stride() const;

  const WinogradKernels<T>* transforms_ = nullptr;
  ConvShape shape_;
  const T* x_ = nullptr;
  const T* dy_ = nullptr;
  T* dkernel_ = nullptr;
  T* dbias_ = nullptr;
  Table<T> zeros_;
  std::int64_t tile_rows_ = 0, tile_columns_ = 0;
  std::int64_t images_per_block_ = 0, block_ = 0;  // images and tiles at a time
  std::int64_t parts_ = 0, part_groups_ = 0;       // of the sum, and groups of images in each
  std::int64_t column_part_ = 0, column_parts_ = 0;
  int threads_ = 0;
  std::uint32_t* met_ = nullptr;  // by each task: WinogradKernels::taps_met
  T* sums_ = nullptr;             // of all tasks, part by part; null where there is one part
  ThreadScratch<T> scratch_;
};

}  // namespace dlnative
