// Threads, instruction sets, and what the machine can do.
#include <pybind11/stl.h>

#include <chrono>
#include <cstring>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/threads.h"
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

// The seconds that one core takes for so many FLOPs, all of them fused multiply-adds on registers.
double fma_seconds(const std::string& dtype, double flops) {
  const KernelTable& table = kernel_table();
  double (*loop)(std::int64_t) = dtype == "float64" ? table.fma_loop_f64 : table.fma_loop_f32;
  const double per_iteration = loop(1);
  const Clock::time_point start = Clock::now();
  const double done =
      loop(std::max(std::int64_t{1}, static_cast<std::int64_t>(flops / per_iteration)));
  return elapsed(start) * flops / done;
}

// The seconds that all threads take to copy until `bytes` are read and written, between two buffers
// of `size` bytes each.
double copy_seconds(double bytes, std::int64_t size) {
  AlignedBuffer from(static_cast<std::size_t>(size)), to(static_cast<std::size_t>(size));
  std::memset(from.data(), 1, from.bytes());
  std::memset(to.data(), 1, to.bytes());
  constexpr std::int64_t kChunk = 1 << 20;
  const std::int64_t places = std::max(std::int64_t{1}, size / kChunk);
  const std::int64_t length = std::min(kChunk, size);
  const double per_chunk = 2.0 * static_cast<double>(length);
  const std::int64_t chunks =
      std::max(std::int64_t{1}, static_cast<std::int64_t>(bytes / per_chunk));
  const Clock::time_point start = Clock::now();
  parallel_for(chunks, num_threads(), [&](std::int64_t task, int) {
    const std::int64_t begin = task % places * kChunk;
    std::memcpy(to.data() + begin, from.data() + begin, static_cast<std::size_t>(length));
  });
  return elapsed(start) * bytes / (per_chunk * static_cast<double>(chunks));
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
        const GilReleased released;
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
  m.def("fma_seconds", &fma_seconds, py::arg("dtype"), py::arg("flops"),
        py::call_guard<GilReleased>(),
        "The seconds that one core takes for FLOPs that are all fused multiply-adds on registers.");
  m.def("copy_seconds", &copy_seconds, py::arg("bytes"), py::arg("size"),
        py::call_guard<GilReleased>(),
        "The seconds that all threads take to read and write so many bytes in copies between two "
        "buffers of `size` bytes.");
}

}  // namespace dlnative
