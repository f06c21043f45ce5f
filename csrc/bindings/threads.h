// Computations without the GIL: signals meanwhile, and the end of the interpreter.
#pragma once

#include <pybind11/pybind11.h>

namespace dlnative {

// Releases the GIL for the length of the guard.
//
// pybind11's guard takes it back in a destructor even while the interpreter ends: there Python up
// to 3.13 ends the thread by an exception, which must not leave a destructor, and the process
// aborts. From the interpreter's exit functions on this one holds its thread, which can only be a
// daemon, until the process ends, as Python 3.14 does.
class GilReleased {
 public:
  GilReleased();
  ~GilReleased();
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;

 private:
  PyThreadState* state_ = nullptr;
};

// An Interruptible::Poll: whether Ctrl-C waits to be raised, or the interpreter ends.
bool must_stop() noexcept;

// Runs the handlers of signals that have come; throws what they raise. Without the GIL.
void raise_signals();

}  // namespace dlnative
