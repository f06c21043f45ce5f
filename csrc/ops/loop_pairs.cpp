// Lines of a loop that become one, by the functions of pairs in the kernel table.
#include <algorithm>
#include <utility>

#include "ops/loop.h"

namespace dlnative {

namespace {

// Whether operands 0 and 1 may change places.
bool is_symmetric(Map map) {
  return map == Map::kAdd || map == Map::kMultiply || map == Map::kFma || map == Map::kFnma;
}

class Pairs {
 public:
  explicit Pairs(LoopDescription& loop)
      : loop_(loop), uses_(loop.lines.size(), 0), uniform_(loop.lines.size(), true) {
    for (std::size_t k = 0; k < loop.lines.size(); ++k) {
      for (const int operand : loop.lines[k].operands) {
        if (operand < 0) ++uses_[line_of(operand)];
        uniform_[k] = uniform_[k] && is_uniform(operand);
      }
    }
    for (const LoopDescription::Output& output : loop.outputs)
      uses_[static_cast<std::size_t>(output.line)] += 2;  // stays, whoever else reads it
  }

  void join() {
    for (std::size_t k = loop_.lines.size(); k-- > 0;) {
      LoopDescription::Line& line = loop_.lines[k];
      for (std::size_t i = 0; i < line.operands.size() && uses_[k] > 0; ++i) {
        if (take_in(line, i)) break;
      }
    }
  }

 private:
  static std::size_t line_of(int operand) { return static_cast<std::size_t>(-(operand + 1)); }

  // Uniform lines run once for many pieces.
  bool is_uniform(int operand) const {
    return operand < 0
               ? uniform_[line_of(operand)]
               : loop_.inputs[static_cast<std::size_t>(operand)].access == LoopAccess::kScalar;
  }

  bool take_in(LoopDescription::Line& line, std::size_t position) {
    const int operand = line.operands[position];
    if (operand >= 0 || is_uniform(operand)) return false;
    const std::size_t k = line_of(operand);
    const LoopDescription::Line& inner = loop_.lines[k];
    if (uses_[k] != 1) return false;
    if (inner.operands.size() + line.operands.size() > kMapOperands + 1) return false;
    if (position == 1 && is_symmetric(line.choice.vectors)) {
      std::swap(line.operands[0], line.operands[1]);
      position = 0;
    }
    const MapChoice choice = pair_choice(inner.choice, line.choice, position);
    if (choice.function == nullptr) return false;
    const auto at = line.operands.begin() + static_cast<std::ptrdiff_t>(position);
    line.operands.insert(line.operands.erase(at), inner.operands.begin(), inner.operands.end());
    line.choice = choice;
    uses_[k] = 0;  // what it reads, this line reads in its place
    return true;
  }

  LoopDescription& loop_;
  std::vector<std::size_t> uses_;
  std::vector<bool> uniform_;
};

}  // namespace

LoopDescription with_pairs(LoopDescription loop) {
  Pairs(loop).join();
  return loop;
}

}  // namespace dlnative
