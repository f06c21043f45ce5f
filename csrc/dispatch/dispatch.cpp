#include "dispatch/dispatch.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "dispatch/cpu.h"

namespace dlnative {

namespace baseline {
extern const KernelTable table;
}
#if defined(DLNATIVE_HAVE_avx2)
namespace avx2 {
extern const KernelTable table;
}
namespace avx512 {
extern const KernelTable table;
}
#endif

namespace {

struct Candidate {
  const KernelTable* table;
  bool supported;
};

// Best first.
std::vector<Candidate> candidates() {
  std::vector<Candidate> list;
#if defined(DLNATIVE_HAVE_avx2)
  const CpuFeatures& cpu = cpu_features();
#if defined(DLNATIVE_EMULATE_AVX512)
  list.push_back({&avx2::table, cpu.avx2});
  list.push_back({&avx512::table, cpu.avx2});  // slow
#else
  list.push_back({&avx512::table, cpu.avx512});
  list.push_back({&avx2::table, cpu.avx2});
#endif
#endif
  list.push_back({&baseline::table, true});
  return list;
}

const KernelTable* find(const std::string& name) {
  for (const Candidate& c : candidates()) {
    if (c.supported && name == c.table->isa) return c.table;
  }
  std::string message =
      "instruction set '" + name + "' is unknown or not supported here; available: ";
  bool first = true;
  for (const std::string& isa : available_isas()) {
    message += (first ? "" : ", ") + isa;
    first = false;
  }
  throw std::invalid_argument(message);
}

const KernelTable* initial_table() {
  const char* name = std::getenv("DLNATIVE_ISA");
  if (name != nullptr && *name != '\0') {
    try {
      return find(name);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string("DLNATIVE_ISA: ") + error.what());
    }
  }
  return find(available_isas().front());
}

std::atomic<const KernelTable*> current{nullptr};

}  // namespace

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Candidate& c : candidates()) {
    if (c.supported) names.emplace_back(c.table->isa);
  }
  return names;
}

const KernelTable& kernel_table() {
  const KernelTable* table = current.load(std::memory_order_acquire);
  if (table == nullptr) {
    table = initial_table();
    current.store(table, std::memory_order_release);
  }
  return *table;
}

void set_isa(const std::string& name) {
  current.store(find(name), std::memory_order_release);
}

template <>
const Kernels<float>& KernelTable::get<float>() const {
  return f32;
}
template <>
const Kernels<double>& KernelTable::get<double>() const {
  return f64;
}

}  // namespace dlnative
