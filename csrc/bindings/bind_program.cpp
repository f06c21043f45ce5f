// Program, and single ops on NumPy arrays.
#include <pybind11/stl.h>

#include <memory>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/python_call.h"
#include "bindings/threads.h"
#include "core/aligned.h"
#include "core/fp_mode.h"
#include "core/interrupt.h"
#include "program/program.h"

namespace dlnative {

namespace {

// A program and the arrays that its instructions point into.
class PyProgram {
 public:
  PyProgram(std::size_t bytes, std::shared_ptr<Arena> arena, int threads)
      : program_(std::move(arena), bytes), threads_(threads > 0 ? threads : num_threads()) {}

  // A buffer is (offset, dtype, shape) in the arena, an array (state or a constant), or None.
  Buffer buffer(const py::handle& value) {
    if (value.is_none()) return Buffer{};
    if (py::isinstance<py::array>(value)) {
      const py::array array = py::reinterpret_borrow<py::array>(value);
      keep_.push_back(array);
      return buffer_of(array, false);
    }
    const py::tuple tuple = value.cast<py::tuple>();
    Buffer result;
    result.dtype = dtype_from_name(tuple[1].cast<std::string>());
    result.shape = tuple[2].cast<std::vector<std::int64_t>>();
    const auto offset = tuple[0].cast<std::size_t>();
    const auto bytes = static_cast<std::size_t>(result.size() * dtype_size(result.dtype));
    if (offset + bytes > program_.arena_bytes())
      throw std::invalid_argument("a buffer lies outside the arena");
    result.data = program_.arena() + offset;
    return result;
  }

  std::size_t add(const std::string& op, const py::sequence& inputs, const py::sequence& outputs,
                  const py::dict& attributes, const std::string& label, bool commits,
                  const std::vector<std::size_t>& constants,
                  std::pair<std::size_t, std::size_t> workspace, const py::object& condition) {
    Spec spec;
    spec.op = op;
    for (const auto& value : inputs) spec.inputs.push_back(buffer(value));
    for (const std::size_t i : constants) spec.inputs.at(i).constant = true;
    for (const auto& value : outputs) spec.outputs.push_back(buffer(value));
    if (attributes.contains("function")) {
      const auto function = attributes["function"].cast<py::function>();
      return append(make_python_call(spec, function), label, commits, condition);
    }
    spec.attributes = attributes_of(attributes);
    const auto [offset, bytes] = workspace;
    if (bytes > program_.arena_bytes() || offset > program_.arena_bytes() - bytes)
      throw std::invalid_argument("the workspace lies outside the arena");
    spec.workspace = {program_.arena() + offset, bytes, false, nullptr};
    spec.threads = threads_;
    return append(registry().make(spec), label, commits, condition);
  }

  void add_feed(const py::handle& value) { program_.add_feed(buffer(value)); }
  void add_output(const py::handle& value) { program_.add_output(buffer(value)); }

  std::int64_t run(const py::sequence& arrays, const py::object& indices, std::int64_t first,
                   std::int64_t steps, std::uint64_t step, double max_seconds,
                   const py::object& out, std::uint64_t epoch, std::vector<std::int64_t> versions) {
    RunRequest request;
    request.versions = std::move(versions);
    request.first = first;
    request.steps = steps;
    request.step = step;
    request.epoch = epoch;
    request.max_seconds = max_seconds;
    set_feeds(request, arrays);
    py::array_t<std::int64_t, py::array::c_style> rows;
    if (!indices.is_none()) {
      rows = indices.cast<py::array_t<std::int64_t, py::array::c_style>>();
      request.indices = rows.data();
    }
    check_rows(request, rows);
    if (!out.is_none()) {
      const py::sequence targets = out.cast<py::sequence>();
      if (targets.size() != program_.outputs().size())
        throw std::invalid_argument("one array per output is expected");
      for (std::size_t i = 0; i < targets.size(); ++i) {
        const Buffer target = buffer_of(targets[i].cast<py::array>(), true);
        check_target(target, program_.outputs()[i], first, steps);
        request.outputs.push_back({static_cast<char*>(target.data)});
      }
    }
    return execute(request);
  }

  // One step on whole arrays; returns a tuple of new arrays. Samples are numbered by their rows,
  // and the number of the step stands for the epoch.
  py::tuple call(const py::sequence& arrays, std::uint64_t step,
                 std::vector<std::int64_t> versions) {
    RunRequest request;
    request.versions = std::move(versions);
    request.step = step;
    request.epoch = step;
    set_feeds(request, arrays);
    check_rows(request, {});
    py::tuple results(program_.outputs().size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Buffer& source = program_.outputs()[i];
      py::array array(numpy_dtype(source.dtype), source.shape);
      request.outputs.push_back({static_cast<char*>(array.mutable_data())});
      results[i] = std::move(array);
    }
    execute(request);
    return results;
  }

  std::size_t arena_bytes() const { return program_.arena_bytes(); }
  std::size_t table_bytes() const { return program_.table_bytes(); }
  void set_profiling(bool on) { program_.set_profiling(on); }

  py::list profile() const {
    py::list rows;
    for (const ProfileEntry& e : program_.profile()) {
      rows.append(py::make_tuple(e.label, e.algorithm, e.seconds, e.runs));
    }
    return rows;
  }

 private:
  std::size_t append(std::unique_ptr<Instruction> instruction, const std::string& label,
                     bool commits, const py::object& condition) {
    if (!condition.is_none()) instruction = only_where(buffer(condition), std::move(instruction));
    return program_.add(std::move(instruction), label, commits);
  }

