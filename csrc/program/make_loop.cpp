// The instruction loop: many elementwise functions, and reductions of what they give, in one sweep.
#include <algorithm>
#include <sstream>

#include "core/thread_count.h"
#include "ops/loop.h"
#include "program/instruction.h"
#include "program/spec_checks.h"

namespace dlnative {

namespace {

constexpr DType kDTypes[] = {DType::kFloat32, DType::kFloat64, DType::kInt32,
                             DType::kInt64,   DType::kUInt8,   DType::kBool};

std::vector<std::string> words(const Spec& spec, const std::string& name) {
  std::istringstream text(spec.text(name, ""));
  std::vector<std::string> found;
  for (std::string word; text >> word;) found.push_back(word);
  return found;
}

// One word for each of `count` things.
std::vector<std::string> words(const Spec& spec, const std::string& name, std::size_t count,
                               const char* things) {
  std::vector<std::string> found = words(spec, name);
  check(found.size() == count, spec.op, ": expected ", count, " words in '", name,
        "', one for each of the ", things, ", received ", found.size());
  return found;
}

std::vector<DType> dtypes(const Spec& spec, const std::string& name, std::size_t count) {
  std::vector<DType> found;
  for (const std::string& word : words(spec, name, count, "maps")) {
    const DType* known = std::find_if(std::begin(kDTypes), std::end(kDTypes),
                                      [&](DType dtype) { return word == dtype_name(dtype); });
    check(known != std::end(kDTypes), spec.op,
          ": expected float32, float64, int32, int64, uint8 or bool in '", name, "', received '",
          word, "'");
    found.push_back(*known);
  }
  return found;
}

std::vector<std::int64_t> numbers(const Spec& spec, const std::string& name, std::size_t count,
                                  const char* things) {
  std::vector<std::int64_t> found = spec.integers(name);
  check(found.size() == count, spec.op, ": expected ", count, " numbers in '", name,
        "', one for each of the ", things, ", received ", found.size());
  return found;
}

void read_domain(const Spec& spec, LoopDescription& loop) {
  loop.rows = spec.integer("rows", -1);
  loop.cols = spec.integer("cols", -1);
  std::int64_t size = 0;
  check(loop.rows >= 0 && loop.cols >= 0 && !__builtin_mul_overflow(loop.rows, loop.cols, &size),
        spec.op, ": expected 'rows' and 'cols' of at least 0, received ", loop.rows, " and ",
        loop.cols);
}

void read_inputs(const Spec& spec, LoopDescription& loop) {
  const std::size_t count = spec.inputs.size();
  check(count >= 1 && count <= kMaxLoopInputs, spec.op, ": expected 1 to ", kMaxLoopInputs,
        " inputs, received ", count);
  const std::vector<std::int64_t> access = numbers(spec, "access", count, "inputs");
  for (std::size_t i = 0; i < count; ++i) {
    check(access[i] >= 0 && access[i] <= 3, spec.op,
          ": expected 0, 1, 2 or 3 in 'access', received ", access[i]);
    const auto how = static_cast<LoopAccess>(access[i]);
    const std::int64_t sizes[] = {loop.rows * loop.cols, 1, loop.cols, loop.rows};
    const std::string name = "input " + std::to_string(i);
    const Buffer& x = required_input(spec, i, name.c_str());
    check_buffer(spec, x, name.c_str(), sizes[access[i]], x.dtype);
    loop.inputs.push_back({x.data, dtype_size(x.dtype), how});
  }
}

// What a line's operands refer to, and their dtypes.
class Operands {
 public:
  Operands(const Spec& spec, std::vector<std::int64_t> all) : spec_(spec), all_(std::move(all)) {}

  // The next operand of line k.
  int next(std::size_t k) {
    check(at_ < all_.size(), spec_.op, ": too few numbers in 'operands', received ", all_.size());
    const std::int64_t operand = all_[at_++];
    const auto inputs = static_cast<std::int64_t>(spec_.inputs.size());
    check(operand < inputs && operand >= -static_cast<std::int64_t>(k), spec_.op,
          ": expected operands of line ", k, " in [", -static_cast<std::int64_t>(k), ", ", inputs,
          "), received ", operand);
    return static_cast<int>(operand);
  }
  void check_end() const {
    check(at_ == all_.size(), spec_.op, ": expected ", at_, " numbers in 'operands', received ",
          all_.size());
  }

