// Dtypes and typed views of memory.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace dlnative {

enum class DType {
  kBool,
  kInt8,
  kUInt8,
  kInt16,
  kUInt16,
  kInt32,
  kUInt32,
  kInt64,
  kUInt64,
  kFloat16,
  kFloat32,
  kFloat64
};

std::int64_t dtype_size(DType dtype);
const char* dtype_name(DType dtype);

// A contiguous array in the arena or owned by Python; the data does not move while the program
// lives.
struct Buffer {
  void* data = nullptr;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
  bool constant = false;  // its values change between steps only, which their versions tell

  std::int64_t size() const;  // number of elements
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// Calls f(T{}) with T = float or double as `dtype` says; throws std::invalid_argument for others.
template <class F>
auto dispatch_floating(DType dtype, const std::string& op, F&& f) {
  if (dtype == DType::kFloat32) return f(float{});
  if (dtype == DType::kFloat64) return f(double{});
  throw std::invalid_argument(op + ": expected float32 or float64, received " + dtype_name(dtype));
}

}  // namespace dlnative
