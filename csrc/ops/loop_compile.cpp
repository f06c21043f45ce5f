// From the description of a loop to a LoopPass: where results lie, and the registers.
#include <algorithm>

#include "core/aligned.h"
#include "core/checks.h"
#include "ops/chunks.h"
#include "ops/loop.h"

namespace dlnative {

namespace {

// Registers take at most half of a small L1 cache; the pieces of arrays need the rest. Elements of
// a piece: fewer cost more calls, of more the piece that is prefetched drives out what is in use.
constexpr std::int64_t kRegisterBytes = 16384;
constexpr std::int64_t kLeastChunk = 256;
constexpr std::int64_t kMostChunk = 512;

// Rows of fewer elements are run together, as many as fill a piece.
constexpr std::int64_t kShortRow = 128;

// Nanoseconds per element.
constexpr double kSpreadCost = 0.3;
constexpr double kReduceCost = 0.25;
constexpr double kCopyCost = 0.1;

std::int64_t aligned(std::int64_t bytes) {
  return round_up(bytes, static_cast<std::int64_t>(kAlignment));
}

// Where the result of a line lies.
enum class Place { kNowhere, kUniform, kOutput, kStaged, kRegister };

// Reuses registers of one element size.
class Registers {
 public:
  int take(std::int64_t bytes) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      if (free_[i] && bytes_[i] == bytes) {
        free_[i] = false;
        return static_cast<int>(i);
      }
    }
    bytes_.push_back(bytes);
    free_.push_back(false);
    return static_cast<int>(bytes_.size()) - 1;
  }
  void give_back(int r) { free_[static_cast<std::size_t>(r)] = true; }
  const std::vector<std::int64_t>& bytes() const { return bytes_; }

 private:
  std::vector<std::int64_t> bytes_;
  std::vector<bool> free_;
};

std::vector<std::int64_t> reduced_axes(LoopAxes axes) {
  if (axes == LoopAxes::kAll) return {0, 1};
  return {axes == LoopAxes::kLast ? 1 : 0};
}

}  // namespace

class LoopPass::Compiler {
 public:
  Compiler(LoopPass& pass, const LoopDescription& loop, LoopAxes axes, bool stores)
      : pass_(pass),
        loop_(loop),
        results_(loop.lines.size()),
        input_slots_(loop.inputs.size(), -1) {
    choose_outputs(axes, stores);
    find_needed();
    find_accesses();
    find_uniform();
    find_streamed();
    place_results();
    choose_chunk();
    lay_out();
    emit();
    find_streams();
    choose_tasks();
  }

 private:
  struct Result {
    bool needed = false;
    bool uniform = false;
    std::vector<std::size_t> stores;  // outputs that are this line's result
    bool reduced = false;
    std::size_t last_use = 0;
    Place place = Place::kNowhere;
    int index = 0;  // of the register, or the output
    std::size_t slot = 0;
    std::size_t offset = 0;  // of staging memory
    std::int64_t bytes = 0;
  };
  static std::size_t line_of(int operand) { return static_cast<std::size_t>(-(operand + 1)); }
  Result& result_of(const LoopDescription::Output& output) {
    return results_[static_cast<std::size_t>(output.line)];
  }

  // Outputs over axes of size 1 are stored: there is nothing to reduce.
  void choose_outputs(LoopAxes axes, bool stores) {
    const std::vector<std::int64_t> shape{loop_.rows, loop_.cols};
    for (std::size_t o = 0; o < loop_.outputs.size(); ++o) {
      const LoopDescription::Output& output = loop_.outputs[o];
      Result& result = result_of(output);
      result.bytes = dtype_size(loop_.lines[static_cast<std::size_t>(output.line)].choice.result);
      if (output.axes == LoopAxes::kNone) {
        if (stores) result.stores.push_back(o);
        continue;
      }
      if (output.axes != axes) continue;
      const ReducePasses passes("loop", shape, reduced_axes(axes));
      if (passes.passes.empty()) {
        result.stores.push_back(o);
        continue;
      }
      result.reduced = true;
      pass_.pass_ = passes.passes;
      partials_ = passes.partials;
      reduced_.push_back(o);
      pass_.reduced_.push_back({result.bytes == 8, output.data, nullptr, 0, 0,
                                BlockReduction<float>(output.reduction, "loop", passes, shape),
                                BlockReduction<double>(output.reduction, "loop", passes, shape)});
    }
  }

