#include "bindings/python_call.h"

#include <cstring>
#include <string>
#include <utility>

#include "bindings/arrays.h"
#include "core/checks.h"
#include "core/interrupt.h"

namespace py = pybind11;

namespace dlnative {

namespace {

class PythonCall final : public Instruction {
 public:
  PythonCall(const Spec& spec, py::function function)
      : inputs_(spec.inputs), outputs_(spec.outputs), function_(std::move(function)) {
    algorithm = "Python";
    calls_python = true;
  }

  void run(const StepContext&) override {
    const py::gil_scoped_acquire gil;
    const Interruptible not_within(nullptr);  // Python sees to its own signals
    py::tuple arguments(inputs_.size());
    for (std::size_t i = 0; i < inputs_.size(); ++i) arguments[i] = copy_of(inputs_[i]);
    const py::object result = function_(*arguments);
    py::tuple results;
    if (py::isinstance<py::tuple>(result) || py::isinstance<py::list>(result)) {
      results = py::tuple(result);
    } else {
      results = py::make_tuple(result);
    }
    check(results.size() == outputs_.size(), "numpy_function: expected ", outputs_.size(),
          " results, received ", results.size());
    for (std::size_t i = 0; i < outputs_.size(); ++i) store(results[i], outputs_[i]);
  }

 private:
  static py::object copy_of(const Buffer& buffer) {
    if (buffer.data == nullptr && buffer.size() > 0) return py::none();
    py::array array(numpy_dtype(buffer.dtype), buffer.shape);
    const auto bytes = static_cast<std::size_t>(buffer.size() * dtype_size(buffer.dtype));
    if (bytes > 0) std::memcpy(array.mutable_data(), buffer.data, bytes);
    return std::move(array);
  }

  static void store(const py::handle& value, const Buffer& target) {
    const py::object numpy = py::module_::import("numpy");
    const py::array array =
        numpy.attr("ascontiguousarray")(value, py::arg("dtype") = numpy_dtype(target.dtype));
    const std::vector<std::int64_t> shape(array.shape(), array.shape() + array.ndim());
    // ascontiguousarray makes a number an array of shape (1,).
    check(shape == target.shape || (target.shape.empty() && array.size() == 1),
          "numpy_function: expected a result of shape ", target.shape, ", received ", shape);
    const auto bytes = static_cast<std::size_t>(target.size() * dtype_size(target.dtype));
    if (bytes > 0) std::memcpy(target.data, array.data(), bytes);
  }

  std::vector<Buffer> inputs_, outputs_;
  py::function function_;
};

}  // namespace

std::unique_ptr<Instruction> make_python_call(const Spec& spec, py::function function) {
  return std::make_unique<PythonCall>(spec, std::move(function));
}

}  // namespace dlnative
