// Guarded memory and the comparison of kernel tables; see isa_harness.h.
#include "isa_harness.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include <sys/mman.h>
#include <unistd.h>

#include "core/fp_mode.h"

namespace isa_test {
namespace {

constexpr std::size_t kMargin = 256;  // bytes before an array, of which all bits are set

// Memory whose last byte is followed by a page that may not be touched.
class Arena {
 public:
  Arena() {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* memory =
        mmap(nullptr, kBytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    begin_ = static_cast<unsigned char*>(memory);
    if (mprotect(begin_ + kBytes, page, PROT_NONE) != 0) std::abort();
  }
  unsigned char* place(std::size_t bytes) {
    if (bytes + kMargin > kBytes) std::abort();
    std::memset(begin_ + kBytes - bytes - kMargin, 0xff, bytes + kMargin);
    return begin_ + kBytes - bytes;
  }

 private:
  static constexpr std::size_t kBytes = std::size_t{1} << 24;
  unsigned char* begin_;
};

Arena& arena(std::size_t index) {
  static std::vector<std::unique_ptr<Arena>> arenas;
  while (arenas.size() <= index) arenas.push_back(std::make_unique<Arena>());
  return *arenas[index];
}

bool all_bits_set(const unsigned char* p, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    if (p[i] != 0xff) return false;
  }
  return true;
}

char running[256];  // what a signal handler prints

void fail(Score& score, const std::string& name, const std::string& what) {
  if (++score.failures > 100) return;
  std::printf("FAIL %s %s: %s\n", score.table->isa, name.c_str(), what.c_str());
  std::fflush(stdout);
}

std::vector<double> run(Score& score, const std::string& name, const Body& body) {
  std::snprintf(running, sizeof(running), "%s %s", score.table->isa, name.c_str());
  Call call;
  {
    const dlnative::FpModeGuard mode(dlnative::fp_mode() |
                                     (flush_denormals ? dlnative::kFlushBits : 0));
    body(call, *score.table);
  }
  const std::string trouble = call.finish();
  if (!trouble.empty()) fail(score, name, trouble);
  ++score.calls;
  return call.results();
}

std::string number(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.17g (%a)", value, value);
  return text;
}

// In parts of the bound: 0 for equal values, more than 1 for a failure.
double deviation(double got, double expected, const Bound& bound) {
  if (std::isnan(got) || std::isnan(expected))
    return std::isnan(got) == std::isnan(expected) ? 0 : 1e300;
  if (got == expected) return std::signbit(got) == std::signbit(expected) ? 0 : 1e300;
  if (std::isinf(got) || std::isinf(expected)) return 1e300;
  const double allowed = bound.relative * std::fabs(expected) + bound.absolute;
  return allowed > 0 ? std::fabs(got - expected) / allowed : 1e300;
}

void compare_results(Score& score, const std::string& name, const Bound& bound,
                     const std::vector<double>& got, const std::vector<double>& expected) {
  if (got.size() != expected.size()) return fail(score, name, "another number of results");
  std::size_t wrong = 0, first = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double parts = deviation(got[i], expected[i], bound);
    if (parts > 1 && wrong++ == 0) first = i;
    if (parts <= 1 && parts > score.largest) {
      score.largest = parts;
      score.largest_at = name;
    }
  }
  if (wrong == 0) return;
  fail(score, name,
       "value " + std::to_string(first) + " is " + number(got[first]) + ", not " +
           number(expected[first]) + "; " + std::to_string(wrong) + " of " +
           std::to_string(got.size()) + " differ");
}

void add_to_digest(Score& score, const std::vector<double>& results) {
  for (double value : results) {
    if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
    std::uint64_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    score.digest = (score.digest ^ bits) * 0x100000001b3u;
  }
}

}  // namespace

Call::Array& Call::place(std::size_t item, Index n, std::size_t shift) {
  const std::size_t bytes = item * static_cast<std::size_t>(n);
  Array a{};
  a.begin = arena(arrays_.size()).place(bytes + shift);
  a.item = item;
  a.shift = shift;
  a.rows = 1;
  a.cols = a.ld = n;
  arrays_.push_back(std::move(a));
  return arrays_.back();
}

std::string Call::finish() {
  std::string trouble;
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    const Array& a = arrays_[i];
    const std::string which = "array " + std::to_string(i) + ": ";
    if (!all_bits_set(a.begin - kMargin, kMargin)) trouble += which + "written before its begin; ";
    if (!all_bits_set(a.begin + a.bytes(), a.shift)) trouble += which + "written past its end; ";
    if (!a.original.empty() && std::memcmp(a.begin, a.original.data(), a.bytes()) != 0) {
      trouble += which + "an input was written to; ";
    }
    if (a.read == nullptr || a.cols == 0) continue;
    for (Index r = 0; r < a.rows; ++r) {
      const unsigned char* row = a.begin + static_cast<std::size_t>(r * a.ld) * a.item;
      for (Index c = 0; c < a.cols; ++c) result(a.read(row + static_cast<std::size_t>(c) * a.item));
      const std::size_t used = static_cast<std::size_t>(a.cols) * a.item;
      if (r + 1 < a.rows &&
          !all_bits_set(row + used, static_cast<std::size_t>(a.ld) * a.item - used)) {
        trouble += which + "written in the gap after row " + std::to_string(r) + "; ";
      }
    }
  }
  return trouble;
}

bool flush_denormals = false;

std::vector<Score>& scores() {
  static std::vector<Score> all;
  return all;
}

const char* running_name() {
  return running;
}

void compare(const std::string& name, const Bound& bound, const Body& body) {
  std::vector<double> expected;
  for (Score& score : scores()) {
    const std::vector<double> got = run(score, name, body);
    add_to_digest(score, got);
    if (&score == &scores().front()) {
      expected = got;
    } else {
      compare_results(score, name, bound, got, expected);
    }
  }
}

void compare_exact(const std::string& name, const std::vector<double>& expected, const Body& body) {
  for (Score& score : scores()) {
    compare_results(score, name, kExact, run(score, name, body), expected);
  }
}

void compare_parts(const std::string& name, const Body& whole, const Body& parts) {
  for (Score& score : scores()) {
    const std::vector<double> expected = run(score, name, whole);
    compare_results(score, name + " in parts", kExact, run(score, name + " in parts", parts),
                    expected);
  }
}

}  // namespace isa_test
