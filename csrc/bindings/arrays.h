// NumPy arrays to buffers and back.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "ops/gather.h"
#include "program/instruction.h"

namespace dlnative {

namespace py = pybind11;

// The DType of an array; TypeError (std::invalid_argument) for complex, object, string and
// big-endian arrays.
DType dtype_of(const py::array& array);
DType dtype_from_name(const std::string& name);
py::dtype numpy_dtype(DType dtype);

// A buffer on the memory of a C-contiguous, aligned array. With `writable` the array must be so.
Buffer buffer_of(const py::array& array, bool writable);

// A data set with rows on its first axis; a 0-d array is one row.
RowSource row_source(const py::array& array);

std::map<std::string, Attribute> attributes_of(const py::dict& dict);

}  // namespace dlnative
