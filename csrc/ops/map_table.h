// The table of MapFunctions by name and dtype, and the loops of those that are scalar code.
//
// Each file of functions adds its entries in one function; map.cpp calls them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>
#include <unordered_map>

#include "core/buffer.h"
#include "kernels/map_kernels.h"

namespace dlnative {

// One name with operands of one dtype: a function, or one of the kernel table in use.
struct MapEntry {
  MapFunction function = nullptr;
  Map vectors = Map::kCount;
  bool to_bool = false;
  double nanoseconds = 0.0;
};

inline constexpr int kMapTypes = 6;

// float32, float64, int32, int64, uint8, bool; -1 for others.
inline int map_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return 0;
    case DType::kFloat64:
      return 1;
    case DType::kInt32:
      return 2;
    case DType::kInt64:
      return 3;
    case DType::kUInt8:
      return 4;
    case DType::kBool:
      return 5;
    default:
      return -1;
  }
}

struct MapRow {
  int operands = 0;
  int condition = -1;          // the operand that is bool whatever the others are; -1: none
  bool is_instruction = true;  // false: a line of loops only
  std::array<MapEntry, kMapTypes> entries;

  MapEntry& operator[](DType dtype) { return entries[static_cast<std::size_t>(map_type(dtype))]; }
};

using MapTable = std::unordered_map<std::string, MapRow>;

void add_integer_maps(MapTable& table);
void add_scalar_maps(MapTable& table);
void add_activation_maps(MapTable& table);

// bool in memory: a byte, 0 or 1.
enum class Bool : std::uint8_t { kFalse, kTrue };

inline Bool to_bool(bool value) {
  return value ? Bool::kTrue : Bool::kFalse;
}

template <class T>
constexpr DType kMapDType = std::is_same_v<T, float>          ? DType::kFloat32
                            : std::is_same_v<T, double>       ? DType::kFloat64
                            : std::is_same_v<T, std::int32_t> ? DType::kInt32
                            : std::is_same_v<T, std::int64_t> ? DType::kInt64
                            : std::is_same_v<T, std::uint8_t> ? DType::kUInt8
                                                              : DType::kBool;

// y[i] = F::apply(x[i])
template <class X, class F>
void map_scalars(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  using Y = decltype(F::apply(X{}));
  const X* x = static_cast<const X*>(in[0]);
  Y* to = static_cast<Y*>(y);
  if (n == 0) return;
  if (steps[0] == 0) {
    const Y value = F::apply(*x);
    for (std::int64_t i = 0; i < n; ++i) to[i] = value;
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i] = F::apply(x[i]);
  }
}

// y[i] = F::apply(a[i], b[i])
template <class X, class F>
void map_scalar_pairs(const void* const* in, const std::int64_t* steps, void* y, std::int64_t n) {
  using Y = decltype(F::apply(X{}, X{}));
  const X* a = static_cast<const X*>(in[0]);
  const X* b = static_cast<const X*>(in[1]);
  Y* to = static_cast<Y*>(y);
  if (n == 0) return;
  const X first_a = *a, first_b = *b;
  if (steps[0] != 0 && steps[1] != 0) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = F::apply(a[i], b[i]);
  } else if (steps[0] != 0) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = F::apply(a[i], first_b);
  } else if (steps[1] != 0) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = F::apply(first_a, b[i]);
  } else {
    const Y value = F::apply(first_a, first_b);
    for (std::int64_t i = 0; i < n; ++i) to[i] = value;
  }
}

template <class X, class F>
void add_unary(MapTable& table, const char* name, double nanoseconds) {
  MapRow& row = table[name];
  row.operands = 1;
  constexpr bool kToBool =
      !std::is_same_v<X, Bool> && std::is_same_v<decltype(F::apply(X{})), Bool>;
  row[kMapDType<X>] = {map_scalars<X, F>, Map::kCount, kToBool, nanoseconds};
}

template <class X, class F>
void add_binary(MapTable& table, const char* name, double nanoseconds) {
  MapRow& row = table[name];
  row.operands = 2;
  constexpr bool kToBool = std::is_same_v<decltype(F::apply(X{}, X{})), Bool>;
  row[kMapDType<X>] = {map_scalar_pairs<X, F>, Map::kCount, kToBool, nanoseconds};
}

}  // namespace dlnative
