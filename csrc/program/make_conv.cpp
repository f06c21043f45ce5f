// Convolution: factories.
#include "program/instruction.h"

namespace dlnative {

void register_conv(Registry& registry);
void register_conv(Registry&) {}

}  // namespace dlnative