  void find_needed() {
    for (std::size_t k = loop_.lines.size(); k-- > 0;) {
      Result& result = results_[k];
      result.bytes = dtype_size(loop_.lines[k].choice.result);
      result.needed = result.needed || result.reduced || !result.stores.empty();
      if (!result.needed) continue;
      for (const int operand : loop_.lines[k].operands) {
        if (operand >= 0) continue;
        Result& used = results_[line_of(operand)];
        used.needed = true;
        used.last_use = std::max(used.last_use, k);
      }
    }
  }

  // With one row or one column there are full arrays and scalars only.
  void find_accesses() {
    for (const LoopDescription::Input& input : loop_.inputs) {
      LoopAccess access = input.access;
      if (access == LoopAccess::kRow && loop_.rows == 1) access = LoopAccess::kFull;
      if (access == LoopAccess::kRow && loop_.cols == 1) access = LoopAccess::kScalar;
      if (access == LoopAccess::kColumn && loop_.cols == 1) access = LoopAccess::kFull;
      if (access == LoopAccess::kColumn && loop_.rows == 1) access = LoopAccess::kScalar;
      accesses_.push_back(access);
    }
    pass_.rows_ = loop_.rows;
    pass_.cols_ = loop_.cols;
    pass_.flat_ = true;
    for (std::size_t k = 0; k < results_.size(); ++k) {
      if (!results_[k].needed) continue;
      for (const int operand : loop_.lines[k].operands) {
        if (operand < 0) continue;
        const LoopAccess access = accesses_[static_cast<std::size_t>(operand)];
        if (access == LoopAccess::kRow || access == LoopAccess::kColumn) pass_.flat_ = false;
      }
    }
    pass_.whole_rows_ = !pass_.flat_ && loop_.cols < kShortRow && loop_.rows * loop_.cols > 0;
  }

  void find_uniform() {
    for (std::size_t k = 0; k < results_.size(); ++k) {
      Result& result = results_[k];
      result.uniform = !result.reduced && result.stores.empty();
      for (const int operand : loop_.lines[k].operands) {
        const bool uniform =
            operand < 0 ? results_[line_of(operand)].uniform
                        : accesses_[static_cast<std::size_t>(operand)] == LoopAccess::kScalar;
        result.uniform = result.uniform && uniform;
      }
    }
  }

  // Whether a line behind line k reads what lies in the memory of an output.
  bool read_after(std::size_t k, const LoopDescription::Output& output) const {
    for (std::size_t j = k + 1; j < results_.size(); ++j) {
      if (!results_[j].needed) continue;
      for (const int operand : loop_.lines[j].operands) {
        if (operand >= 0 && loop_.inputs[static_cast<std::size_t>(operand)].data == output.data)
          return true;
      }
    }
    return false;
  }

  // Whether an output goes past the caches: the arrays are too large for them, and it lies where
  // none that is read does, so that its lines would be read for nothing.
  bool is_streamed(const Result& result, std::size_t o) const {
    const auto lies_there = [&](const LoopDescription::Input& input) {
      return input.data == loop_.outputs[o].data;
    };
    return !result.reduced && pass_.streamed_ &&
           std::none_of(loop_.inputs.begin(), loop_.inputs.end(), lies_there);
  }

