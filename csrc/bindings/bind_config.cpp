// Threads, instruction sets, and what the machine can do.
#include <pybind11/stl.h>

#include <chrono>
#include <cstring>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "core/aligned.h"
#include "core/parallel.h"
#include "dispatch/cpu.h"
#include "dispatch/dispatch.h"
#include "ops/conv_cost.h"

namespace dlnative {

namespace {

using Clock = std::chrono::steady_clock;

double elapsed(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The best rate of short rounds within `seconds`, in FLOP/s of one core.
double fma_peak(const std::string& dtype, double seconds) {
  const KernelTable& table = kernel_table();
  double (*loop)(std::int64_t) = dtype == "float64" ? table.fma_loop_f64 : table.fma_loop_f32;
  double best = 0.0;
  const Clock::time_point start = Clock::now();
  do {
    const Clock::time_point round = Clock::now();
    const double flops = loop(100000);
    best = std::max(best, flops / elapsed(round));
  } while (elapsed(start) < seconds);
  return best;
}

// Bytes per second (read and written) of copies of `bytes`, best of the rounds within `seconds`,
// all threads.
double memory_bandwidth(std::int64_t bytes, double seconds) {
  AlignedBuffer from(static_cast<std::size_t>(bytes)), to(static_cast<std::size_t>(bytes));
  std::memset(from.data(), 1, from.bytes());
  std::memset(to.data(), 1, to.bytes());
  constexpr std::int64_t kChunk = 1 << 20;
  double best = 0.0;
  const Clock::time_point start = Clock::now();
  do {
    const Clock::time_point round = Clock::now();
    parallel_for((bytes + kChunk - 1) / kChunk, num_threads(), [&](std::int64_t task, int) {
      const std::int64_t begin = task * kChunk;
      std::memcpy(to.data() + begin, from.data() + begin,
                  static_cast<std::size_t>(std::min(kChunk, bytes - begin)));
    });
    best = std::max(best, 2.0 * static_cast<double>(bytes) / elapsed(round));
  } while (elapsed(start) < seconds);
  return best;
}

}  // namespace

void bind_config(py::module_& m) {
  m.def("isa", [] { return std::string(kernel_table().isa); });
  m.def("available_isas", &available_isas);
  m.def("set_isa", &set_isa, py::arg("name"));
  m.def("set_conv_algorithm", &set_conv_algorithm, py::arg("name"));
  m.def("num_threads", [] { return num_threads(); });
  m.def(
      "set_num_threads",
      [](int n) {
        py::gil_scoped_release release;
        set_num_threads(n);
      },
      py::arg("n"));
  m.def("default_num_threads", &default_num_threads);
  m.def("cpu_name", &cpu_name);
  m.def("cache_sizes", [] {
    const CacheSizes sizes = cache_sizes();
    return py::make_tuple(sizes.l1d, sizes.l2, sizes.l3);
  });
  m.def("compiler", [] { return std::string(DLNATIVE_CXX_FLAGS); });
  m.def("threading", [] {
#if defined(DLNATIVE_OPENMP)
    return std::string("openmp");
#else
    return std::string("pool");
#endif
  });
  m.def("fma_peak", &fma_peak, py::arg("dtype") = "float32", py::arg("seconds") = 0.1,
        py::call_guard<py::gil_scoped_release>(),
        "FLOP/s of fused multiply-adds on registers, one core.");
  m.def("memory_bandwidth", &memory_bandwidth, py::arg("bytes") = 256 << 20,
        py::arg("seconds") = 0.3, py::call_guard<py::gil_scoped_release>(),
        "Bytes/s read and written by copies on all threads.");
}

}  // namespace dlnative
