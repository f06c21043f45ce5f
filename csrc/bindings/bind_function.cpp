// Functions: what is run of a plan, in any number of threads; and the locks of variables.
#include <pybind11/stl.h>

#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/py_program.h"
#include "bindings/threads.h"
#include "core/state_lock.h"

namespace dlnative {

namespace {

class PyFunction;

// The arenas of programs that belong together, such as those of one model: as many as threads have
// run such programs at the same time. All members are called by threads that hold the GIL.
class ArenaPool {
 public:
  struct Slot {
    std::size_t index = 0;
    std::shared_ptr<Arena> arena = std::make_shared<Arena>();
    bool taken = false;
    std::thread::id taker;
  };

  Slot& take() {
    for (const auto& slot : slots_) {
      if (!slot->taken) return take(*slot);
    }
    slots_.push_back(std::make_unique<Slot>());
    slots_.back()->index = slots_.size() - 1;
    return take(*slots_.back());
  }
  static void give_back(Slot& slot) { slot.taken = false; }

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const auto& slot : slots_) sum += slot->arena->bytes();
    return sum;
  }
  std::size_t count() const { return slots_.size(); }

  // In a child process: the parent's other threads give nothing back there.
  void reset_in_child() {
    for (const auto& slot : slots_) {
      if (slot->taker != std::this_thread::get_id()) slot->taken = false;
    }
  }

  std::set<PyFunction*> functions;  // whose programs lie in the arenas

 private:
  static Slot& take(Slot& slot) {
    slot.taken = true;
    slot.taker = std::this_thread::get_id();
    return slot;
  }

  std::vector<std::unique_ptr<Slot>> slots_;
};

// What runs a plan in any number of threads: each takes an arena of the pool, and the program on
// it, which is built when there is none. Who calls gives `owner`, whose method `fill(program)` does
// so; it is not kept, as Python could not see the cycle.
class PyFunction {
 public:
  PyFunction(std::size_t bytes, int threads, std::shared_ptr<ArenaPool> pool)
      : bytes_(bytes), threads_(threads), pool_(std::move(pool)) {
    pool_->functions.insert(this);
  }
  ~PyFunction() { pool_->functions.erase(this); }
  PyFunction(const PyFunction&) = delete;
  PyFunction& operator=(const PyFunction&) = delete;

  // The program that a thread gets that runs alone.
  std::shared_ptr<PyProgram> program(const py::object& owner) {
    const Lease lease(*pool_);
    program_on(lease.slot, owner);
    return programs_[lease.slot.index];
  }

  py::tuple call(const py::object& owner, const py::sequence& arrays, std::uint64_t step) {
    const Lease lease(*pool_);
    return program_on(lease.slot, owner).call(arrays, step);
  }

  std::int64_t run(const py::object& owner, const py::sequence& arrays, const py::object& indices,
                   std::int64_t first, std::int64_t steps, std::uint64_t step, double max_seconds,
                   const py::object& out, std::uint64_t epoch, bool finite_feeds) {
    const Lease lease(*pool_);
    return program_on(lease.slot, owner)
        .run(arrays, indices, first, steps, step, max_seconds, out, epoch, finite_feeds);
  }

 private:
  struct Lease {
    explicit Lease(ArenaPool& pool) : slot(pool.take()) {}
    ~Lease() { ArenaPool::give_back(slot); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ArenaPool::Slot& slot;
  };

  PyProgram& program_on(ArenaPool::Slot& slot, const py::object& owner) {
    if (programs_.size() <= slot.index) programs_.resize(slot.index + 1);
    if (programs_[slot.index] == nullptr) {
      // They go when the new one shares the packed weights that they keep.
      std::vector<std::shared_ptr<PyProgram>> replaced;
      if (slot.arena->bytes() < bytes_) replaced = make_room(slot);
      auto program = std::make_shared<PyProgram>(bytes_, slot.arena, threads_);
      owner.attr("fill")(program);
      programs_[slot.index] = std::move(program);
    }
    return *programs_[slot.index];
  }

  // Gives an arena up that is too small, with all programs, which hold addresses there.
  std::vector<std::shared_ptr<PyProgram>> make_room(ArenaPool::Slot& slot) {
    std::vector<std::shared_ptr<PyProgram>> dropped;
    for (PyFunction* function : pool_->functions) {
      if (slot.index >= function->programs_.size()) continue;
      auto& program = function->programs_[slot.index];
      if (program == nullptr) continue;
      program->give_up_memory();
      dropped.push_back(std::move(program));
    }
    slot.arena->drop();
    return dropped;
  }

  std::size_t bytes_ = 0;
  int threads_ = 0;
  std::shared_ptr<ArenaPool> pool_;
  std::vector<std::shared_ptr<PyProgram>> programs_;  // by the numbers of the arenas
};

// No program of another thread reads or writes the variables of `locks` from `enter` to `exit`.
class PyExclusive {
 public:
  explicit PyExclusive(std::vector<std::shared_ptr<StateLock>> locks)
      : locks_(std::move(locks)), access_(locks_, true) {}

  void enter() {
    const GilReleased released;
    try {
      access_.enter(&raise_signals, true);
      access_.begin_commit(&raise_signals);
    } catch (...) {
      access_.leave();
      throw;
    }
  }
  void exit(const py::args&) { access_.leave(); }

 private:
  std::vector<std::shared_ptr<StateLock>> locks_;
  StateAccess access_;
};

}  // namespace

void bind_function(py::module_& m) {
  py::class_<ArenaPool, std::shared_ptr<ArenaPool>>(m, "ArenaPool")
      .def(py::init<>())
      .def_property_readonly("bytes", &ArenaPool::bytes)
      .def("__len__", &ArenaPool::count)
      .def("reset_in_child", &ArenaPool::reset_in_child);
  py::class_<PyFunction>(m, "Function")
      .def(py::init<std::size_t, int, std::shared_ptr<ArenaPool>>(), py::arg("bytes"),
           py::arg("threads"), py::arg("pool").none(false))
      .def("program", &PyFunction::program, py::arg("owner"))
      .def("call", &PyFunction::call, py::arg("owner"), py::arg("arrays"), py::arg("step"))
      .def("run", &PyFunction::run, py::arg("owner"), py::arg("arrays"), py::arg("indices"),
           py::arg("first"), py::arg("steps"), py::arg("step"), py::arg("max_seconds"),
           py::arg("out"), py::arg("epoch"), py::arg("finite_feeds"));
  py::class_<Version, std::shared_ptr<Version>>(m, "Version")
      .def(py::init<>())
      .def_property_readonly("value", &Version::value)
      .def("changed", &Version::changed);
  py::class_<StateLock, std::shared_ptr<StateLock>>(m, "StateLock")
      .def(py::init<>())
      .def_property_readonly("number", &StateLock::number)
      .def("reset_in_child", &StateLock::reset_in_child);
  py::class_<PyExclusive>(m, "Exclusive")
      .def(py::init<std::vector<std::shared_ptr<StateLock>>>(), py::arg("locks"))
      .def("__enter__", &PyExclusive::enter)
      .def("__exit__", &PyExclusive::exit);
}

}  // namespace dlnative
