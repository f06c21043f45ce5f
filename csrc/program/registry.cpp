// The list of topics. Each topic's file adds its ops.
#include "program/instruction.h"

namespace dlnative {

void register_elementwise(Registry& registry);
void register_softmax(Registry& registry);
void register_dropout(Registry& registry);
void register_shape(Registry& registry);
void register_matmul(Registry& registry);
void register_reduce(Registry& registry);
void register_loss(Registry& registry);
void register_metrics(Registry& registry);
void register_optimizer(Registry& registry);
void register_state(Registry& registry);

const Registry& registry() {
  static const Registry instance = [] {
    Registry r;
    register_elementwise(r);
    register_softmax(r);
    register_dropout(r);
    register_shape(r);
    register_matmul(r);
    register_reduce(r);
    register_loss(r);
    register_metrics(r);
    register_optimizer(r);
    register_state(r);
    return r;
  }();
  return instance;
}

}  // namespace dlnative
