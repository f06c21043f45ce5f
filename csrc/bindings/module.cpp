#include "bindings/bindings.h"
#include "dispatch/dispatch.h"

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of dlnative.";
  dlnative::kernel_table();  // an unknown DLNATIVE_ISA fails the import, with the list of what is available
  dlnative::bind_config(m);
  dlnative::bind_program(m);
}
