// One function per topic adds its part to the module.
#pragma once

#include <pybind11/pybind11.h>

namespace dlnative {

void bind_config(pybind11::module_& m);
void bind_function(pybind11::module_& m);
void bind_program(pybind11::module_& m);
void bind_threads();

}  // namespace dlnative
