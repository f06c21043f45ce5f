// The choice of a kernel table: once, at import, the best that the machine supports or the one that
// DLNATIVE_ISA names.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernel_table.h"

namespace dlnative {

// Names of the tables that are built in and supported by this machine, best first.
std::vector<std::string> available_isas();

// The table in use. The first call reads DLNATIVE_ISA; std::invalid_argument where it names a table
// that is unknown or unsupported, with the list of what is available.
const KernelTable& kernel_table();

// Switches the table (for tests and benchmarks). Programs built before keep theirs.
void set_isa(const std::string& name);

template <class T>
const Kernels<T>& kernels() {
  return kernel_table().template get<T>();
}

}  // namespace dlnative
