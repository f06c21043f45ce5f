// Random changes of images: factories.
#include "program/instruction.h"

namespace dlnative {

void register_augment(Registry& registry);
void register_augment(Registry&) {}

}  // namespace dlnative
