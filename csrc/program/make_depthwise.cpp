// Depthwise convolution: factories.
#include "program/instruction.h"

namespace dlnative {

void register_depthwise(Registry& registry);
void register_depthwise(Registry&) {}

}  // namespace dlnative