  void set_feeds(RunRequest& request, const py::sequence& arrays) {
    const auto& feeds = program_.feeds();
    if (arrays.size() != feeds.size()) {
      throw std::invalid_argument("expected " + std::to_string(feeds.size()) +
                                  " arrays, received " + std::to_string(arrays.size()));
    }
    for (std::size_t i = 0; i < feeds.size(); ++i) {
      const py::object value = arrays[i];
      if (!py::isinstance<py::array>(value)) throw py::type_error("expected NumPy arrays");
      const py::array array = py::reinterpret_borrow<py::array>(value);
      const std::vector<std::int64_t>& shape = feeds[i].shape;
      bool fits = static_cast<std::size_t>(array.ndim()) == shape.size();
      for (std::size_t axis = 1; fits && axis < shape.size(); ++axis) {
        fits = array.shape(static_cast<py::ssize_t>(axis)) == shape[axis];
      }
      if (!fits)
        throw std::invalid_argument("feed " + std::to_string(i) +
                                    ": the shape of a row does not fit");
      request.feeds.push_back(row_source(array));
    }
  }

  // Every row that the run will read must exist.
  void check_rows(const RunRequest& request, const py::array_t<std::int64_t>& indices) const {
    if (request.first < 0 || request.steps < 1)
      throw std::invalid_argument("expected first >= 0 and steps >= 1");
    for (std::size_t i = 0; i < request.feeds.size(); ++i) {
      const std::vector<std::int64_t>& shape = program_.feeds()[i].shape;
      const std::int64_t batch = shape.empty() ? 1 : shape[0];
      const std::int64_t end = request.first + request.steps * batch;
      const std::int64_t rows = request.feeds[i].rows;
      if (request.indices == nullptr) {
        if (end > rows) throw std::invalid_argument("feed " + std::to_string(i) + ": too few rows");
        continue;
      }
      if (end > indices.size()) throw std::invalid_argument("too few indices");
      const std::int64_t* p = request.indices;
      for (std::int64_t r = request.first; r < end; ++r) {
        if (p[r] < 0 || p[r] >= rows) throw std::invalid_argument("an index is out of range");
      }
    }
  }

  static void check_target(const Buffer& target, const Buffer& source, std::int64_t first,
                           std::int64_t steps) {
    const std::int64_t rows = source.shape.empty() ? 1 : source.shape[0];
    const std::int64_t row_elements = rows > 0 ? source.size() / rows : 0;
    if (target.dtype != source.dtype || target.size() < (first + steps * rows) * row_elements) {
      throw std::invalid_argument("an output array is too small or of another dtype");
    }
  }

  std::int64_t execute(RunRequest& request) {
    request.poll = &raise_signals;
    request.stop = &must_stop;
    const GilReleased released;
    return program_.run(request);
  }

  Program program_;
  int threads_ = 0;
  std::vector<py::object> keep_;
};

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
// where it overwrites them it is not interrupted.
void execute_op(const std::string& op, const py::sequence& inputs, const py::sequence& outputs,
                const py::dict& attributes, std::uint64_t step, bool writes) {
  Spec spec;
  spec.op = op;
  for (const auto& value : inputs) {
    spec.inputs.push_back(value.is_none() ? Buffer{} : buffer_of(value.cast<py::array>(), false));
  }
  for (const auto& value : outputs)
    spec.outputs.push_back(buffer_of(value.cast<py::array>(), true));
  spec.attributes = attributes_of(attributes);
  spec.workspace.of_thread = true;
  const auto instruction = registry().make(spec);
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

}  // namespace

void bind_program(py::module_& m) {
  py::class_<Arena, std::shared_ptr<Arena>>(m, "Arena")
      .def(py::init<>())
      .def_property_readonly("bytes", &Arena::bytes)
      .def("acquire",
           [](Arena& arena) {
             const GilReleased released;
             arena.turns().acquire(&raise_signals);
           })
      .def("release", [](Arena& arena) { arena.turns().release(); })
      .def("reset_turns", &Arena::reset_turns);
  py::class_<PyProgram>(m, "Program")
      .def(py::init<std::size_t, std::shared_ptr<Arena>, int>(), py::arg("arena_bytes"),
           py::arg("arena").none(false), py::arg("threads") = 0)
      .def("add", &PyProgram::add, py::arg("op"), py::arg("inputs"), py::arg("outputs"),
           py::arg("attributes"), py::arg("label") = "", py::arg("commits") = false,
           py::arg("constants") = std::vector<std::size_t>{},
           py::arg("workspace") = std::pair<std::size_t, std::size_t>{},
           py::arg("condition") = py::none())
      .def("add_feed", &PyProgram::add_feed, py::arg("buffer"))
      .def("add_output", &PyProgram::add_output, py::arg("buffer"))
      .def("run", &PyProgram::run, py::arg("arrays"), py::arg("indices"), py::arg("first"),
           py::arg("steps"), py::arg("step") = 0, py::arg("max_seconds") = 0.0,
           py::arg("out") = py::none(), py::arg("epoch") = 0,
           py::arg("versions") = std::vector<std::int64_t>{})
      .def("call", &PyProgram::call, py::arg("arrays"), py::arg("step") = 0,
           py::arg("versions") = std::vector<std::int64_t>{})
      .def("set_profiling", &PyProgram::set_profiling, py::arg("on"))
      .def("profile", &PyProgram::profile)
      .def_property_readonly("arena_bytes", &PyProgram::arena_bytes)
      .def_property_readonly("table_bytes", &PyProgram::table_bytes);
  m.def("execute", &execute_op, py::arg("op"), py::arg("inputs"), py::arg("outputs"),
        py::arg("attributes"), py::arg("step") = 0, py::arg("writes") = false);
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
