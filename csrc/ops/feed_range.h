// Whether stored values have a counterpart among the integers that they are fed as.
#pragma once

#include <cstdint>

#include "core/buffer.h"
#include "kernels/kernel_table.h"

namespace dlnative {

// Whether each of n values, of any alignment, lies in the range of the target; floats lose their
// fraction before that. NaN does not.
using RangeCheck = bool (*)(const void* from, std::int64_t n);

// Null where every value of the source does, and where the target is no integer.
RangeCheck range_check(DType target, SourceType source);

}  // namespace dlnative