 private:
  const Spec& spec_;
  std::vector<std::int64_t> all_;
  std::size_t at_ = 0;
};

void read_lines(const Spec& spec, LoopDescription& loop) {
  const std::vector<std::string> maps = words(spec, "maps");
  const std::size_t count = maps.size();
  check(count >= 1 && count <= kMaxLoopLines, spec.op, ": expected 1 to ", kMaxLoopLines,
        " words in 'maps', received ", count);
  const std::vector<DType> of = dtypes(spec, "dtypes", count);
  const std::vector<DType> results = dtypes(spec, "results", count);
  Operands operands(spec, spec.integers("operands"));
  for (std::size_t k = 0; k < count; ++k) {
    const std::string& name = maps[k];
    const bool cast = name == "cast";
    const int arity = cast ? 1 : map_operands(name);
    check(arity > 0, spec.op, ": no function '", name, "'");
    LoopDescription::Line line;
    line.choice = cast ? cast_choice(of[k], results[k]) : map_choice(name, of[k]);
    check(line.choice.function != nullptr, spec.op, ": ", name, " is not defined for ",
          dtype_name(of[k]));
    check(line.choice.result == results[k], spec.op, ": ", name, " of ", dtype_name(of[k]),
          " gives ", dtype_name(line.choice.result), ", 'results' has ", dtype_name(results[k]));
    for (int i = 0; i < arity; ++i) {
      const int operand = operands.next(k);
      const DType expected = i == map_condition(name) ? DType::kBool : of[k];
      const DType received = operand >= 0 ? spec.inputs[static_cast<std::size_t>(operand)].dtype
                                          : results[static_cast<std::size_t>(-(operand + 1))];
      check(received == expected, spec.op, ": expected operand ", i, " of line ", k, " (", name,
            ") to be ", dtype_name(expected), ", received ", dtype_name(received));
      line.operands.push_back(operand);
    }
    loop.lines.push_back(std::move(line));
  }
  operands.check_end();
}

void read_reduction(const Spec& spec, const std::string& word, LoopDescription::Output& output) {
  struct Name {
    const char* reduction;
    Reduction value;
  };
  constexpr Name kNames[] = {{"sum", Reduction::kSum},
                             {"mean", Reduction::kMean},
                             {"max", Reduction::kMax},
                             {"min", Reduction::kMin}};
  if (word == "none") return;
  const std::size_t colon = word.find(':');
  const std::string axes = colon == std::string::npos ? "" : word.substr(colon + 1);
  for (const Name& name : kNames) {
    if (word.substr(0, colon) != name.reduction) continue;
    output.reduction = name.value;
    if (axes == "all") output.axes = LoopAxes::kAll;
    if (axes == "last") output.axes = LoopAxes::kLast;
    if (axes == "leading") output.axes = LoopAxes::kLeading;
  }
  check(output.axes != LoopAxes::kNone, spec.op,
        ": expected 'none', or sum, mean, max or min with :all, :last or :leading in 'reductions', "
        "received '",
        word, "'");
}

std::int64_t output_size(const LoopDescription& loop, LoopAxes axes) {
  if (axes == LoopAxes::kAll) return 1;
  if (axes == LoopAxes::kLast) return loop.rows;
  if (axes == LoopAxes::kLeading) return loop.cols;
  return loop.rows * loop.cols;
}

void read_outputs(const Spec& spec, LoopDescription& loop) {
  const std::size_t count = spec.outputs.size();
  check(count >= 1 && count <= kMaxLoopOutputs, spec.op, ": expected 1 to ", kMaxLoopOutputs,
        " outputs, received ", count);
  const std::vector<std::int64_t> stores = numbers(spec, "stores", count, "outputs");
  const std::vector<std::string> reductions = words(spec, "reductions", count, "outputs");
  for (std::size_t o = 0; o < count; ++o) {
    check(stores[o] >= 0 && stores[o] < static_cast<std::int64_t>(loop.lines.size()), spec.op,
          ": expected lines in [0, ", loop.lines.size(), ") in 'stores', received ", stores[o]);
    LoopDescription::Output output;
    output.line = static_cast<int>(stores[o]);
    read_reduction(spec, reductions[o], output);
    const DType dtype = loop.lines[static_cast<std::size_t>(stores[o])].choice.result;
    check(output.axes == LoopAxes::kNone || dtype == DType::kFloat32 || dtype == DType::kFloat64,
          spec.op, ": expected float32 or float64 for '", reductions[o], "', received ",
          dtype_name(dtype));
    const std::string name = "output " + std::to_string(o);
    output.data =
        required_output(spec, o, name.c_str(), output_size(loop, output.axes), dtype).data;
    loop.outputs.push_back(output);
  }
}

LoopDescription read_loop(const Spec& spec) {
  LoopDescription loop;
  read_domain(spec, loop);
  read_inputs(spec, loop);
  read_lines(spec, loop);
  read_outputs(spec, loop);
  return loop;
}

bool overlap(const Buffer& a, const Buffer& b) {
  const auto begin = [](const Buffer& x) { return reinterpret_cast<std::uintptr_t>(x.data); };
  const auto end = [&](const Buffer& x) {
    return begin(x) + static_cast<std::uintptr_t>(x.size() * dtype_size(x.dtype));
  };
  return a.size() > 0 && b.size() > 0 && begin(a) < end(b) && begin(b) < end(a);
}

// An output may be the memory of a full input with elements of its size, and overlaps nothing else.
void check_overlaps(const Spec& spec, const LoopDescription& loop) {
  for (std::size_t o = 0; o < spec.outputs.size(); ++o) {
    const Buffer& y = spec.outputs[o];
    for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
      const Buffer& x = spec.inputs[i];
      const bool in_place = x.data == y.data && loop.inputs[i].access == LoopAccess::kFull &&
                            loop.outputs[o].axes == LoopAxes::kNone &&
                            dtype_size(x.dtype) == dtype_size(y.dtype);
      check(in_place || !overlap(x, y), spec.op, ": output ", o, " overlaps input ", i,
            ", expected other memory or, where each element is read once, all of the same");
    }
    for (std::size_t p = 0; p < o; ++p)
      check(!overlap(y, spec.outputs[p]), spec.op, ": outputs ", p, " and ", o, " overlap");
  }
}

std::size_t loop_workspace(const Spec& spec) {
  return LoopOp(read_loop(spec)).workspace_bytes(spec.threads);
}

std::unique_ptr<Instruction> make_loop(const Spec& spec) {
  const LoopDescription loop = read_loop(spec);
  check_overlaps(spec, loop);
  LoopOp op(loop);
  const std::size_t bytes = op.workspace_bytes(spec.threads);
  op.set_workspace(spec.scratch(bytes), bytes);
  return make_instruction([op = std::move(op)](const StepContext&) { op.run(); });
}

}  // namespace

void register_loop(Registry& registry);
void register_loop(Registry& registry) {
  registry.add("loop", make_loop, loop_workspace);
}

}  // namespace dlnative
