#include "bindings/threads.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <thread>

#include "bindings/bindings.h"
#include "core/fork.h"

namespace py = pybind11;

namespace dlnative {

namespace {

// How long the exit waits for computations to stop. Then they go on until the process ends.
constexpr auto kExitPatience = std::chrono::seconds(1);

std::atomic<int> computing{0};  // threads that have released the GIL and not yet taken it back
std::atomic<bool> ending{false};
std::thread::id ended_by;  // goes on computing, for exit functions that run after ours

// Of the thread that runs Python's signal handlers.
std::atomic<unsigned long> main_thread{0};

// must_stop has said so, and the interrupt is not yet raised.
std::atomic<bool> interrupt_seen{false};

// Thrown through a computation that nobody waits for any more, in a thread that is then held.
struct Abandoned : std::exception {};

bool ends_for_this_thread() noexcept {
  return ending.load(std::memory_order_acquire) && std::this_thread::get_id() != ended_by;
}

bool on_main_thread() noexcept {
  return PyThread_get_thread_ident() == main_thread.load(std::memory_order_relaxed);
}

[[noreturn]] void hold_thread() noexcept {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(24));
}

// An exit function of the interpreter, which runs while threads may still take the GIL. Once it
// returns, none is about to, and none will.
void end_computations() {
  ended_by = std::this_thread::get_id();
  ending.store(true, std::memory_order_release);
  PyThreadState* const state = PyEval_SaveThread();
  const auto end = std::chrono::steady_clock::now() + kExitPatience;
  while (computing.load(std::memory_order_acquire) > 0 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  PyEval_RestoreThread(state);
}

// Whether Ctrl-C raises KeyboardInterrupt. With a handler of the user's own a computation may have
// to go on.
bool default_interrupt_handler() {
  PyObject* const module = PyImport_GetModule(py::str("_signal").ptr());
  if (module == nullptr) return false;
  const py::object signals = py::reinterpret_steal<py::object>(module);
  return signals.attr("getsignal")(SIGINT).is(signals.attr("default_int_handler"));
}

}  // namespace

GilReleased::GilReleased() {
  if (ends_for_this_thread()) {
    PyEval_SaveThread();
    hold_thread();
  }
  computing.fetch_add(1, std::memory_order_relaxed);
  state_ = PyEval_SaveThread();
}

GilReleased::~GilReleased() {
  if (ends_for_this_thread()) {
    computing.fetch_sub(1, std::memory_order_release);
    hold_thread();
  }
  PyEval_RestoreThread(state_);
  computing.fetch_sub(1, std::memory_order_release);
}

bool must_stop() noexcept {
  if (ends_for_this_thread()) return true;
  if (!on_main_thread()) return false;
  const py::gil_scoped_acquire acquired;
  try {
    // Asking takes the interrupt away. It is put back, for raise_signals.
    if (!default_interrupt_handler() || PyOS_InterruptOccurred() == 0) return false;
    PyErr_SetInterrupt();
    interrupt_seen = true;
    return true;
  } catch (...) {
    return false;
  }
}

void raise_signals() {
  if (ends_for_this_thread()) throw Abandoned();
  if (!on_main_thread()) return;
  const py::gil_scoped_acquire acquired;
  const bool raised = PyErr_CheckSignals() != 0;
  if (interrupt_seen.exchange(false) && !raised) PyErr_SetNone(PyExc_KeyboardInterrupt);
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
}

void bind_threads() {
  main_thread =
      py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
  call_in_children([] {
    main_thread = PyThread_get_thread_ident();
    computing = 0;
  });
  py::module_::import("atexit").attr("register")(py::cpp_function(&end_computations));
}

}  // namespace dlnative
