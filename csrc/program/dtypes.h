// From a dtype to the C++ type of its elements.
#pragma once

#include <cstdint>
#include <string>

#include "core/buffer.h"
#include "core/checks.h"

namespace dlnative {

// Calls f(T{}) for float32, float64, int32 and int64; std::invalid_argument for others.
template <class F>
auto dispatch_numeric(DType dtype, const std::string& op, F&& f) {
  switch (dtype) {
    case DType::kFloat32:
      return f(float{});
    case DType::kFloat64:
      return f(double{});
    case DType::kInt32:
      return f(std::int32_t{});
    case DType::kInt64:
      return f(std::int64_t{});
    default:
      fail(op, ": expected float32, float64, int32 or int64, received ", dtype_name(dtype));
  }
}

// The same for uint8 and bool, too.
template <class F>
auto dispatch_any(DType dtype, const std::string& op, F&& f) {
  if (dtype == DType::kUInt8) return f(std::uint8_t{});
  if (dtype == DType::kBool) return f(bool{});
  return dispatch_numeric(dtype, op, f);
}

// The same where only the order of elements counts: bool is read as bytes.
template <class F>
auto dispatch_ordered(DType dtype, const std::string& op, F&& f) {
  if (dtype == DType::kUInt8 || dtype == DType::kBool) return f(std::uint8_t{});
  return dispatch_numeric(dtype, op, f);
}

// Calls f(I{}) for the dtype of indices, int32 or int64.
template <class F>
auto dispatch_index(DType dtype, const std::string& op, F&& f) {
  if (dtype == DType::kInt32) return f(std::int32_t{});
  if (dtype == DType::kInt64) return f(std::int64_t{});
  fail(op, ": expected indices of int32 or int64, received ", dtype_name(dtype));
}

}  // namespace dlnative
