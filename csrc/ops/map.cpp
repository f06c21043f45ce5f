#include "ops/map.h"

#include <algorithm>

#include "core/checks.h"
#include "core/stream_copy.h"
#include "dispatch/dispatch.h"
#include "ops/chunks.h"
#include "ops/map_table.h"
#include "ops/spread.h"

namespace dlnative {

namespace {

// What the kernel tables have, and nanoseconds per float32 element with avx2.
struct VectorMap {
  const char* name;
  Map map;
  int operands;
  double nanoseconds;
};
constexpr double kCheap = 0.15;
constexpr VectorMap kVectorMaps[] = {
    {"negative", Map::kNegative, 1, kCheap},
    {"abs", Map::kAbs, 1, kCheap},
    {"sign", Map::kSign, 1, kCheap},
    {"square", Map::kSquare, 1, kCheap},
    {"sqrt", Map::kSqrt, 1, 0.4},
    {"rsqrt", Map::kRsqrt, 1, 0.6},
    {"exp", Map::kExp, 1, 0.4},
    {"expm1", Map::kExpm1, 1, 0.5},
    {"exp2", Map::kExp2, 1, 0.4},
    {"log", Map::kLog, 1, 0.6},
    {"log2", Map::kLog2, 1, 0.7},
    {"log10", Map::kLog10, 1, 0.8},
    {"log1p", Map::kLog1p, 1, 0.8},
    {"sin", Map::kSin, 1, 0.8},
    {"cos", Map::kCos, 1, 0.8},
    {"tan", Map::kTan, 1, 0.9},
    {"arcsin", Map::kArcsin, 1, 0.6},
    {"arccos", Map::kArccos, 1, 0.6},
    {"arctan", Map::kArctan, 1, 0.6},
    {"sinh", Map::kSinh, 1, 0.7},
    {"cosh", Map::kCosh, 1, 0.7},
    {"arcsinh", Map::kArcsinh, 1, 1.5},
    {"arccosh", Map::kArccosh, 1, 1.5},
    {"arctanh", Map::kArctanh, 1, 1.2},
    {"erf", Map::kErf, 1, 1.0},
    {"floor", Map::kFloor, 1, kCheap},
    {"ceil", Map::kCeil, 1, kCheap},
    {"round", Map::kRound, 1, kCheap},
    {"trunc", Map::kTrunc, 1, kCheap},
    {"isnan", Map::kIsNan, 1, kCheap},
    {"isinf", Map::kIsInf, 1, kCheap},
    {"isfinite", Map::kIsFinite, 1, kCheap},
    {"signbit", Map::kSignbit, 1, kCheap},
    {"add", Map::kAdd, 2, kCheap},
    {"subtract", Map::kSubtract, 2, kCheap},
    {"multiply", Map::kMultiply, 2, kCheap},
    {"divide", Map::kDivide, 2, 0.4},
    {"arctan2", Map::kArctan2, 2, 0.7},
    {"logaddexp", Map::kLogAddExp, 2, 0.8},
    {"maximum", Map::kMaximum, 2, kCheap},
    {"minimum", Map::kMinimum, 2, kCheap},
    {"equal", Map::kEqual, 2, kCheap},
    {"not_equal", Map::kNotEqual, 2, kCheap},
    {"less", Map::kLess, 2, kCheap},
    {"less_equal", Map::kLessEqual, 2, kCheap},
    {"greater", Map::kGreater, 2, kCheap},
    {"greater_equal", Map::kGreaterEqual, 2, kCheap},
    {"fma", Map::kFma, 3, 0.2},
    {"fnma", Map::kFnma, 3, 0.2},
    {"lerp", Map::kLerp, 3, 0.2},
    {"maximum_gradient", Map::kMaximumGradient, 3, 0.2},
    {"minimum_gradient", Map::kMinimumGradient, 3, 0.2},
    {"where", Map::kWhere, 3, 0.2},
};

bool gives_bool(Map map) {
  return (map >= Map::kIsNan && map <= Map::kSignbit) ||
         (map >= Map::kEqual && map <= Map::kGreaterEqual);
}

const MapTable& map_table() {
  static const MapTable instance = [] {
    MapTable table;
    add_integer_maps(table);
    add_scalar_maps(table);
    add_activation_maps(table);
    for (const VectorMap& v : kVectorMaps) {
      MapRow& row = table[v.name];
      row.operands = v.operands;
      const MapEntry entry{nullptr, v.map, gives_bool(v.map), v.nanoseconds};
      row[DType::kFloat32] = entry;
      row[DType::kFloat64] = entry;
      row[DType::kFloat64].nanoseconds *= entry.nanoseconds == kCheap ? 2.0 : 2.5;
    }
    table["power"][DType::kFloat32] = {nullptr, Map::kPower, false, 1.5};
    table["erfc"][DType::kFloat32] = {nullptr, Map::kErfc, false, 3.5};
    table["cbrt"][DType::kFloat32] = {nullptr, Map::kCbrt, false, 0.8};
    MapRow& where = table["where"];  // moves values whatever they are
    where.condition = 0;
    where[DType::kInt32] = where[DType::kFloat32];
    where[DType::kInt64] = where[DType::kFloat64];
    return table;
  }();
  return instance;
}

constexpr double kRowCost = 4.0;  // nanoseconds, for the call of a function

// Rows of at most this many elements are run together, as many as fill a block.
constexpr std::int64_t kShortRow = 32;
constexpr std::int64_t kBlock = 1024;

// An operand of several short rows where it is not contiguous.
class Spread {
 public:
  // The same row `rows` times.
  const void* tile(const void* row, std::int64_t bytes, std::int64_t rows) {
    const std::int64_t total = bytes * rows;
    if (row == tiled_ && total <= tiled_bytes_) return values_;
    tile_row(row, bytes, values_, total);
    tiled_ = row;
    tiled_bytes_ = total;
    return values_;
  }

