// Argument checks that throw std::invalid_argument with a readable message.
//
// A message names the op, states what was expected and ends with what was received:
//   check(rank == 2, "matmul: a must be 2-D, got rank ", rank);
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace dlnative {
namespace detail {

template <class Part>
void append_part(std::ostringstream& out, const Part& part) {
  if constexpr (std::is_same_v<Part, bool>) {
    out << (part ? "true" : "false");
  } else if constexpr (std::is_same_v<Part, std::int8_t> || std::is_same_v<Part, std::uint8_t>) {
    out << static_cast<int>(part);  // a number, not a character
  } else {
    out << part;
  }
}

// A shape prints as Python prints a tuple: (), (3,), (2, 3).
inline void append_part(std::ostringstream& out, const std::vector<std::int64_t>& shape) {
  out << '(';
  for (std::size_t i = 0; i < shape.size(); ++i) out << (i == 0 ? "" : ", ") << shape[i];
  out << (shape.size() == 1 ? ",)" : ")");
}

}  // namespace detail

// Joins the parts into one string. Parts are strings, numbers, bools and shapes
// (std::vector<std::int64_t>). Meant for error messages: it is slow, and it allocates.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (detail::append_part(out, parts), ...);
  return out.str();
}

// Throws std::invalid_argument(concat(parts...)).
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw std::invalid_argument(concat(parts...));
}

// Throws std::invalid_argument(concat(parts...)) unless `condition` holds. The parts are evaluated
// in either case (they are arguments) but formatted only on failure.
template <class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) fail(parts...);
}

}  // namespace dlnative
