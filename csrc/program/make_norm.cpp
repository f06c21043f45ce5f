// Normalisation: factories.
#include "program/instruction.h"

namespace dlnative {

void register_norm(Registry& registry);
void register_norm(Registry&) {}

}  // namespace dlnative
