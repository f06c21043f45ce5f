// A program: a list of instructions with fixed addresses in one arena, run many steps in one call.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/interrupt.h"
#include "core/state_lock.h"
#include "ops/gather.h"
#include "program/arena.h"
#include "program/instruction.h"

namespace dlnative {

// Where one output's rows go: row r of step s at data + (position + r) * row_bytes.
struct RowTarget {
  char* data = nullptr;
};

struct RunRequest {
  std::vector<RowSource> feeds;  // one per feed
  const std::int64_t* indices =
      nullptr;             // row numbers in the data set, or null for consecutive rows
  std::int64_t first = 0;  // position of the first step's first row
  std::int64_t steps = 1;
  std::uint64_t step = 0;          // number of the first step, for random masks
  std::uint64_t epoch = 0;         // for augmentation, with the numbers of the rows
  bool finite_feeds = false;       // whether values that are fed as floats must be finite
  double max_seconds = 0.0;        // stop after this time (0: no limit); at least one step is run
  std::vector<RowTarget> outputs;  // one per output, or empty
  // Called at least every 50 ms between instructions of a long step, and while it waits for other
  // threads; may throw.
  std::function<void()> poll;
  // May end an instruction before its end: then poll is called, which has to throw.
  Interruptible::Poll stop = nullptr;
};

// What a run throws before a step that is fed what it must not be, or what its feeds do not have.
struct FeedError : std::domain_error {
  using std::domain_error::domain_error;
};

using Versions = std::vector<std::shared_ptr<Version>>;

struct ProfileEntry {
  std::string label;
  const char* algorithm;
  double seconds;
  std::int64_t runs;
};

class Program {
 public:
  // Its tensors lie in the first `bytes` bytes of a block of `arena`.
  Program(Arena& arena, std::size_t bytes);

  char* arena() { return reinterpret_cast<char*>(block_->data()); }
  std::size_t arena_bytes() const { return bytes_; }
  // It is not run any more, and holds its packed weights only.
  void give_up_memory() { block_.reset(); }
  std::size_t table_bytes() const { return table_bytes_; }  // of all instructions

  // `commits`: the instruction changes parameters or their slots. From the first such instruction
  // on a step is not interrupted, so that an update is done whole or not at all; before it, even an
  // instruction may be left in its midst, as the next step computes all of it anew. Returns the
  // bytes of packed weights that the instruction keeps.
  std::size_t add(std::unique_ptr<Instruction> instruction, std::string label, bool commits);
  void add_feed(Buffer target);
  void add_output(Buffer source);
  const std::vector<Buffer>& feeds() const { return feeds_; }
  const std::vector<Buffer>& outputs() const { return outputs_; }

  // After all that is added: the locks of the variables that it uses, in the order of their
  // numbers, the versions of what it writes, and of what each instruction has packed that keeps
  // packed weights. std::invalid_argument where these are not as many.
  void set_state(const std::vector<std::shared_ptr<StateLock>>& locks, Versions written,
                 std::vector<Versions> packed);

  // Runs up to request.steps steps and returns how many were run; by one thread at a time. It
  // returns before a step that an instruction holds back, so 0 where that is the first. Steps of
  // programs in other threads that use the same variables see those of whole steps: a program that
  // writes waits for its turn, and before the first instruction that commits until nobody reads.
  // std::runtime_error where this thread runs such a program already, std::invalid_argument where
  // an instruction cannot work with the values it is given, such as an index out of range; the
  // message names the instruction by its label, and the step ends there; FeedError before a step
  // that is fed values beyond its integers, or not finite and must be. Sets flush-to-zero for the
  // length of the call.
  std::int64_t run(const RunRequest& request);

  // From now on every run adds its time per instruction.
  void set_profiling(bool on);
  std::vector<ProfileEntry> profile() const;

 private:
  class Running;

  void begin_step(const RunRequest& request, bool is_first);
  void begin_commit(const RunRequest& request);
  void end_step();
  void pack_constants();
  void publish();
  void run_step(const RunRequest& request, std::int64_t s);
  void run_watched_step(const RunRequest& request, std::int64_t s);
  [[noreturn]] void fail_in(std::size_t i, const std::invalid_argument& error) const;
  void gather(const RunRequest& request, std::int64_t s);
  StepContext context_of(const RunRequest& request, std::int64_t s) const;
  void write_outputs(const RunRequest& request, std::int64_t s) const;

  std::shared_ptr<AlignedBuffer> block_;
  std::size_t bytes_ = 0, table_bytes_ = 0;
  std::vector<std::unique_ptr<Instruction>> instructions_;
  std::vector<ProfileEntry> entries_;
  std::size_t interruptible_ = 0;  // instructions before the first that commits
  bool committed_ = false;
  std::vector<Instruction*> packing_;          // those that keep packed weights
  std::vector<std::int64_t> packed_versions_;  // that each of them has seen last
  std::vector<Versions> packed_;
  Versions written_;
  std::vector<std::shared_ptr<StateLock>> locks_;  // of `access_`
  StateAccess access_;
  bool locked_ = false;   // in this step the thread is not alone
  bool changed_ = false;  // what is not yet published
  bool calls_python_ = false;
  std::vector<Buffer> feeds_;
  std::vector<std::int64_t> feed_rows_, feed_row_elements_;
  std::vector<Buffer> outputs_;
  bool profiling_ = false;
  // A step takes long enough that signals are looked for between instructions. So may the first
  // one.
  bool slow_ = true;
  bool timed_ = false;
};

}  // namespace dlnative
