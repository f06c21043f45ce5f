#include "ops/loop.h"

#include <algorithm>
#include <cstring>

#include "core/stream_copy.h"
#include "ops/chunks.h"
#include "ops/spread.h"

namespace dlnative {

namespace {

// These bytes need not exist.
void prefetch(const char* p, std::int64_t bytes) {
  constexpr std::int64_t kCacheLine = 64;
  for (std::int64_t i = 0; i < bytes; i += kCacheLine) __builtin_prefetch(p + i);
}

}  // namespace

inline void LoopPass::run_line(const Frame& frame, const Line& line, Mode mode, std::int64_t n) {
  const void* const in[] = {frame.address[line.operands[0]], frame.address[line.operands[1]],
                            frame.address[line.operands[2]], frame.address[line.operands[3]]};
  line.function(in, line.steps[mode].data(), frame.address[line.result], n);
}

std::size_t LoopPass::task_total() const {
  if (!pass_.empty()) return static_cast<std::size_t>(task_count(pass_[0]));
  return static_cast<std::size_t>(chunk_count(rows_ * cols_, task_));
}

std::size_t LoopPass::workspace_bytes(int threads) const {
  const std::size_t wanted = static_cast<std::size_t>(std::max(1, std::min(threads, threads_)));
  const std::size_t parts = std::max<std::size_t>(1, std::min(wanted, task_total()));
  return partial_bytes_ + parts * thread_bytes_;
}

void LoopPass::set_workspace(void* workspace, std::size_t bytes) {
  workspace_ = static_cast<char*>(workspace);
  const std::size_t room =
      thread_bytes_ == 0 ? kMaxThreads : (bytes - partial_bytes_) / thread_bytes_;
  parts_ = static_cast<int>(std::min(room, static_cast<std::size_t>(threads_)));
  const std::int64_t size = rows_ * cols_;
  if (!flat_ || !reduced_.empty() || size == 0 || size > chunk_) return;
  whole_.resize(1);
  begin(whole_[0], 0);
  place(whole_[0], kPieces, 0, size, 0);
}

void LoopPass::run() const {
  if (!reduced_.empty()) return run_reductions();
  const std::int64_t size = rows_ * cols_;
  if (!whole_.empty()) {
    run_uniform(whole_[0]);
    return run_lines(whole_[0], kPieces, 0, size);
  }
  parallel_for(chunk_count(size, task_), parts_, [&](std::int64_t task, int thread) {
    Frame frame;
    begin(frame, thread);
    run_uniform(frame);
    const std::int64_t first = task * task_;
    run_range(frame, first, std::min(task_, size - first), 0);
    if (streamed_) finish_stream_copies();
  });
}

// Fills in the addresses that stay.
void LoopPass::begin(Frame& frame, int thread) const {
  frame.memory = workspace_ == nullptr ? nullptr
                                       : workspace_ + partial_bytes_ +
                                             static_cast<std::size_t>(thread) * thread_bytes_;
  for (const Moving& m : fixed_) frame.address[m.slot] = m.base;
  for (const Kept& k : kept_) frame.address[k.slot] = frame.memory + k.offset;
  if (whole_rows_) {
    const std::int64_t size = std::min(chunk_ / cols_, rows_) * cols_;
    for (const Spread& s : row_inputs_)
      tile_row(s.base, cols_ * s.bytes, frame.memory + s.offset, size * s.bytes);
  }
}

// Before the first piece, as its results are operands of the others.
void LoopPass::run_uniform(const Frame& frame) const {
  for (const Line& line : uniform_) run_line(frame, line, kPieces, 1);
}

// Elements first, ..., first + n - 1. Where results are reduced afterwards, they go to the staging
// memory from element `staged` on.
void LoopPass::run_range(Frame& frame, std::int64_t first, std::int64_t n,
                         std::int64_t staged) const {
  const std::int64_t end = first + n;
  while (first < end) {
    std::int64_t piece = std::min(chunk_, end - first);
    Mode mode = kPieces;
    if (!flat_) {
      const std::int64_t column = first % cols_;
      if (whole_rows_ && column == 0 && piece >= cols_) {
        mode = kWholeRows;
        piece -= piece % cols_;
      } else {
        piece = std::min(piece, cols_ - column);
      }
    }
    place(frame, mode, first, piece, staged);
    run_lines(frame, mode, first, piece);
    first += piece;
    staged += piece;
  }
}

// Fills in the addresses that move.
void LoopPass::place(Frame& frame, Mode mode, std::int64_t first, std::int64_t n,
                     std::int64_t staged) const {
  for (const Moving& m : moving_) frame.address[m.slot] = m.base + first * m.bytes;
  for (const Staged& s : staged_)
    frame.address[s.slot] = frame.memory + s.offset + staged * s.bytes;
  if (!flat_) {
    const std::int64_t row = first / cols_;
    for (const Spread& s : row_inputs_) {
      frame.address[s.slot] = mode == kWholeRows
                                  ? frame.memory + s.offset
                                  : const_cast<char*>(s.base) + (first - row * cols_) * s.bytes;
    }
    for (const Spread& s : column_inputs_) {
      char*& address = frame.address[s.slot];
      address = const_cast<char*>(s.base) + row * s.bytes;
      if (mode == kPieces) continue;
      expand_column(address, s.bytes, n / cols_, cols_, frame.memory + s.offset);
      address = frame.memory + s.offset;
    }
  }
}

// The next piece of each array is prefetched meanwhile, a share of it before each line, so that
// there are never more requests at a time than a core keeps.
void LoopPass::run_lines(const Frame& frame, Mode mode, std::int64_t first, std::int64_t n) const {
  std::int64_t done = 0;
  for (const Line& line : lines_) {
    for (const Stream& s : streams_)
      prefetch(s.base + (first + n) * s.bytes + done * s.share, s.share);
    ++done;
    run_line(frame, line, mode, n);
  }
  for (const Copy& c : copies_) {
    if (c.streamed) {
      stream_copy(frame.address[c.to], frame.address[c.from], n * c.bytes);
    } else {
      std::memcpy(frame.address[c.to], frame.address[c.from],
                  static_cast<std::size_t>(n * c.bytes));
    }
  }
}

template <class T>
void LoopPass::reduce_block(const Reduced& r, const BlockReduction<T>& block,
                            const ReduceTask& task, const char* memory) const {
  const ReducePasses::Pass& pass = pass_[0];
  const T* x = r.base != nullptr ? reinterpret_cast<const T*>(r.base) + task.from
                                 : reinterpret_cast<const T*>(memory + r.offset);
  const std::int64_t ldx = r.base != nullptr ? pass.inner : pass.columns;
  T* const y = static_cast<T*>(pass.row_blocks > 1 ? workspace_ + r.partial : r.y);
  reduce_task(task, x, ldx, pass.n * pass.inner, pass.inner, y + task.to, block);
}

template <class T>
void LoopPass::join(const Reduced& r, const BlockReduction<T>& block) const {
  T* const y = static_cast<T*>(r.y);
  const auto* partial = reinterpret_cast<const T*>(workspace_ + r.partial);
  join_row_blocks(pass_[0], partial, y, block);
  block.finish(y);
}

void LoopPass::run_reductions() const {
  const ReducePasses::Pass& pass = pass_[0];
  for_each_task(pass, parts_, [&](const ReduceTask& task, int thread) {
    Frame frame;
    begin(frame, thread);
    run_uniform(frame);
    if (task.columns == pass.inner) {
      run_range(frame, task.from, task.count * task.rows * pass.inner, 0);
    } else {
      for (std::int64_t r = 0; r < task.rows; ++r)
        run_range(frame, task.from + r * pass.inner, task.columns, r * pass.columns);
    }
    if (streamed_) finish_stream_copies();
    for (const Reduced& r : reduced_) {
      r.wide ? reduce_block(r, r.wide_block, task, frame.memory)
             : reduce_block(r, r.narrow_block, task, frame.memory);
    }
  });
  for (const Reduced& r : reduced_) r.wide ? join(r, r.wide_block) : join(r, r.narrow_block);
}

LoopOp::LoopOp(const LoopDescription& given) {
  const LoopDescription loop = with_pairs(given);
  std::vector<LoopAxes> kinds;
  for (const LoopDescription::Output& output : loop.outputs) {
    if (output.axes != LoopAxes::kNone &&
        std::find(kinds.begin(), kinds.end(), output.axes) == kinds.end())
      kinds.push_back(output.axes);
  }
  if (kinds.empty()) kinds.push_back(LoopAxes::kNone);
  for (std::size_t i = 0; i < kinds.size(); ++i)
    passes_.emplace_back(loop, kinds[i], i + 1 == kinds.size());
}

std::size_t LoopOp::workspace_bytes(int threads) const {
  std::size_t bytes = 0;
  for (const LoopPass& pass : passes_) bytes = std::max(bytes, pass.workspace_bytes(threads));
  return bytes;
}

void LoopOp::set_workspace(void* workspace, std::size_t bytes) {
  for (LoopPass& pass : passes_) pass.set_workspace(workspace, bytes);
}

void LoopOp::run() const {
  for (const LoopPass& pass : passes_) pass.run();
}

}  // namespace dlnative
