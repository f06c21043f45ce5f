#include "core/buffer.h"

namespace dlnative {

namespace {

struct DTypeInfo {
  const char* name;
  std::int64_t size;
};

const DTypeInfo kInfo[] = {{"bool", 1},   {"int8", 1},    {"uint8", 1},   {"int16", 2},
                           {"uint16", 2}, {"int32", 4},   {"uint32", 4},  {"int64", 8},
                           {"uint64", 8}, {"float16", 2}, {"float32", 4}, {"float64", 8}};

}  // namespace

std::int64_t dtype_size(DType dtype) {
  return kInfo[static_cast<int>(dtype)].size;
}
const char* dtype_name(DType dtype) {
  return kInfo[static_cast<int>(dtype)].name;
}

std::int64_t Buffer::size() const {
  std::int64_t n = 1;
  for (const std::int64_t d : shape) n *= d;
  return n;
}

}  // namespace dlnative
