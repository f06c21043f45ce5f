// What factories check before they hand addresses to kernels: presence, number of elements, dtype.
// Shapes were checked by the op table; these checks are for the safety of memory.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/checks.h"
#include "program/instruction.h"

namespace dlnative {

inline void check_buffer(const Spec& spec, const Buffer& buffer, const char* name,
                         std::int64_t size, DType dtype) {
  check(buffer.size() == size && buffer.dtype == dtype, spec.op, ": expected ", name, " of ", size,
        " elements of ", dtype_name(dtype), ", received shape ", buffer.shape, " of ",
        dtype_name(buffer.dtype));
  check(buffer.data != nullptr || size == 0, spec.op, ": ", name, " has no memory");
}

// An input that must be there, of any size and dtype.
inline const Buffer& required_input(const Spec& spec, std::size_t index, const char* name) {
  check(index < spec.inputs.size(), spec.op, ": expected an input '", name, "', received ",
        spec.inputs.size(), " inputs");
  const Buffer& buffer = spec.inputs[index];
  check(buffer.data != nullptr || buffer.size() == 0, spec.op, ": ", name, " has no memory");
  return buffer;
}

inline const Buffer& required_input(const Spec& spec, std::size_t index, const char* name,
                                    std::int64_t size, DType dtype) {
  const Buffer& buffer = required_input(spec, index, name);
  check_buffer(spec, buffer, name, size, dtype);
  return buffer;
}

// Null where the input is absent or past the end.
inline const Buffer* optional_input(const Spec& spec, std::size_t index, const char* name,
                                    std::int64_t size, DType dtype) {
  const Buffer* buffer = spec.input(index);
  if (buffer != nullptr) check_buffer(spec, *buffer, name, size, dtype);
  return buffer;
}

inline const Buffer& required_output(const Spec& spec, std::size_t index, const char* name,
                                     std::int64_t size, DType dtype) {
  check(index < spec.outputs.size(), spec.op, ": expected an output '", name, "', received ",
        spec.outputs.size(), " outputs");
  check_buffer(spec, spec.outputs[index], name, size, dtype);
  return spec.outputs[index];
}

// The data of an optional array, or null.
template <class T>
T* data_or_null(const Buffer* buffer) {
  return buffer != nullptr ? buffer->as<T>() : nullptr;
}

// An array and what it becomes by a kernel that works in place: usually one memory.
struct InPlace {
  Buffer from;
  Buffer to;

  // Puts the values that the kernel starts from in its place.
  void begin() const {
    if (from.data == to.data) return;
    std::memcpy(to.data, from.data, static_cast<std::size_t>(to.size() * dtype_size(to.dtype)));
  }
};

// Elements of all axes but the last; 1 for a vector.
inline std::int64_t row_count(const Buffer& buffer) {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < buffer.shape.size(); ++i) rows *= buffer.shape[i];
  return rows;
}

}  // namespace dlnative