  void find_streamed() {
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < loop_.inputs.size(); ++i)
      bytes += accesses_[i] == LoopAccess::kFull ? loop_.inputs[i].bytes : 0;
    for (const Result& result : results_) bytes += result.stores.empty() ? 0 : result.bytes;
    pass_.streamed_ = no_cache_holds(loop_.rows * loop_.cols * bytes);
  }

  void place_results() {
    for (std::size_t k = 0; k < results_.size(); ++k) {
      Result& result = results_[k];
      if (!result.needed) continue;
      release_operands(k);
      if (result.uniform) {
        result.place = Place::kUniform;
        continue;
      }
      const auto direct =
          std::find_if(result.stores.begin(), result.stores.end(), [&](std::size_t o) {
            return !read_after(k, loop_.outputs[o]) && !is_streamed(result, o);
          });
      if (direct != result.stores.end()) {
        result.place = Place::kOutput;
        result.index = static_cast<int>(*direct);
      } else if (result.stores.empty() && result.reduced) {
        result.place = Place::kStaged;
      } else {
        result.place = Place::kRegister;
        result.index = registers_.take(result.bytes);
        if (!result.stores.empty()) result.last_use = results_.size();  // copied at the end
      }
    }
  }

  // A line may write over its own operands: all that it reads there, it reads before.
  void release_operands(std::size_t k) {
    for (const int operand : loop_.lines[k].operands) {
      if (operand >= 0) continue;
      const Result& used = results_[line_of(operand)];
      if (used.place == Place::kRegister && used.last_use == k) registers_.give_back(used.index);
    }
  }

  void choose_chunk() {
    std::int64_t per_element = 0;
    for (const std::int64_t bytes : registers_.bytes()) per_element += bytes;
    if (pass_.whole_rows_) {
      for (std::size_t i = 0; i < loop_.inputs.size(); ++i) {
        if (accesses_[i] == LoopAccess::kRow || accesses_[i] == LoopAccess::kColumn)
          per_element += loop_.inputs[i].bytes;
      }
    }
    std::int64_t chunk = kMostChunk;
    while (chunk > kLeastChunk && chunk * per_element > kRegisterBytes) chunk /= 2;
    if (!pass_.flat_ && loop_.cols > chunk)  // pieces of a row are equally long
      chunk = round_up(ceil_div(loop_.cols, ceil_div(loop_.cols, chunk)), 16);
    const std::int64_t size = loop_.rows * loop_.cols;
    pass_.chunk_ = std::min(chunk, round_up(std::max<std::int64_t>(size, 1), 64));
  }

  std::size_t reserve(std::int64_t bytes) {
    const std::int64_t offset = thread_bytes_;
    thread_bytes_ += aligned(bytes);
    return static_cast<std::size_t>(offset);
  }

  std::size_t new_slot() { return slots_++; }

  // Elements of a result that are staged at a time.
  std::int64_t staged_elements() const {
    const ReducePasses::Pass& pass = pass_.pass_[0];
    if (pass.row_blocks > 1 || pass.column_blocks > 1) return pass.rows * pass.columns;
    return std::min(outer_per_task(pass), pass.outer) * pass.n * pass.inner;
  }

  // What to prefetch: the arrays that are read or written from end to end, unless all of them fit
  // the L2 cache, where they often are already.
  void find_streams() {
    constexpr std::int64_t kCacheLine = 64;
    std::int64_t bytes = 0;
    for (const Moving& m : pass_.moving_) {
      const bool streamed =
          std::any_of(pass_.copies_.begin(), pass_.copies_.end(),
                      [&](const Copy& c) { return c.to == m.slot && c.streamed; });
      if (streamed) continue;
      const bool known = std::any_of(pass_.streams_.begin(), pass_.streams_.end(),
                                     [&](const Stream& s) { return s.base == m.base; });
      if (known) continue;
      const auto lines = static_cast<std::int64_t>(pass_.lines_.size());
      const std::int64_t share = ceil_div(pass_.chunk_ * m.bytes, lines * kCacheLine) * kCacheLine;
      pass_.streams_.push_back({m.base, m.bytes, share});
      bytes += loop_.rows * loop_.cols * m.bytes;
    }
    if (bytes <= cache_sizes().l2) pass_.streams_.clear();
  }

  // Addresses: in the workspace, and in arrays.
  void lay_out() {
    std::vector<std::size_t> register_slots;
    for (const std::int64_t bytes : registers_.bytes()) {
      register_slots.push_back(new_slot());
      pass_.kept_.push_back({register_slots.back(), reserve(bytes * pass_.chunk_)});
    }
    std::vector<std::size_t> output_slots(loop_.outputs.size());
    for (Result& result : results_) {
      for (const std::size_t o : result.stores) {
        output_slots[o] = new_slot();
        pass_.moving_.push_back(
            {output_slots[o], static_cast<char*>(loop_.outputs[o].data), result.bytes});
      }
      if (result.place == Place::kRegister) {
        result.slot = register_slots[static_cast<std::size_t>(result.index)];
      } else if (result.place == Place::kOutput) {
        result.slot = output_slots[static_cast<std::size_t>(result.index)];
      } else if (result.place == Place::kUniform) {
        result.slot = new_slot();
        pass_.kept_.push_back({result.slot, reserve(result.bytes)});
      } else if (result.place == Place::kStaged) {
        result.slot = new_slot();
        result.offset = reserve(result.bytes * staged_elements());
        pass_.staged_.push_back({result.slot, result.offset, result.bytes});
      }
      for (const std::size_t o : result.stores) {
        if (result.place != Place::kOutput || output_slots[o] != result.slot)
          pass_.copies_.push_back(
              {result.slot, output_slots[o], result.bytes, is_streamed(result, o)});
      }
    }
  }

  std::size_t slot_of_input(std::size_t i) {
    if (input_slots_[i] >= 0) return static_cast<std::size_t>(input_slots_[i]);
    const LoopDescription::Input& input = loop_.inputs[i];
    const std::size_t slot = new_slot();
    input_slots_[i] = static_cast<int>(slot);
    auto* base = static_cast<char*>(const_cast<void*>(input.data));
    if (accesses_[i] == LoopAccess::kFull) {
      pass_.moving_.push_back({slot, base, input.bytes});
    } else if (accesses_[i] == LoopAccess::kScalar) {
      pass_.fixed_.push_back({slot, base, 0});
    } else {
      const std::size_t offset = pass_.whole_rows_ ? reserve(input.bytes * pass_.chunk_) : 0;
      (accesses_[i] == LoopAccess::kRow ? pass_.row_inputs_ : pass_.column_inputs_)
          .push_back({slot, base, input.bytes, offset});
    }
    return slot;
  }

  bool advances(int operand, Mode mode) const {
    if (operand < 0) return !results_[line_of(operand)].uniform;
    const LoopAccess access = accesses_[static_cast<std::size_t>(operand)];
    if (access == LoopAccess::kColumn) return mode == kWholeRows;
    return access != LoopAccess::kScalar;
  }

  void emit() {
    for (std::size_t k = 0; k < results_.size(); ++k) {
      const Result& result = results_[k];
      if (!result.needed) continue;
      const LoopDescription::Line& source = loop_.lines[k];
      Line line{source.choice.function, {}, result.slot, {}};
      for (std::size_t i = 0; i < source.operands.size(); ++i) {
        const int operand = source.operands[i];
        line.operands[i] = operand >= 0 ? slot_of_input(static_cast<std::size_t>(operand))
                                        : results_[line_of(operand)].slot;
        for (const Mode mode : {kPieces, kWholeRows})
          line.steps[mode][i] = advances(operand, mode) ? 1 : 0;
      }
      // What is not read has an address, too.
      for (std::size_t i = source.operands.size(); i < line.operands.size(); ++i)
        line.operands[i] = line.operands[0];
      (result.uniform ? pass_.uniform_ : pass_.lines_).push_back(line);
      if (!result.uniform) nanoseconds_ += source.choice.nanoseconds;
    }
    std::int64_t partial_bytes = 0;
    for (std::size_t i = 0; i < reduced_.size(); ++i) {
      const Result& result = result_of(loop_.outputs[reduced_[i]]);
      Reduced& reduced = pass_.reduced_[i];
      reduced.offset = result.offset;
      if (!result.stores.empty())
        reduced.base = static_cast<char*>(loop_.outputs[result.stores[0]].data);
      reduced.partial = static_cast<std::size_t>(partial_bytes);
      partial_bytes += aligned(partials_ * result.bytes);
    }
    pass_.partial_bytes_ = static_cast<std::size_t>(partial_bytes);
    pass_.thread_bytes_ = static_cast<std::size_t>(thread_bytes_);
  }

  void choose_tasks() {
    nanoseconds_ += kReduceCost * static_cast<double>(reduced_.size());
    nanoseconds_ += kCopyCost * static_cast<double>(pass_.copies_.size());
    if (pass_.whole_rows_) {
      nanoseconds_ += kSpreadCost * static_cast<double>(pass_.column_inputs_.size());
    }
    pass_.task_ = task_size(nanoseconds_);
    if (!pass_.flat_ && loop_.cols > 0 && loop_.cols <= pass_.task_)
      pass_.task_ -= pass_.task_ % loop_.cols;
    pass_.threads_ = threads_for(static_cast<double>(loop_.rows * loop_.cols) * nanoseconds_);
  }

  LoopPass& pass_;
  const LoopDescription& loop_;
  std::vector<Result> results_;
  std::vector<LoopAccess> accesses_;
  std::vector<std::size_t> reduced_;
  std::int64_t partials_ = 0;
  Registers registers_;
  std::vector<int> input_slots_;
  std::size_t slots_ = 0;
  std::int64_t thread_bytes_ = 0;
  double nanoseconds_ = 0.0;
};

LoopPass::LoopPass(const LoopDescription& loop, LoopAxes axes, bool stores) {
  Compiler(*this, loop, axes, stores);
}

}  // namespace dlnative
