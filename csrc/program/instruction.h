// What a program is made of. An op's factory turns a Spec (names, buffers, attributes) into an
// Instruction once; the instruction then runs any number of times without allocating.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/buffer.h"
#include "core/samples.h"
#include "core/thread_count.h"
#include "kernels/kernel_table.h"

namespace dlnative {

// Whole numbers are int64, those from 2^63 to 2^64 uint64, and what lies beyond is a double.
using Attribute = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double,
                               std::string, std::vector<std::int64_t>, std::vector<double>>;

// Memory for what an instruction computes in between; others use it between its runs.
struct Workspace {
  // As many bytes as the registry says,
  void* data = nullptr;
  std::size_t bytes = 0;
  bool of_thread = false;        // or as many as the factory wants of workspace_of_thread,
  std::size_t* asked = nullptr;  // or none: the factory is only asked how many it wants.
};

struct Spec {
  std::string op;
  std::vector<Buffer> inputs;  // an absent optional input has data == nullptr
  std::vector<Buffer> outputs;
  std::map<std::string, Attribute> attributes;
  Workspace workspace;
  int threads = num_threads();  // for which the instruction has workspace

  // The workspace for an instruction that needs so many bytes, null for 0: a factory asks once.
  // std::logic_error where that is more than there is.
  void* scratch(std::size_t bytes) const;
  // Gives an op what its set_workspace(memory, arguments...) takes.
  template <class Op, class... Arguments>
  void give_workspace(Op& taker, Arguments... arguments) const {
    taker.set_workspace(scratch(taker.set_workspace(nullptr, arguments...)), arguments...);
  }

  // Typed access; a missing (or None) attribute gives the fallback, a wrong type throws
  // std::invalid_argument.
  bool flag(const std::string& name, bool fallback) const;
  std::int64_t integer(const std::string& name, std::int64_t fallback) const;
  std::uint64_t bits(const std::string& name) const;  // all 64; 0 where it is missing
  double real(const std::string& name, double fallback) const;
  std::string text(const std::string& name, const std::string& fallback) const;
  std::vector<std::int64_t> integers(const std::string& name) const;
  std::vector<double> reals(const std::string& name) const;
  bool has(const std::string& name) const;       // present and not None
  const Buffer* input(std::size_t index) const;  // null where absent or past the end
};

// What changes from step to step.
struct StepContext {
  std::uint64_t step = 0;  // global training step: the counter of random numbers
  Samples samples;         // and, for augmentation, epoch and samples
};

// What an instruction throws that holds the step back: nothing of it is committed.
struct NotFinite : std::domain_error {
  using std::domain_error::domain_error;
};

class Instruction {
 public:
  virtual ~Instruction() = default;
  virtual void run(const StepContext& context) = 0;
  // Brings constant inputs into the form that `run` wants, unless that was done for this version of
  // them: called before the first run, and again after they have changed.
  virtual void pack(std::int64_t version) { static_cast<void>(version); }
  virtual std::size_t packed_bytes() const { return 0; }  // that are kept for it
  const char* algorithm = "";   // which implementation was chosen, for profiles
  std::size_t table_bytes = 0;  // of the Tables that it keeps
  bool calls_python = false;    // which may run another program of the same variables
};

// Makes an instruction of a callable f(const StepContext&).
template <class F>
std::unique_ptr<Instruction> make_instruction(F f, const char* algorithm = "") {
  struct Callable final : Instruction {
    explicit Callable(F g) : f(std::move(g)) {}
    void run(const StepContext& context) override { f(context); }
    F f;
  };
  auto instruction = std::make_unique<Callable>(std::move(f));
  instruction->algorithm = algorithm;
  return instruction;
}

// An instruction that is left out of the steps in which `condition` is false.
std::unique_ptr<Instruction> only_where(const Buffer& condition,
                                        std::unique_ptr<Instruction> instruction);

using Factory = std::unique_ptr<Instruction> (*)(const Spec& spec);

// How many bytes of workspace the instruction needs that the factory makes of this Spec. Addresses
// are looked at for which are equal, not for what lies there.
using WorkspaceRule = std::size_t (*)(const Spec& spec);

// The rule for what costs little to make: it is made, and seen what it asks for.
template <Factory factory>
std::size_t workspace_of(const Spec& spec) {
  Spec asking = spec;
  std::size_t bytes = 0;
  asking.workspace.asked = &bytes;
  factory(asking);
  return bytes;
}

// Name -> factory. Each topic adds its ops in one function; registry.cpp lists the topics.
class Registry {
 public:
  void add(const std::string& name, Factory factory, WorkspaceRule workspace = nullptr);
  // std::invalid_argument: unknown op
  std::unique_ptr<Instruction> make(const Spec& spec) const;
  std::size_t workspace_bytes(const Spec& spec) const;
  std::vector<std::string> names() const;
  std::vector<std::string> names_with_workspace() const;

 private:
  struct Entry {
    Factory factory;
    WorkspaceRule workspace;
  };

  const Entry& entry(const std::string& name) const;

  std::map<std::string, Entry> entries_;
};

const Registry& registry();

}  // namespace dlnative
