// Program, and single ops on NumPy arrays.
#include <pybind11/stl.h>

#include <memory>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/py_program.h"
#include "bindings/threads.h"
#include "core/aligned.h"
#include "core/checks.h"
#include "core/fp_mode.h"
#include "core/interrupt.h"
#include "dispatch/dispatch.h"
#include "program/program.h"

namespace dlnative {

namespace {

bool overlap(const Buffer& a, const Buffer& b) {
  if (a.data == nullptr || b.data == nullptr) return false;
  const auto bytes = [](const Buffer& c) { return c.size() * dtype_size(c.dtype); };
  const auto begin = [](const Buffer& c) { return reinterpret_cast<std::uintptr_t>(c.data); };
  const std::uintptr_t of_a = begin(a), of_b = begin(b);
  return of_a < of_b + static_cast<std::uintptr_t>(bytes(b)) &&
         of_b < of_a + static_cast<std::uintptr_t>(bytes(a));
}

// The bytes of workspace that an instruction of a program will need for the number of threads that
// is set. Buffers are as for
// Program.add, but `offset` stands for any number that tells places in the arena apart.
std::size_t workspace_bytes(const std::string& op, const py::sequence& inputs,
                            const py::sequence& outputs, const py::dict& attributes,
                            const std::vector<std::size_t>& constants) {
  const auto buffer = [](const py::handle& value) {
    if (value.is_none()) return Buffer{};
    if (py::isinstance<py::array>(value))
      return buffer_of(py::reinterpret_borrow<py::array>(value), false);
    const py::tuple tuple = value.cast<py::tuple>();
    Buffer result;
    result.dtype = dtype_from_name(tuple[1].cast<std::string>());
    result.shape = tuple[2].cast<std::vector<std::int64_t>>();
    // Not null, which stands for an absent input; nobody reads there.
    result.data = reinterpret_cast<void*>(tuple[0].cast<std::uintptr_t>() + kAlignment);
    return result;
  };
  Spec spec;
  spec.op = op;
  for (const auto& value : inputs) spec.inputs.push_back(buffer(value));
  for (const std::size_t i : constants) spec.inputs.at(i).constant = true;
  for (const auto& value : outputs) spec.outputs.push_back(buffer(value));
  spec.attributes = attributes_of(attributes);
  return registry().workspace_bytes(spec);
}

// One op on contiguous arrays; writes into `outputs` (and into the inputs that the op overwrites,
// if it is said to). Interrupted, it leaves `outputs` unfinished, and its inputs as they were:
// where it overwrites them it is not interrupted. The inputs `constants` are packed first where the
// op does that with those that do not change.
void execute_op(const std::string& op, const py::sequence& inputs, const py::sequence& outputs,
                const py::dict& attributes, std::uint64_t step, bool writes,
                const std::vector<std::size_t>& constants) {
  Spec spec;
  spec.op = op;
  for (const auto& value : inputs) {
    spec.inputs.push_back(value.is_none() ? Buffer{} : buffer_of(value.cast<py::array>(), false));
  }
  for (const std::size_t i : constants) spec.inputs.at(i).constant = true;
  for (const auto& value : outputs)
    spec.outputs.push_back(buffer_of(value.cast<py::array>(), true));
  spec.attributes = attributes_of(attributes);
  spec.workspace.of_thread = true;
  const auto instruction = registry().make(spec);
  if (instruction->packed_bytes() > 0) instruction->pack(1);
  StepContext context;
  context.step = step;
  for (const Buffer& input : spec.inputs) {
    for (const Buffer& output : spec.outputs) writes = writes || overlap(input, output);
  }
  const GilReleased released;
  const FlushDenormals flush;
  bool stopped = false;
  {
    Interruptible scope(writes ? nullptr : &must_stop);
    instruction->run(context);
    stopped = interrupted();
  }
  if (stopped) raise_signals();
}

bool all_finite(const py::array& array) {
  const Buffer buffer = buffer_of(array, false);
  check(buffer.dtype == DType::kFloat32 || buffer.dtype == DType::kFloat64,
        "all_finite: expected float32 or float64");
  if (buffer.dtype == DType::kFloat32)
    return kernels<float>().convert->all_finite(buffer.as<float>(), buffer.size());
  return kernels<double>().convert->all_finite(buffer.as<double>(), buffer.size());
}

}  // namespace

void bind_program(py::module_& m) {
  py::class_<Arena, std::shared_ptr<Arena>>(m, "Arena")
      .def(py::init<>())
      .def_property_readonly("bytes", &Arena::bytes);
  py::class_<PyProgram, std::shared_ptr<PyProgram>>(m, "Program")
      .def(py::init<std::size_t, std::shared_ptr<Arena>, int>(), py::arg("arena_bytes"),
           py::arg("arena").none(false), py::arg("threads") = 0)
      .def("add", &PyProgram::add, py::arg("op"), py::arg("inputs"), py::arg("outputs"),
           py::arg("attributes"), py::arg("label") = "", py::arg("commits") = false,
           py::arg("constants") = std::vector<std::size_t>{},
           py::arg("workspace") = std::pair<std::size_t, std::size_t>{},
           py::arg("condition") = py::none())
      .def("set_state", &PyProgram::set_state, py::arg("locks"), py::arg("written"),
           py::arg("packed"))
      .def("add_feed", &PyProgram::add_feed, py::arg("buffer"))
      .def("add_output", &PyProgram::add_output, py::arg("buffer"))
      .def("run", &PyProgram::run, py::arg("arrays"), py::arg("indices"), py::arg("first"),
           py::arg("steps"), py::arg("step") = 0, py::arg("max_seconds") = 0.0,
           py::arg("out") = py::none(), py::arg("epoch") = 0, py::arg("finite_feeds") = false)
      .def("call", &PyProgram::call, py::arg("arrays"), py::arg("step") = 0)
      .def("set_profiling", &PyProgram::set_profiling, py::arg("on"))
      .def("profile", &PyProgram::profile)
      .def_property_readonly("arena_bytes", &PyProgram::arena_bytes)
      .def_property_readonly("table_bytes", &PyProgram::table_bytes);
  py::register_exception<FeedError>(m, "FeedError", PyExc_ValueError);
  m.def("execute", &execute_op, py::arg("op"), py::arg("inputs"), py::arg("outputs"),
        py::arg("attributes"), py::arg("step") = 0, py::arg("writes") = false,
        py::arg("constants") = std::vector<std::size_t>{});
  m.def(
      "all_finite", &all_finite, py::arg("array").noconvert(),
      "Whether a C-contiguous, aligned array of float32 or float64 has neither NaN nor infinity.");
  m.def("workspace_bytes", &workspace_bytes, py::arg("op"), py::arg("inputs"), py::arg("outputs"),
        py::arg("attributes"), py::arg("constants") = std::vector<std::size_t>{});
  m.def("op_names", [] { return registry().names(); });
  m.def("memory_count", [] {
    const MemoryCount count = memory_count();
    return std::make_pair(count.bytes, count.allocations);
  });
  m.def("op_names_with_workspace", [] { return registry().names_with_workspace(); });
}

}  // namespace dlnative
