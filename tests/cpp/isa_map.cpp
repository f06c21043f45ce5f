// MapFunctions: every function of the tables, with operands that advance and that stay.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "isa_harness.h"
#include "kernels/map_kernels.h"

namespace isa_test {
namespace {

using dlnative::Map;
using dlnative::MapFunction;

struct MapTest {
  const char* name;
  int operands;
  bool exact;  // no multiply-add can be contracted
  bool to_bool;
};
constexpr MapTest kMaps[] = {
    {"negative", 1, true, false},
    {"abs", 1, true, false},
    {"sign", 1, true, false},
    {"square", 1, true, false},
    {"sqrt", 1, true, false},
    {"rsqrt", 1, true, false},
    {"exp", 1, false, false},
    {"expm1", 1, false, false},
    {"exp2", 1, false, false},
    {"log", 1, false, false},
    {"log1p", 1, false, false},
    {"log2", 1, false, false},
    {"log10", 1, false, false},
    {"sin", 1, false, false},
    {"cos", 1, false, false},
    {"tan", 1, false, false},
    {"arcsin", 1, false, false},
    {"arccos", 1, false, false},
    {"arctan", 1, false, false},
    {"sinh", 1, false, false},
    {"cosh", 1, false, false},
    {"arcsinh", 1, false, false},
    {"arccosh", 1, false, false},
    {"arctanh", 1, false, false},
    {"erf", 1, false, false},
    {"erfc", 1, false, false},
    {"cbrt", 1, false, false},
    {"floor", 1, true, false},
    {"ceil", 1, true, false},
    {"round", 1, true, false},
    {"trunc", 1, true, false},
    {"isnan", 1, true, true},
    {"isinf", 1, true, true},
    {"isfinite", 1, true, true},
    {"signbit", 1, true, true},
    {"add", 2, true, false},
    {"subtract", 2, true, false},
    {"multiply", 2, true, false},
    {"divide", 2, true, false},
    {"maximum", 2, true, false},
    {"minimum", 2, true, false},
    {"arctan2", 2, false, false},
    {"logaddexp", 2, false, false},
    {"power", 2, false, false},
    {"equal", 2, true, true},
    {"not_equal", 2, true, true},
    {"less", 2, true, true},
    {"less_equal", 2, true, true},
    {"greater", 2, true, true},
    {"greater_equal", 2, true, true},
    {"fma", 3, false, false},
    {"fnma", 3, false, false},
    {"lerp", 3, false, false},
    {"maximum_gradient", 3, true, false},
    {"minimum_gradient", 3, true, false},
    {"where", 3, true, false},
};
static_assert(sizeof(kMaps) / sizeof(kMaps[0]) == static_cast<std::size_t>(Map::kCount),
              "one test per function");

// Products are rounded before they are added where a set has no multiply-add.
constexpr bool adds_products(Map map) {
  return map == Map::kFma || map == Map::kFnma || map == Map::kLerp;
}

template <class T>
MapFunction function_of(const KernelTable& table, Map map) {
  return (*table.get<T>().map)[map];
}

// An array as an operand: where it stays, its first value alone may be read.
template <class T>
const void* operand(Call& c, const std::vector<T>& values, std::int64_t step, Index n) {
  return c.input(first(values, step != 0 ? n : Index{1}));
}

template <class T>
void compare_function(const std::string& name, const MapTest& test, Map map,
                      const std::vector<T>& a, const std::vector<T>& b) {
  const bool chooses = map == Map::kWhere;  // the first operand is bool
  const std::vector<std::uint8_t> condition = integers<std::uint8_t>(kLargest, 0, 1, 12);
  const std::vector<T> reversed(a.rbegin(), a.rend());
  const Bound bound = test.exact ? kExact : rounding<T>(adds_products(map) ? 1000 : 0);
  for (int staying = 0; staying < 1 << test.operands; ++staying) {
    std::int64_t steps[3];
    for (int i = 0; i < 3; ++i) steps[i] = (staying >> i & 1) != 0 ? 0 : 1;
    for (const Index n : kSizes) {
      compare(sized(name + " staying " + std::to_string(staying), n), bound,
              [&](Call& c, const KernelTable& table) {
                const std::vector<T>* values[] = {&a, &b, &reversed};
                const void* in[3] = {};
                int i = 0;
                if (chooses) in[i++] = operand(c, condition, steps[0], n);
                for (const auto* const* v = values; i < test.operands; ++i, ++v)
                  in[i] = operand(c, **v, steps[i], n);
                void* y = test.to_bool ? static_cast<void*>(c.output<std::uint8_t>(n))
                                       : static_cast<void*>(c.output<T>(n));
                function_of<T>(table, map)(in, steps, y, n);
              });
    }
  }
  // Piece by piece, over the last operand.
  if (test.to_bool) return;
  const auto in_pieces = [&](Index piece) {
    return [&, piece](Call& c, const KernelTable& table) {
      const std::uint8_t* chosen = c.input(condition);
      const T* left = c.input(a);
      const T* middle = c.input(reversed);
      T* y = c.output(test.operands == 1 ? a : b);
      const std::int64_t steps[] = {1, 1, 1};
      for (Index i = 0; i < kLargest; i += piece) {
        const void* const one[] = {y + i};
        const void* const two[] = {left + i, y + i};
        const void* const choice[] = {chosen + i, left + i, y + i};
        const void* const three[] = {left + i, middle + i, y + i};
        const void* const* in = test.operands == 1 ? one : test.operands == 2 ? two : three;
        if (chooses) in = choice;
        function_of<T>(table, map)(in, steps, y + i, std::min(piece, kLargest - i));
      }
    };
  };
  compare_parts(name, in_pieces(kLargest), in_pieces(1));
}

template <class T>
void compare_maps_of() {
  for (int f = 0; f < static_cast<int>(Map::kCount); ++f) {
    const MapTest& test = kMaps[f];
    const Map map = static_cast<Map>(f);
    const bool float32_only = map == Map::kErfc || map == Map::kCbrt || map == Map::kPower;
    if (float32_only && sizeof(T) == 8) continue;
    const std::string name = std::string(type_name<T>()) + " " + test.name + " ";
    compare_function<T>(name, test, map, reals<T>(kLargest, -5, 5, 6),
                        reals<T>(kLargest, -5, 5, 7));
    compare_function<T>(name + "positive ", test, map, reals<T>(kLargest, 0, 100, 8),
                        reals<T>(kLargest, -9, 9, 9));
    if (adds_products(map)) continue;  // what is infinite depends on the rounding
    compare_function<T>(name + "special ", test, map, special_values<T>(kLargest, 10),
                        special_values<T>(kLargest, 11));
  }
}

}  // namespace

void compare_maps() {
  compare_maps_of<float>();
  compare_maps_of<double>();
}

}  // namespace isa_test
