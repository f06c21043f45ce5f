#include "program/program.h"

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

Program::Program(std::shared_ptr<Arena> arena, std::size_t bytes)
    : arena_(std::move(arena)), block_(arena_->reserve(bytes)), bytes_(bytes) {}

std::size_t Program::add(std::unique_ptr<Instruction> instruction, std::string label,
                         bool commits) {
  committed_ = committed_ || commits;
  if (!committed_) ++interruptible_;
  instructions_.push_back(std::move(instruction));
  entries_.push_back({std::move(label), instructions_.back()->algorithm, 0.0, 0});
  table_bytes_ += instructions_.back()->table_bytes;
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

std::int64_t Program::run(const RunRequest& request) {
  const Turn turn(arena_->turns(), request.poll);
  const FlushDenormals flush;
  const Clock::time_point start = Clock::now();
  pack_constants(request.versions);
  std::int64_t done = 0;
  while (done < request.steps) {
    const Clock::time_point step_start = slow_ || done == 0 ? Clock::now() : start;
    run_step(request, done);
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

void Program::pack_constants(const std::vector<std::int64_t>& versions) {
  if (versions.size() != packing_.size())
    throw std::invalid_argument("expected one version per instruction that packs weights");
  for (std::size_t i = 0; i < versions.size(); ++i) {
    if (versions[i] == packed_versions_[i]) continue;
    packing_[i]->pack(versions[i]);
    packed_versions_[i] = versions[i];
  }
}

void Program::gather(const RunRequest& request, std::int64_t s) {
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    const std::int64_t position = request.first + s * feed_rows_[i];
    const std::int64_t* indices = request.indices != nullptr ? request.indices + position : nullptr;
    gather_rows(request.feeds[i], indices, position, feed_rows_[i], feed_row_elements_[i],
                feeds_[i], (request.steps - s - 1) * feed_rows_[i]);
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
    if (i == interruptible_) scope.reset();
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
