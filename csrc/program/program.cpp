#include "program/program.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "core/checks.h"
#include "core/fp_mode.h"

namespace dlnative {

namespace {

using Clock = std::chrono::steady_clock;

// Python wants to see Ctrl-C within 200 ms; looking costs 50 ns, so programs whose step takes
// longer than this look between instructions, the others between steps (the caller's max_seconds).
constexpr double kPollSeconds = 0.05;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

// The part that the threads' other programs notice of a run.
class Program::Running {
 public:
  Running(Program& program, const RunRequest& request) : program_(program) {
    program_.access_.enter(request.poll);
  }
  ~Running() {
    if (program_.changed_) program_.publish();
    program_.access_.leave();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Program& program_;
};

Program::Program(Arena& arena, std::size_t bytes)
    : block_(arena.reserve(bytes)), bytes_(bytes), access_({}, false) {}

std::size_t Program::add(std::unique_ptr<Instruction> instruction, std::string label,
                         bool commits) {
  committed_ = committed_ || commits;
  if (!committed_) ++interruptible_;
  instructions_.push_back(std::move(instruction));
  entries_.push_back({std::move(label), instructions_.back()->algorithm, 0.0, 0});
  table_bytes_ += instructions_.back()->table_bytes;
  calls_python_ = calls_python_ || instructions_.back()->calls_python;
  const std::size_t bytes = instructions_.back()->packed_bytes();
  if (bytes > 0) {
    packing_.push_back(instructions_.back().get());
    packed_versions_.push_back(-1);
  }
  return bytes;
}

void Program::add_feed(Buffer target) {
  const std::int64_t rows = target.shape.empty() ? 1 : target.shape[0];
  feed_rows_.push_back(rows);
  std::int64_t row_elements = 1;
  for (std::size_t i = 1; i < target.shape.size(); ++i) row_elements *= target.shape[i];
  feed_row_elements_.push_back(row_elements);
  feeds_.push_back(std::move(target));
}

void Program::add_output(Buffer source) {
  outputs_.push_back(std::move(source));
}

void Program::set_state(const std::vector<std::shared_ptr<StateLock>>& locks, Versions written,
                        std::vector<Versions> packed) {
  if (packed.size() != packing_.size())
    throw std::invalid_argument("expected the versions of every instruction that packs weights");
  written_ = std::move(written);
  packed_ = std::move(packed);
  locks_ = locks;
  access_ = StateAccess(locks, committed_);
}

std::int64_t Program::run(const RunRequest& request) {
  const Running running(*this, request);
  const FlushDenormals flush;
  const Clock::time_point start = Clock::now();
  std::int64_t done = 0;
  while (done < request.steps) {
    const Clock::time_point step_start = slow_ || done == 0 ? Clock::now() : start;
    begin_step(request, done == 0);
    try {
      run_step(request, done);
    } catch (const NotFinite&) {
      break;
    }
    end_step();
    ++done;
    if (done == 1) {
      slow_ = (slow_ && timed_) || seconds_since(step_start) > kPollSeconds;
      timed_ = true;
    }
    // A step of a tiny model takes less than 1 us, reading the clock 25 ns: look every 16 steps.
    if (request.max_seconds > 0.0 && (slow_ || (done & 15) == 0 || done == 1) &&
        seconds_since(start) >= request.max_seconds) {
      break;
    }
  }
  return done;
}

void Program::begin_step(const RunRequest& request, bool is_first) {
  locked_ = access_.begin_step(request.poll, [this] {
    if (changed_) publish();
  });
  if (is_first || locked_) pack_constants();
  changed_ = access_.writes() && !locked_;
}

// From here on the step changes what others read.
void Program::begin_commit(const RunRequest& request) {
  if (!locked_ || !access_.writes()) return;
  access_.begin_commit(request.poll);
  changed_ = true;
}

// A run that is alone publishes at its end; before that only Python that runs within it can look.
void Program::end_step() {
  if (changed_ && (locked_ || calls_python_ || slow_)) publish();
  if (locked_) access_.end_step();
}

namespace {

std::int64_t newest(const Versions& versions) {
  std::int64_t found = 0;
  for (const auto& version : versions) found = std::max(found, version->value());
  return found;
}

}  // namespace

void Program::pack_constants() {
  for (std::size_t i = 0; i < packed_.size(); ++i) {
    const std::int64_t version = newest(packed_[i]);
    if (version == packed_versions_[i]) continue;
    packing_[i]->pack(version);
    packed_versions_[i] = version;
  }
}

// Notes that what the program writes has changed. What it has packed has not, though it may lie in
// the same buffers.
void Program::publish() {
  changed_ = false;
  const std::int64_t number = Version::next();
  for (std::size_t i = 0; i < packed_.size(); ++i) {
    if (newest(packed_[i]) != packed_versions_[i]) packed_versions_[i] = -1;
  }
  for (const auto& version : written_) version->set(number);
  for (std::size_t i = 0; i < packed_.size(); ++i) {
    if (packed_versions_[i] >= 0) packed_versions_[i] = newest(packed_[i]);
  }
}

void Program::gather(const RunRequest& request, std::int64_t s) {
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    const std::int64_t position = request.first + s * feed_rows_[i];
    const std::int64_t* indices = request.indices != nullptr ? request.indices + position : nullptr;
    const bool all_fit =
        gather_rows(request.feeds[i], indices, position, feed_rows_[i], feed_row_elements_[i],
                    feeds_[i], (request.steps - s - 1) * feed_rows_[i], request.finite_feeds);
    if (!all_fit)
      throw FeedError("feed " + std::to_string(i) + ": a value that is not a finite one of " +
                      dtype_name(feeds_[i].dtype));
  }
}

StepContext Program::context_of(const RunRequest& request, std::int64_t s) const {
  StepContext context;
  context.step = request.step + static_cast<std::uint64_t>(s);
  context.samples.epoch = request.epoch;
  if (!feeds_.empty()) {
    context.samples.rows = feed_rows_[0];
    context.samples.first = request.first + s * feed_rows_[0];
    if (request.indices != nullptr)
      context.samples.numbers = request.indices + context.samples.first;
  }
  return context;
}

void Program::write_outputs(const RunRequest& request, std::int64_t s) const {
  for (std::size_t i = 0; i < request.outputs.size(); ++i) {
    const Buffer& source = outputs_[i];
    const std::int64_t bytes = source.size() * dtype_size(source.dtype);
    const std::int64_t rows = source.shape.empty() ? 1 : source.shape[0];
    const std::int64_t row_bytes = rows > 0 ? bytes / rows : 0;
    char* target = request.outputs[i].data + (request.first + s * rows) * row_bytes;
    std::memcpy(target, source.data, static_cast<std::size_t>(bytes));
  }
}

void Program::fail_in(std::size_t i, const std::invalid_argument& error) const {
  const std::string& label = entries_[i].label;
  if (label.empty()) throw error;
  fail("layer '", label, "': ", error.what());
}

void Program::run_step(const RunRequest& request, std::int64_t s) {
  if (slow_ || profiling_) return run_watched_step(request, s);
  gather(request, s);
  const StepContext context = context_of(request, s);
  std::size_t i = 0;
  try {
    for (; i < interruptible_; ++i) instructions_[i]->run(context);
    begin_commit(request);
    for (; i < instructions_.size(); ++i) instructions_[i]->run(context);
  } catch (const std::invalid_argument& error) {
    fail_in(i, error);
  }
  write_outputs(request, s);
}

void Program::run_watched_step(const RunRequest& request, std::int64_t s) {
  std::optional<Interruptible> scope;  // ends at the first instruction that commits
  if (slow_ && request.stop != nullptr) scope.emplace(request.stop);
  gather(request, s);
  const StepContext context = context_of(request, s);
  Clock::time_point last_poll = Clock::now();
  const auto poll = [&] {
    if (!slow_ || !request.poll) return;
    if (!interrupted() && seconds_since(last_poll) <= kPollSeconds) return;
    const Interruptible not_now(nullptr);  // a handler of signals may compute, too
    request.poll();
    last_poll = Clock::now();
  };
  for (std::size_t i = 0; i < instructions_.size(); ++i) {
    if (i <= interruptible_) poll();
    if (i == interruptible_) {
      scope.reset();
      begin_commit(request);
    }
    const Clock::time_point start = Clock::now();
    try {
      instructions_[i]->run(context);
    } catch (const std::invalid_argument& error) {
      fail_in(i, error);
    }
    if (profiling_) {
      entries_[i].seconds += seconds_since(start);
      ++entries_[i].runs;
    }
  }
  if (interruptible_ == instructions_.size()) poll();
  scope.reset();
  write_outputs(request, s);
}

void Program::set_profiling(bool on) {
  profiling_ = on;
  for (ProfileEntry& entry : entries_) {
    entry.seconds = 0.0;
    entry.runs = 0;
  }
}

std::vector<ProfileEntry> Program::profile() const {
  return entries_;
}

}  // namespace dlnative
