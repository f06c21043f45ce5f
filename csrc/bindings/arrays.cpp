#include "bindings/arrays.h"

#include <pybind11/stl.h>

namespace dlnative {

DType dtype_of(const py::array& array) {
  const py::dtype dtype = array.dtype();
  const char order = dtype.byteorder();
  const bool native = order == '=' || order == '|' || order == '<';
  if (native) {
    switch (dtype.kind()) {
      case 'b':
        return DType::kBool;
      case 'i':
        switch (dtype.itemsize()) {
          case 1:
            return DType::kInt8;
          case 2:
            return DType::kInt16;
          case 4:
            return DType::kInt32;
          case 8:
            return DType::kInt64;
        }
        break;
      case 'u':
        switch (dtype.itemsize()) {
          case 1:
            return DType::kUInt8;
          case 2:
            return DType::kUInt16;
          case 4:
            return DType::kUInt32;
          case 8:
            return DType::kUInt64;
        }
        break;
      case 'f':
        switch (dtype.itemsize()) {
          case 2:
            return DType::kFloat16;
          case 4:
            return DType::kFloat32;
          case 8:
            return DType::kFloat64;
        }
        break;
      default:
        break;
    }
  }
  throw py::type_error("expected a numeric array, received dtype " +
                       py::str(py::object(dtype)).cast<std::string>());
}

DType dtype_from_name(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(DType::kFloat64); ++i) {
    if (name == dtype_name(static_cast<DType>(i))) return static_cast<DType>(i);
  }
  throw std::invalid_argument("unknown dtype '" + name + "'");
}

py::dtype numpy_dtype(DType dtype) {
  return py::dtype(dtype_name(dtype));
}

Buffer buffer_of(const py::array& array, bool writable) {
  if ((array.flags() & py::array::c_style) == 0)
    throw std::invalid_argument("expected a C-contiguous array");
  if ((array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0)
    throw std::invalid_argument("expected an aligned array");
  if (writable && !array.writeable()) throw std::invalid_argument("expected a writable array");
  Buffer buffer;
  buffer.data = const_cast<void*>(array.data());
  buffer.dtype = dtype_of(array);
  buffer.shape.assign(array.shape(), array.shape() + array.ndim());
  return buffer;
}

RowSource row_source(const py::array& array) {
  RowSource source;
  source.data = static_cast<const char*>(array.data());
  source.type = static_cast<SourceType>(static_cast<int>(dtype_of(array)));
  const auto ndim = array.ndim();
  source.rows = ndim == 0 ? 1 : array.shape(0);
  source.row_stride = ndim == 0 ? array.itemsize() : array.strides(0);
  py::ssize_t expected = array.itemsize();
  for (py::ssize_t axis = ndim - 1; axis >= 1; --axis) {
    if (array.shape(axis) != 1 && array.strides(axis) != expected) source.contiguous = false;
    expected *= array.shape(axis);
  }
  if (!source.contiguous) {
    source.inner_shape.assign(array.shape() + 1, array.shape() + ndim);
    source.inner_strides.assign(array.strides() + 1, array.strides() + ndim);
  }
  return source;
}

namespace {

// Whether a conversion failed for the type, which is no error here; others are thrown.
bool is_no_number() {
  if (PyErr_Occurred() == nullptr) return false;
  if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) throw py::error_already_set();
  PyErr_Clear();
  return true;
}

// A number of Python or NumPy as an attribute; std::monostate where it is none.
Attribute number(const py::handle& value) {
  if (const auto whole = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()))) {
    int overflow = 0;
    const std::int64_t fits = PyLong_AsLongLongAndOverflow(whole.ptr(), &overflow);
    if (overflow == 0) return fits;
    const std::uint64_t positive = PyLong_AsUnsignedLongLong(whole.ptr());
    if (PyErr_Occurred() == nullptr) return positive;
    PyErr_Clear();
    const double rounded = PyLong_AsDouble(whole.ptr());
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();  // OverflowError
    return rounded;
  }
  is_no_number();
  const double real = PyFloat_AsDouble(value.ptr());
  if (is_no_number()) return std::monostate{};
  return real;
}

// A list of numbers: integers where all of them are, else doubles.
Attribute numbers(const std::string& name, const py::handle& values) {
  std::vector<std::int64_t> integers;
  std::vector<double> reals;
  bool whole = true;
  for (const auto& value : py::reinterpret_borrow<py::sequence>(values)) {
    const Attribute item = number(value);
    if (const auto* i = std::get_if<std::int64_t>(&item)) {
      integers.push_back(*i);
      reals.push_back(static_cast<double>(*i));
      continue;
    }
    whole = false;
    if (const auto* u = std::get_if<std::uint64_t>(&item))
      reals.push_back(static_cast<double>(*u));
    else if (const auto* d = std::get_if<double>(&item))
      reals.push_back(*d);
    else
      throw py::type_error("expected numbers in the list for '" + name + "'");
  }
  if (whole) return integers;
  return reals;
}

}  // namespace

std::map<std::string, Attribute> attributes_of(const py::dict& dict) {
  std::map<std::string, Attribute> attributes;
  for (const auto& item : dict) {
    const std::string name = item.first.cast<std::string>();
    const py::handle value = item.second;
    if (value.is_none()) continue;
    if (py::isinstance<py::bool_>(value)) {
      attributes[name] = value.cast<bool>();
    } else if (py::isinstance<py::str>(value)) {
      attributes[name] = value.cast<std::string>();
    } else if (PyTuple_Check(value.ptr()) || PyList_Check(value.ptr())) {
      attributes[name] = numbers(name, value);
    } else {
      attributes[name] = number(value);
      if (std::holds_alternative<std::monostate>(attributes[name]))
        throw py::type_error("expected a number for '" + name + "', received " +
                             py::repr(value).cast<std::string>());
    }
  }
  return attributes;
}

}  // namespace dlnative
