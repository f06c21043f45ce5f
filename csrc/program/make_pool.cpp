// Pooling: factories. The one-dimensional forms are images of height 1.
#include "ops/pool.h"
#include "program/instruction.h"
#include "program/spec_checks.h"
#include "program/window_attributes.h"

namespace dlnative {

namespace {

// The window of a pooling over images of shape `image`; strides are the pool_size where not given.
Window pool_window(const Spec& spec, const std::vector<std::int64_t>& image) {
  const std::vector<std::int64_t> size = spec.integers("pool_size");
  if (spec.has("strides")) return read_window(spec, image, size);
  Spec with_strides;
  with_strides.op = spec.op;
  with_strides.attributes = spec.attributes;
  with_strides.attributes["strides"] = size;
  return read_window(with_strides, image, size);
}

std::int64_t pooled_size(const Window& window) {
  return window.batch * window.h.out * window.w.out * window.channels;
}

void check_indexable(const Spec& spec, const Window& window) {
  check(window.h.window * window.w.window <= kMaxPositions, spec.op,
        ": expected a window of at most ", kMaxPositions, " positions, received ", window.h.window,
        " x ", window.w.window);
}

bool relu_attribute(const Spec& spec) {
  const std::string activation = spec.text("activation", "linear");
  check(activation == "linear" || activation == "relu", spec.op,
        ": expected activation 'relu', received '", activation, "'");
  return activation == "relu";
}

// The shape of x that a gradient without x is told.
std::vector<std::int64_t> input_shape(const Spec& spec) {
  check(spec.has("input_shape"), spec.op, ": expected 'input_shape'");
  return spec.integers("input_shape");
}

std::int64_t element_count(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t n : shape) count *= n;
  return count;
}

// Calls f(T{}, PoolOp<T>) for the dtype of `array`.
template <class F>
std::unique_ptr<Instruction> make_with(const Spec& spec, const Buffer& array, const Window& window,
                                       F&& f) {
  return dispatch_floating(array.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const PoolOp<T> op(window);
    auto instruction = f(zero, op);
    instruction->algorithm = op.algorithm();
    return instruction;
  });
}

std::unique_ptr<Instruction> make_max(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Window window = pool_window(spec, x.shape);
  const Buffer& y = required_output(spec, 0, "y", pooled_size(window), x.dtype);
  const bool relu = relu_attribute(spec);
  std::uint8_t* indices = nullptr;
  if (spec.flag("indices", false)) {
    check_indexable(spec, window);
    indices = required_output(spec, 1, "indices", y.size(), DType::kUInt8).as<std::uint8_t>();
  }
  return make_with(spec, x, window, [&](auto zero, const auto& op) {
    using T = decltype(zero);
    return make_instruction([op, from = x.as<T>(), to = y.as<T>(), indices,
                             relu](const StepContext&) { op.max(from, to, indices, relu); });
  });
}

std::size_t max_backward_workspace(const Spec& spec) {
  const Buffer& x = required_input(spec, 1, "x");
  const Window window = pool_window(spec, x.shape);
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    return PoolOp<decltype(zero)>(window).max_backward_workspace();
  });
}

std::unique_ptr<Instruction> make_max_backward(const Spec& spec) {
  const Buffer& x = required_input(spec, 1, "x");
  const Window window = pool_window(spec, x.shape);
  const Buffer& dy = required_input(spec, 0, "dy", pooled_size(window), x.dtype);
  const Buffer& dx = required_output(spec, 0, "dx", x.size(), x.dtype);
  return make_with(spec, x, window, [&](auto zero, const auto& op) {
    using T = decltype(zero);
    auto* indices = static_cast<std::uint8_t*>(spec.scratch(op.max_backward_workspace()));
    return make_instruction(
        [op, gradient = dy.as<T>(), from = x.as<T>(), to = dx.as<T>(),
         indices](const StepContext&) { op.max_backward(gradient, from, to, indices); });
  });
}

std::unique_ptr<Instruction> make_max_backward_indices(const Spec& spec) {
  const std::vector<std::int64_t> shape = input_shape(spec);
  const Window window = pool_window(spec, shape);
  check_indexable(spec, window);
  const Buffer& dy = required_input(spec, 0, "dy");
  check_buffer(spec, dy, "dy", pooled_size(window), dy.dtype);
  const Buffer& indices = required_input(spec, 1, "indices", dy.size(), DType::kUInt8);
  const Buffer* saved = optional_input(spec, 2, "saved", dy.size(), dy.dtype);
  check(relu_attribute(spec) == (saved != nullptr) || dy.size() == 0, spec.op,
        ": expected 'saved' with activation 'relu', and only then");
  const Buffer& dx = required_output(spec, 0, "dx", element_count(shape), dy.dtype);
  return make_with(spec, dy, window, [&](auto zero, const auto& op) {
    using T = decltype(zero);
    return make_instruction([op, gradient = dy.as<T>(), where = indices.as<std::uint8_t>(),
                             output = data_or_null<T>(saved), to = dx.as<T>()](const StepContext&) {
      op.max_backward_indices(gradient, where, output, to);
    });
  });
}

std::unique_ptr<Instruction> make_average(const Spec& spec) {
  const Buffer& x = required_input(spec, 0, "x");
  const Window window = pool_window(spec, x.shape);
  const Buffer& y = required_output(spec, 0, "y", pooled_size(window), x.dtype);
  return make_with(spec, x, window, [&](auto zero, const auto& op) {
    using T = decltype(zero);
    return make_instruction(
        [op, from = x.as<T>(), to = y.as<T>()](const StepContext&) { op.average(from, to); });
  });
}

std::unique_ptr<Instruction> make_average_backward(const Spec& spec) {
  const std::vector<std::int64_t> shape = input_shape(spec);
  const Window window = pool_window(spec, shape);
  const Buffer& dy = required_input(spec, 0, "dy");
  check_buffer(spec, dy, "dy", pooled_size(window), dy.dtype);
  const Buffer& dx = required_output(spec, 0, "dx", element_count(shape), dy.dtype);
  return make_with(spec, dy, window, [&](auto zero, const auto& op) {
    using T = decltype(zero);
    return make_instruction([op, gradient = dy.as<T>(), to = dx.as<T>()](const StepContext&) {
      op.average_backward(gradient, to);
    });
  });
}

}  // namespace

void register_pool(Registry& registry);
void register_pool(Registry& registry) {
  for (const std::string rank : {"1d", "2d"}) {
    registry.add("max_pool" + rank, make_max);
    registry.add("max_pool" + rank + "_backward", make_max_backward, max_backward_workspace);
    registry.add("max_pool" + rank + "_backward_indices", make_max_backward_indices);
    registry.add("avg_pool" + rank, make_average);
    registry.add("avg_pool" + rank + "_backward", make_average_backward);
  }
}

}  // namespace dlnative
