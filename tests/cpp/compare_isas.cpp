// Compares the kernels of every instruction set that this machine supports with those of baseline.
//
//   compare_isas [topic ...]     all topics, or some of: elementwise maps optimizers conversions
//                                reductions softmax losses gemm
//
// Calls the functions of every KernelTable, in float32 and float64, with sizes that straddle
// vectors and tiles; those of images (convolution, pooling, normalisation, augmentation) are
// compared with the oracle from Python, on every instruction set as well. Three things are checked:
//   - results agree with baseline's: to the bit where kernels do the same operations in the same
//     order (conversions, dropout, relu, extrema, integers), else within isa_harness.h's
//     `rounding`;
//   - memory outside of the arrays is neither read nor written, inputs stay as they are;
//   - results do not depend on how a kernel's range is cut, to the bit, where that is promised.
// Prints a line per failure, then a line per instruction set. The digest there covers the bits of
// all results: it is the same wherever one set runs on correct hardware, or in an emulator. Returns
// 0 if nothing failed. Takes about as long as a compilation of one file.
//
// For an instruction set that is not at hand: link with -static, boot a small Linux in an emulator
// that has it (Bochs for AVX-512), and run this there.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <unistd.h>

#include "dispatch/cpu.h"
#include "dispatch/dispatch.h"
#include "isa_harness.h"

#if defined(DLNATIVE_HAVE_avx512_emulated)
namespace dlnative {
namespace avx512_emulated {
extern const KernelTable table;
}
}  // namespace dlnative
#endif

namespace {

using isa_test::Score;

struct Topic {
  const char* name;
  void (*run)();
  bool meets_denormals = true;  // then it runs without and with flushing them
};

constexpr Topic kTopics[] = {
    {"elementwise", isa_test::compare_elementwise}, {"maps", isa_test::compare_maps},
    {"optimizers", isa_test::compare_optimizers},   {"conversions", isa_test::compare_conversions},
    {"reductions", isa_test::compare_reductions},   {"softmax", isa_test::compare_softmax},
    {"losses", isa_test::compare_losses},           {"gemm", isa_test::compare_gemm, false},
};

void print_now(const char* text) {
  static_cast<void>(!write(STDOUT_FILENO, text, std::strlen(text)));
}

extern "C" void on_signal(int number) {
  print_now(number == SIGILL ? "\nFAIL illegal instruction in "
                             : "\nFAIL memory outside of the arrays was touched by ");
  print_now(isa_test::running_name());
  print_now("\n");
  _exit(1);
}

bool wanted(const Topic& topic, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], topic.name) == 0) return true;
  }
  return argc == 1;
}

}  // namespace

int main(int argc, char** argv) {
  for (const int number : {SIGSEGV, SIGBUS, SIGILL}) std::signal(number, on_signal);

  const std::vector<std::string> isas = dlnative::available_isas();  // best first
  std::vector<Score>& scores = isa_test::scores();
  const auto add_table = [&scores](const dlnative::KernelTable& table) {
    Score score;
    score.table = &table;
    scores.push_back(score);
  };
  for (auto isa = isas.rbegin(); isa != isas.rend(); ++isa) {
    dlnative::set_isa(*isa);
    add_table(dlnative::kernel_table());
  }
#if defined(DLNATIVE_HAVE_avx512_emulated)
  if (dlnative::cpu_features().avx2) add_table(dlnative::avx512_emulated::table);
#endif
  std::printf("%s:", dlnative::cpu_name().c_str());
  for (const Score& score : scores) std::printf(" %s", score.table->isa);
  std::printf("\n");

  for (const Topic& topic : kTopics) {
    if (!wanted(topic, argc, argv)) continue;
    for (const bool flush : {false, true}) {
      isa_test::flush_denormals = flush;
      if (flush || topic.meets_denormals) topic.run();
    }
    std::printf("%s done\n", topic.name);
    std::fflush(stdout);
  }

  long failures = 0;
  for (const Score& score : scores) {
    failures += score.failures;
    std::printf("%s: %ld calls, %ld failures, digest %016llx", score.table->isa, score.calls,
                score.failures, static_cast<unsigned long long>(score.digest));
    if (score.largest > 0) {
      std::printf(", largest deviation %.2g of its bound (%s)", score.largest,
                  score.largest_at.c_str());
    }
    std::printf("\n");
  }
  std::printf(failures == 0 ? "passed\n" : "FAILED\n");
  return failures == 0 ? 0 : 1;
}
