// Fused loops: a straight-line program of MapFunctions, run piece by piece over a domain of
// rows x cols elements, so that what its lines hand on stays in the L1 cache.
//
// Every result has the bits that its lines have when they run one after another on whole arrays.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/table.h"
#include "ops/map.h"
#include "ops/reduce.h"

namespace dlnative {

// What element (r, c) of the domain reads of an input.
enum class LoopAccess : int {
  kFull,    // element (r, c) of rows * cols
  kScalar,  // the only one
  kRow,     // element c of cols
  kColumn,  // element r of rows
};

// Over which axes an output is reduced.
enum class LoopAxes : int { kNone, kAll, kLast, kLeading };

struct LoopDescription {
  struct Input {
    const void* data = nullptr;
    std::int64_t bytes = 0;  // of an element
    LoopAccess access = LoopAccess::kFull;
  };
  // operands[k] = i: input i; -(j + 1): the result of line j, which comes before.
  struct Line {
    MapChoice choice;
    std::vector<int> operands;
  };
  struct Output {
    void* data = nullptr;
    int line = 0;
    LoopAxes axes = LoopAxes::kNone;
    Reduction reduction{};  // of float32 or float64
  };

  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<Input> inputs;
  std::vector<Line> lines;
  std::vector<Output> outputs;
};

inline constexpr std::size_t kMaxLoopInputs = 32;
inline constexpr std::size_t kMaxLoopLines = 64;
inline constexpr std::size_t kMaxLoopOutputs = 16;

// The same loop with lines that take in another one whose result they alone need: as many fewer
// results go through the L1 cache.
LoopDescription with_pairs(LoopDescription loop);

// One sweep over the domain: the lines that a set of outputs needs.
class LoopPass {
 public:
  // The outputs that are reduced over `axes`, and with `stores` those that are not reduced.
  // std::invalid_argument: an extremum of nothing.
  LoopPass(const LoopDescription& loop, LoopAxes axes, bool stores);

  // With the least workspace everything runs on one thread.
  std::size_t workspace_bytes(int threads) const;
  void set_workspace(void* workspace, std::size_t bytes);
  void run() const;

 private:
  // Operands and results have a slot each in a table of addresses (Frame). A slot's address stays,
  // or it moves over an array with the elements (its base is then the array's first element), ...
  static constexpr std::size_t kMaxSlots = kMaxLoopInputs + kMaxLoopLines + kMaxLoopOutputs;
  struct Frame {
    std::array<char*, kMaxSlots> address;
    char* memory;  // this thread's part of the workspace
  };
  struct Moving {
    std::size_t slot;
    char* base;
    std::int64_t bytes;
  };
  struct Stream {
    const char* base;
    std::int64_t bytes;  // of an element
    std::int64_t share;  // bytes that are prefetched before each line
  };
  // ... or lies in the thread's part of the workspace.
  struct Kept {
    std::size_t slot;
    std::size_t offset;
  };
  struct Staged {  // a piece of a result that will be reduced
    std::size_t slot;
    std::size_t offset;
    std::int64_t bytes;
  };
  struct Spread {  // an input of access kRow or kColumn, and where a copy of it goes
    std::size_t slot;
    const char* base;
    std::int64_t bytes;
    std::size_t offset;
  };
  enum Mode { kPieces, kWholeRows };
  struct Line {
    MapFunction function;
    std::array<std::size_t, kMapOperands> operands;
    std::size_t result;
    std::array<std::array<std::int64_t, kMapOperands>, 2> steps;  // by Mode
  };
  struct Copy {
    std::size_t from, to;
    std::int64_t bytes;  // of an element
    bool streamed;       // past the caches
  };
  struct Reduced {
    bool wide;  // float64
    void* y;
    char* base;          // the whole result where it is stored, or null
    std::size_t offset;  // else of its staged pieces
    std::size_t partial;
    BlockReduction<float> narrow_block;
    BlockReduction<double> wide_block;
  };
  class Compiler;

  std::size_t task_total() const;
  void begin(Frame& frame, int thread) const;
  void run_uniform(const Frame& frame) const;
  void run_range(Frame& frame, std::int64_t first, std::int64_t n, std::int64_t staged) const;
  void place(Frame& frame, Mode mode, std::int64_t first, std::int64_t n,
             std::int64_t staged) const;
  void run_lines(const Frame& frame, Mode mode, std::int64_t first, std::int64_t n) const;
  static void run_line(const Frame& frame, const Line& line, Mode mode, std::int64_t n);
  void run_reductions() const;
  template <class T>
  void reduce_block(const Reduced& r, const BlockReduction<T>& block, const ReduceTask& task,
                    const char* memory) const;
  template <class T>
  void join(const Reduced& r, const BlockReduction<T>& block) const;

  std::int64_t rows_ = 0, cols_ = 0;
  bool flat_ = true;         // no input is spread
  bool streamed_ = false;    // some copies are
  bool whole_rows_ = false;  // rows are short: many of them at a time
  std::int64_t chunk_ = 0;   // elements of a piece
  std::int64_t task_ = 0;
  int threads_ = 1;  // that are worth waking

  Table<Line> lines_;
  Table<Line> uniform_;  // of scalars alone: once per task, with n = 1
  Table<Copy> copies_;   // at the end of a piece
  Table<Moving> fixed_, moving_;
  Table<Stream> streams_;  // the arrays of moving_, each once, or none
  Table<Kept> kept_;
  Table<Staged> staged_;
  Table<Spread> row_inputs_, column_inputs_;

  Table<ReducePasses::Pass> pass_;  // the one pass of the reductions, or none
  Table<Reduced> reduced_;

  std::size_t thread_bytes_ = 0, partial_bytes_ = 0;
  char* workspace_ = nullptr;  // partial results, then a part for each thread
  int parts_ = 0;
  Table<Frame> whole_;  // where all of the domain is one piece: its addresses
};

class LoopOp {
 public:
  explicit LoopOp(const LoopDescription& loop);

  std::size_t workspace_bytes(int threads) const;
  // More threads than it has room for are not used.
  void set_workspace(void* workspace, std::size_t bytes);
  void run() const;

 private:
  Table<LoopPass> passes_;  // stores in the last: it may overwrite inputs
};

}  // namespace dlnative
