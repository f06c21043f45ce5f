// Rows of a data set into a batch, converted to the batch's dtype on the way.
#pragma once

#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "kernels/kernel_table.h"

namespace dlnative {

// An array with rows on its first axis, of any numeric dtype and any strides.
struct RowSource {
  const char* data = nullptr;
  SourceType type = SourceType::kFloat32;
  std::int64_t rows = 0;
  std::int64_t row_stride = 0;              // bytes
  std::vector<std::int64_t> inner_shape;    // of one row
  std::vector<std::int64_t> inner_strides;  // bytes
  bool contiguous = true;                   // within a row
};

// target[r, :] = source[indices[r], :] for r in [0, rows); with indices null, source[first + r, :].
// target is contiguous; indices are in range. `rows_after`: how many more indices follow, of rows
// that are gathered next. `looks`: whether values that become floats are looked at. The result is
// false where a value is not in the range of an integer target, or, as far as they are looked at,
// becomes a float that is not finite; target is then unfinished.
bool gather_rows(const RowSource& source, const std::int64_t* indices, std::int64_t first,
                 std::int64_t rows, std::int64_t row_elements, const Buffer& target,
                 std::int64_t rows_after = 0, bool looks = false);

}  // namespace dlnative
