// A program with Python's arrays.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/python_call.h"
#include "bindings/threads.h"
#include "program/program.h"

namespace dlnative {

// A program and the arrays that its instructions point into.
class PyProgram {
 public:
  PyProgram(std::size_t bytes, const std::shared_ptr<Arena>& arena, int threads)
      : program_(*arena, bytes), threads_(threads > 0 ? threads : num_threads()) {}

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

  void set_state(const std::vector<std::shared_ptr<StateLock>>& locks, Versions written,
                 std::vector<Versions> packed) {
    program_.set_state(locks, std::move(written), std::move(packed));
  }

  void add_feed(const py::handle& value) { program_.add_feed(buffer(value)); }
  void add_output(const py::handle& value) { program_.add_output(buffer(value)); }

  std::int64_t run(const py::sequence& arrays, const py::object& indices, std::int64_t first,
                   std::int64_t steps, std::uint64_t step, double max_seconds,
                   const py::object& out, std::uint64_t epoch, bool finite_feeds) {
    RunRequest request;
    request.finite_feeds = finite_feeds;
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
  // and the number of the step stands for the epoch. NotFinite where it is held back.
  py::tuple call(const py::sequence& arrays, std::uint64_t step) {
    RunRequest request;
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
    if (execute(request) == 0) throw NotFinite("the step has values that are not finite");
    return results;
  }

  void give_up_memory() { program_.give_up_memory(); }
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

}  // namespace dlnative
