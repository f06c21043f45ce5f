// Values that change places.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace dlnative {

template <class T>
struct MoveKernels {
  // y[r * step_y + c] = x[c * step_x + r] for r < rows, c < columns, bit by bit. `streamed`: past
  // the caches where the lines of y begin with those of the cache.
  void (*transpose)(const T* x, std::int64_t step_x, T* y, std::int64_t step_y, std::int64_t rows,
                    std::int64_t columns, bool streamed);
};

}  // namespace dlnative
