// Pooling: factories.
#include "program/instruction.h"

namespace dlnative {

void register_pool(Registry& registry);
void register_pool(Registry&) {}

}  // namespace dlnative
