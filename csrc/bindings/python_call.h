// A function of Python's as an instruction of a program.
#pragma once

#include <pybind11/numpy.h>

#include <memory>

#include "program/instruction.h"

namespace dlnative {

// Calls `function` with copies of the inputs as NumPy arrays, while the thread holds the GIL, and
// copies what it returns, an array or a tuple of arrays of the outputs' shapes, into the outputs,
// cast to their dtypes. What it raises ends the run, before the step commits anything.
std::unique_ptr<Instruction> make_python_call(const Spec& spec, pybind11::function function);

}  // namespace dlnative