  // Each of `rows` elements n times.
  const void* expand(const void* column, std::int64_t bytes, std::int64_t n, std::int64_t rows) {
    expand_column(column, bytes, rows, n, values_);
    return values_;
  }

 private:
  const void* tiled_ = nullptr;
  std::int64_t tiled_bytes_ = 0;
  alignas(64) char values_[kBlock * 8];
};

const void* advanced(const void* p, std::int64_t bytes) {
  return bytes == 0 ? p : static_cast<const char*>(p) + bytes;
}

}  // namespace

std::vector<std::string> map_names() {
  std::vector<std::string> names;
  for (const auto& row : map_table()) {
    if (row.second.is_instruction) names.push_back(row.first);
  }
  return names;
}

int map_operands(const std::string& name) {
  const auto it = map_table().find(name);
  return it == map_table().end() ? 0 : it->second.operands;
}

int map_condition(const std::string& name) {
  const auto it = map_table().find(name);
  return it == map_table().end() ? -1 : it->second.condition;
}

MapChoice map_choice(const std::string& name, DType dtype) {
  const auto it = map_table().find(name);
  const int type = map_type(dtype);
  if (it == map_table().end() || type < 0) return {};
  const MapEntry& entry = it->second.entries[static_cast<std::size_t>(type)];
  MapChoice choice{entry.function, entry.to_bool ? DType::kBool : dtype, entry.nanoseconds,
                   entry.vectors, dtype_size(dtype)};
  if (entry.vectors != Map::kCount) {
    const KernelTable& table = kernel_table();
    choice.function =
        dtype_size(dtype) == 4 ? (*table.f32.map)[entry.vectors] : (*table.f64.map)[entry.vectors];
  }
  return choice;
}

MapChoice pair_choice(const MapChoice& inner, const MapChoice& outer, std::size_t position) {
  constexpr double kPassCost = 0.1;  // of a result that is written and read
  if (inner.vectors == Map::kCount || outer.vectors == Map::kCount ||
      inner.operand_bytes != outer.operand_bytes)
    return {};
  const KernelTable& table = kernel_table();
  const auto find = [&](const auto& kernels) -> MapFunction {
    for (int i = 0; i < kernels.count; ++i) {
      const MapPair& pair = kernels.pairs[i];
      if (pair.inner == inner.vectors && pair.outer == outer.vectors &&
          pair.position == static_cast<int>(position))
        return pair.function;
    }
    return nullptr;
  };
  const MapFunction function =
      inner.operand_bytes == 4 ? find(*table.f32.map_pairs) : find(*table.f64.map_pairs);
  return {function, outer.result, inner.nanoseconds + outer.nanoseconds - kPassCost};
}

MapOp::MapOp(const MapChoice& choice, const std::vector<Operand>& operands,
             const std::vector<std::int64_t>& shape)
    : loops_(
          [&operands] {
            std::vector<BroadcastLoops::Shape> shapes;
            for (const Operand& operand : operands) shapes.push_back(operand.shape);
            return shapes;
          }(),
          shape),
      function_(choice.function),
      result_bytes_(dtype_size(choice.result)),
      chunk_(task_size(choice.nanoseconds)) {
  const LoopNest::Offsets steps = loops_.row_steps();
  const LoopNest::Axis axis = loops_.row_axis();
  steps_ = {steps.a, steps.b, steps.c};
  row_strides_ = {axis.steps.a, axis.steps.b, axis.steps.c};
  for (std::size_t i = 0; i < operands.size(); ++i) bytes_[i] = operands[i].element_size;
  const std::int64_t n = loops_.row_size();
  if (n <= kShortRow && axis.size * n >= 2 * kShortRow) neighbours_ = axis.size;
  const double calls = static_cast<double>(loops_.rows());
  const double per_call = neighbours_ != 0 ? 0.5 * static_cast<double>(n) : kRowCost;
  std::int64_t bytes = result_bytes_;
  for (std::size_t i = 0; i < kOperands; ++i) bytes += steps_[i] * bytes_[i];
  streamed_ = no_cache_holds(n * bytes);
  threads_ = threads_for(calls * (per_call + static_cast<double>(n) * choice.nanoseconds));
}

MapOp::Addresses MapOp::at(const void* const* in, LoopNest::Offsets offsets) const {
  Addresses addresses{};
  const std::int64_t elements[] = {offsets.a, offsets.b, offsets.c};
  for (std::size_t i = 0; i < kOperands && bytes_[i] != 0; ++i)
    addresses[i] = advanced(in[i], elements[i] * bytes_[i]);
  return addresses;
}

void MapOp::run(const void* const* in, void* y) const {
  const std::int64_t n = loops_.row_size();
  char* to = static_cast<char*>(y);
  if (loops_.rows() == 1) {
    const Addresses all = at(in, {});
    const bool streamed = streamed_ && std::find(all.begin(), all.end(), y) == all.end();
    for_each_chunk(n, chunk_, threads_, [&](std::int64_t begin, std::int64_t size) {
      streamed ? run_streamed(in, to, begin, size) : run_flat(in, to, begin, size);
    });
    return;
  }
  const std::int64_t rows = std::max<std::int64_t>(1, chunk_ / std::max<std::int64_t>(n, 1));
  for_each_chunk(loops_.rows(), rows, threads_, [&](std::int64_t first, std::int64_t count) {
    if (neighbours_ != 0) {
      run_short_rows(in, to, first, count);
    } else {
      run_rows(in, to, first, count);
    }
  });
}

void MapOp::run_flat(const void* const* in, char* y, std::int64_t begin, std::int64_t size) const {
  const Addresses row = at(in, {begin * steps_[0], begin * steps_[1], begin * steps_[2]});
  function_(row.data(), steps_.data(), y + begin * result_bytes_, size);
}

void MapOp::run_streamed(const void* const* in, char* y, std::int64_t begin,
                         std::int64_t size) const {
  alignas(64) char piece[kBlock * 8];
  for (std::int64_t i = begin; i < begin + size; i += kBlock) {
    const std::int64_t n = std::min(kBlock, begin + size - i);
    const Addresses row = at(in, {i * steps_[0], i * steps_[1], i * steps_[2]});
    function_(row.data(), steps_.data(), piece, n);
    stream_copy(y + i * result_bytes_, piece, n * result_bytes_);
  }
  finish_stream_copies();
}

void MapOp::run_rows(const void* const* in, char* y, std::int64_t first, std::int64_t count) const {
  const std::int64_t n = loops_.row_size();
  loops_.for_each_row(first, count, [&](std::int64_t r, LoopNest::Offsets offsets) {
    const Addresses row = at(in, offsets);
    function_(row.data(), steps_.data(), y + r * n * result_bytes_, n);
  });
}

void MapOp::run_short_rows(const void* const* in, char* y, std::int64_t first,
                           std::int64_t count) const {
  const std::int64_t n = loops_.row_size();
  Spread spread[kOperands];
  std::int64_t rows = 0;
  for (std::int64_t r = first; r < first + count; r += rows) {
    rows = std::min({kBlock / n, neighbours_ - r % neighbours_, first + count - r});
    loops_.for_each_row(r, 1, [&](std::int64_t, LoopNest::Offsets offsets) {
      Addresses from = at(in, offsets);
      std::array<std::int64_t, kOperands> steps{};
      for (std::size_t i = 0; i < kOperands && bytes_[i] != 0; ++i) {
        steps[i] = steps_[i] != 0 || row_strides_[i] != 0 ? 1 : 0;
        if (steps_[i] != 0 && row_strides_[i] == 0) {
          from[i] = spread[i].tile(from[i], n * bytes_[i], rows);
        } else if (steps_[i] == 0 && row_strides_[i] != 0) {
          from[i] = spread[i].expand(from[i], bytes_[i], n, rows);
        }
      }
      function_(from.data(), steps.data(), y + r * n * result_bytes_, rows * n);
    });
  }
}

}  // namespace dlnative
