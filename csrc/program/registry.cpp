// The list of topics. Each topic's file adds its ops.
#include "program/instruction.h"

namespace dlnative {

void register_elementwise(Registry& registry);
void register_map(Registry& registry);
void register_loop(Registry& registry);
void register_softmax(Registry& registry);
void register_dropout(Registry& registry);
void register_random(Registry& registry);
void register_shape(Registry& registry);
void register_move(Registry& registry);
void register_matmul(Registry& registry);
void register_reduce(Registry& registry);
void register_sort(Registry& registry);
void register_loss(Registry& registry);
void register_metrics(Registry& registry);
void register_optimizer(Registry& registry);
void register_state(Registry& registry);
void register_conv(Registry& registry);
void register_depthwise(Registry& registry);
void register_pool(Registry& registry);
void register_norm(Registry& registry);
void register_spatial(Registry& registry);
void register_augment(Registry& registry);

const Registry& registry() {
  static const Registry instance = [] {
    Registry r;
    register_elementwise(r);
    register_map(r);
    register_loop(r);
    register_softmax(r);
    register_dropout(r);
    register_random(r);
    register_shape(r);
    register_move(r);
    register_matmul(r);
    register_reduce(r);
    register_sort(r);
    register_loss(r);
    register_metrics(r);
    register_optimizer(r);
    register_state(r);
    register_conv(r);
    register_depthwise(r);
    register_pool(r);
    register_norm(r);
    register_spatial(r);
    register_augment(r);
    return r;
  }();
  return instance;
}

}  // namespace dlnative
