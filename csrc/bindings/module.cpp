#include "bindings/bindings.h"
#include "core/parallel.h"
#include "dispatch/dispatch.h"

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of dlnative.";
  // A DLNATIVE_ISA or DLNATIVE_NUM_THREADS that means nothing fails the import and says what would
  // do.
  dlnative::kernel_table();
  dlnative::set_num_threads(dlnative::default_num_threads());
  dlnative::bind_config(m);
  dlnative::bind_program(m);
  dlnative::bind_function(m);
  dlnative::bind_threads();
}
