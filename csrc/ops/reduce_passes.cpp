#include "ops/reduce_passes.h"

#include "core/checks.h"

namespace dlnative {

namespace {

// Time of one element in nanoseconds, from memory.
constexpr double kElementTime = 0.25;

// Blocks of wide rows: parts of rows that stay in the L1 cache with their sums, and enough rows
// that writing a block's sums costs little.
constexpr std::int64_t kMaxColumns = 4096;
constexpr std::int64_t kMinRows = 64;

struct Group {
  std::int64_t size;
  bool reduced;
};

// Sizes of x with axes of size 1 left out and neighbours of one kind merged.
std::vector<Group> group_axes(const std::vector<std::int64_t>& shape,
                              const std::vector<bool>& reduced) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    if (!groups.empty() && groups.back().reduced == reduced[i]) {
      groups.back().size *= shape[i];
    } else {
      groups.push_back({shape[i], reduced[i]});
    }
  }
  return groups;
}

ReducePasses::Pass plan(std::int64_t outer, std::int64_t n, std::int64_t inner) {
  ReducePasses::Pass pass{};
  pass.outer = outer;
  pass.n = n;
  pass.inner = inner;
  pass.columns = std::min(inner, kMaxColumns);
  pass.column_blocks = pass.columns > 0 ? chunk_count(inner, pass.columns) : 0;
  pass.rows = std::max(kMinRows, kChunk / std::max<std::int64_t>(pass.columns, 1));
  if (n <= 2 * pass.rows) pass.rows = std::max<std::int64_t>(n, 1);
  pass.row_blocks = std::max<std::int64_t>(1, chunk_count(n, pass.rows));
  pass.threads = threads_for(static_cast<double>(outer * n * inner) * kElementTime);
  return pass;
}

}  // namespace

ReducePasses::ReducePasses(const std::string& name, const std::vector<std::int64_t>& shape,
                           const std::vector<std::int64_t>& axes) {
  std::vector<bool> reduced(shape.size(), false);
  for (const std::int64_t axis : axes) {
    check(axis >= 0 && axis < static_cast<std::int64_t>(shape.size()), name,
          ": expected axes in [0, ", shape.size(), "), received ", axis);
    check(!reduced[static_cast<std::size_t>(axis)], name, ": axis ", axis, " is given twice");
    reduced[static_cast<std::size_t>(axis)] = true;
  }
  for (std::size_t i = 0; i < shape.size(); ++i) {
    input_size *= shape[i];
    (reduced[i] ? count : output_size) *= shape[i];
  }
  const std::vector<Group> groups = group_axes(shape, reduced);
  std::int64_t inner = 1;
  for (std::size_t i = groups.size(); i-- > 0;) {
    if (!groups[i].reduced) {
      inner *= groups[i].size;
      continue;
    }
    std::int64_t outer = 1;
    for (std::size_t j = 0; j < i; ++j) outer *= groups[j].size;
    const Pass pass = plan(outer, groups[i].size, inner);
    passes.push_back(pass);
    if (pass.row_blocks > 1) partials = std::max(partials, outer * pass.row_blocks * inner);
  }
  for (std::size_t i = 0; i + 1 < passes.size(); ++i)
    between = std::max(between, passes[i].outer * passes[i].inner);
}

}  // namespace dlnative
