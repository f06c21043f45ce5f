// Functions of one to three arrays, element by element, with NumPy's broadcasting.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "kernels/map_kernels.h"
#include "ops/broadcast.h"

namespace dlnative {

// What a name stands for with operands of one dtype (where: the dtype of the values).
struct MapChoice {
  MapFunction function = nullptr;  // null: it has none for this dtype
  DType result = DType::kBool;
  double nanoseconds = 0.0;        // per element, roughly, on one core and in L2
  Map vectors = Map::kCount;       // which function of the kernel table it is, or none
  std::int64_t operand_bytes = 0;  // of an element; where: of the values
};

std::vector<std::string> map_names();        // of instructions, all but cast
int map_operands(const std::string& name);   // their number; 0: no such name
int map_condition(const std::string& name);  // which operand is bool beside values; -1: none
MapChoice map_choice(const std::string& name, DType dtype);
MapChoice cast_choice(DType from, DType to);
// One function for outer(..., inner(...), ...), the result of inner at `position`; null: none.
MapChoice pair_choice(const MapChoice& inner, const MapChoice& outer, std::size_t position);

// y = f(a, b, c). y may be an operand of the result's shape and element size.
//
// The function is called once per row. Where rows are short, as in images minus a mean per channel,
// it is called for many of them at once, on copies of the operands that are broadcast.
class MapOp {
 public:
  struct Operand {
    std::vector<std::int64_t> shape;
    std::int64_t element_size;
  };

  // std::invalid_argument: the operands do not broadcast to the shape of the result.
  MapOp(const MapChoice& choice, const std::vector<Operand>& operands,
        const std::vector<std::int64_t>& shape);
  void run(const void* const* in, void* y) const;

 private:
  static constexpr int kOperands = 3;  // at most
  using Addresses = std::array<const void*, kOperands>;

  Addresses at(const void* const* in, LoopNest::Offsets offsets) const;
  void run_flat(const void* const* in, char* y, std::int64_t begin, std::int64_t size) const;
  void run_streamed(const void* const* in, char* y, std::int64_t begin, std::int64_t size) const;
  void run_rows(const void* const* in, char* y, std::int64_t first, std::int64_t count) const;
  void run_short_rows(const void* const* in, char* y, std::int64_t first, std::int64_t count) const;

  BroadcastLoops loops_;
  MapFunction function_ = nullptr;
  std::array<std::int64_t, kOperands> steps_{};  // along a row, 0 or 1
  std::array<std::int64_t, kOperands> bytes_{};  // of an operand's element; 0 past the last
  std::int64_t result_bytes_ = 0;
  std::int64_t neighbours_ = 0;                        // rows that differ in their last index only
  std::array<std::int64_t, kOperands> row_strides_{};  // from one of them to the next, in elements
  std::int64_t chunk_ = 0;
  bool streamed_ = false;  // y goes past the caches, unless it is an operand
  int threads_ = 0;
};

// y[i] = f(a[i], b[i])
template <class T>
void apply_map(MapFunction f, const T* a, const T* b, T* y, std::int64_t n) {
  const void* const in[] = {a, b};
  constexpr std::int64_t kSteps[] = {1, 1};
  f(in, kSteps, y, n);
}

}  // namespace dlnative
