// matmul, dense and the parts of dense's gradient: factories.
#include "core/checks.h"
#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "ops/activation.h"
#include "ops/gemm.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "program/activation_attributes.h"
#include "program/instruction.h"

namespace dlnative {

namespace {

std::int64_t rows_of(const Buffer& buffer) {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < buffer.shape.size(); ++i) rows *= buffer.shape[i];
  return rows;
}

void check_size(const Spec& spec, const Buffer& buffer, std::int64_t size, DType dtype) {
  check(buffer.size() == size && buffer.dtype == dtype, spec.op,
        ": an array has a wrong size or dtype");
}

// C = op(A) op(B) of dense row-major matrices, op(M) = M or its transpose.
template <class T>
GemmBlock<T> product(const T* a, bool transpose_a, const T* b, bool transpose_b, T* c,
                     std::int64_t m, std::int64_t n, std::int64_t k) {
  GemmBlock<T> g{};
  g.a = a;
  g.b = b;
  g.c = c;
  g.rs_a = transpose_a ? 1 : k;
  g.cs_a = transpose_a ? m : 1;
  g.rs_b = transpose_b ? 1 : n;
  g.cs_b = transpose_b ? k : 1;
  g.ldc = n;
  g.m = m;
  g.n = n;
  g.k = k;
  return g;
}

template <class T>
std::unique_ptr<Instruction> make_gemm(const Spec& spec, const GemmBlock<T>& block,
                                       const GemmEpilogue<T>& epilogue = {}) {
  Gemm<T> gemm(block, epilogue, spec.threads);
  spec.give_workspace(gemm);
  return make_instruction([gemm](const StepContext&) mutable { gemm.run(); }, "gemm");
}

// The same where B is constant: it is kept packed.
template <class T>
std::unique_ptr<Instruction> make_packed_gemm(const Spec& spec, const GemmBlock<T>& block,
                                              const GemmEpilogue<T>& epilogue) {
  struct Packed final : Instruction {
    Packed(const GemmBlock<T>& b, const GemmEpilogue<T>& e, int threads) : gemm(b, e, threads) {}
    void run(const StepContext&) override { gemm.run(); }
    void pack(std::int64_t version) override { gemm.renew(version); }
    std::size_t packed_bytes() const override { return gemm.kept_bytes(); }
    PackedGemm<T> gemm;
  };
  auto instruction = std::make_unique<Packed>(block, epilogue, spec.threads);
  spec.give_workspace(instruction->gemm);
  instruction->algorithm = "gemm";
  return instruction;
}

// The matrices that a product reads and writes, op(A) being m x k and op(B) k x n.
struct MatrixShapes {
  std::int64_t m = 1, n = 1, k = 1;
  MatrixBatch::Shape batch_a, batch_b, batch_c;
  bool ta = false, tb = false;

  explicit MatrixShapes(const Spec& spec);
};

std::int64_t product_of(const MatrixBatch::Shape& sizes) {
  std::int64_t product = 1;
  for (const std::int64_t size : sizes) product *= size;
  return product;
}

// A vector is one row on the left and one column on the right, and C has no such axis. All rows of
// A under one B are one product.
MatrixShapes::MatrixShapes(const Spec& spec)
    : batch_a(spec.inputs[0].shape),
      batch_b(spec.inputs[1].shape),
      batch_c(spec.outputs[0].shape),
      ta(spec.flag("transpose_a", false)),
      tb(spec.flag("transpose_b", false)) {
  const auto take = [&](MatrixBatch::Shape& shape) {
    check(!shape.empty(), "matmul: expected matrices or vectors");
    const std::int64_t last = shape.back();
    shape.pop_back();
    return last;
  };
  const bool is_row = batch_a.size() == 1, is_column = batch_b.size() == 1;
  k = take(batch_a);
  if (!is_row) m = take(batch_a);
  if (ta) std::swap(m, k);
  std::int64_t inner = 0;
  if (is_column) {
    inner = take(batch_b);
  } else {
    n = take(batch_b);
    inner = take(batch_b);
    if (tb) std::swap(n, inner);
    check(take(batch_c) == n, "matmul: the result does not fit");
  }
  if (!is_row) check(take(batch_c) == m, "matmul: the result does not fit");
  check(inner == k && !(is_row && ta) && !(is_column && tb), "matmul: the operands do not fit");
  check(product_of(batch_c) * m * n == spec.outputs[0].size(), "matmul: the result does not fit");
  if (!ta && product_of(batch_b) == 1 && product_of(batch_a) == product_of(batch_c)) {
    m *= product_of(batch_a);
    batch_a = batch_b = batch_c = {};
  }
}

template <class T>
std::unique_ptr<Instruction> make_integer_matmul(const GemmBlock<T>& g, MatrixBatch batch) {
  const IntegerProduct<T> first{g.a, g.b, g.c, g.rs_a, g.cs_a, g.rs_b, g.cs_b, g.m, g.n, g.k};
  return make_instruction(
      [first, batch = std::move(batch)](const StepContext&) { integer_matmul(first, batch); });
}

std::unique_ptr<Instruction> make_matmul(const Spec& spec) {
  check(spec.inputs.size() == 2 && spec.outputs.size() == 1,
        "matmul: expected two inputs and one output");
  const Buffer &a = spec.inputs[0], &b = spec.inputs[1], &c = spec.outputs[0];
  check(a.dtype == b.dtype && a.dtype == c.dtype, "matmul: expected operands of one dtype");
  const MatrixShapes s(spec);
  const auto first = [&](auto zero) {
    using T = decltype(zero);
    return product<T>(a.as<T>(), s.ta, b.as<T>(), s.tb, c.as<T>(), s.m, s.n, s.k);
  };
  MatrixBatch batch(s.batch_a, s.batch_b, s.batch_c);
  switch (a.dtype) {
    case DType::kInt32:
      return make_integer_matmul(first(std::int32_t{}), std::move(batch));
    case DType::kInt64:
      return make_integer_matmul(first(std::int64_t{}), std::move(batch));
    case DType::kUInt8:
      return make_integer_matmul(first(std::uint8_t{}), std::move(batch));
    case DType::kBool:
      return make_integer_matmul(first(bool{}), std::move(batch));
    default:
      break;
  }
  return dispatch_floating(a.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    if (s.batch_c.empty()) return make_gemm(spec, first(T{}));
    BatchedGemm<T> gemm(first(T{}), std::move(batch), spec.threads);
    spec.give_workspace(gemm);
    return make_instruction([gemm = std::move(gemm)](const StepContext&) mutable { gemm.run(); },
                            "gemm");
  });
}

std::unique_ptr<Instruction> make_dense(const Spec& spec) {
  check(spec.inputs.size() >= 2 && !spec.outputs.empty(),
        "dense: expected x, kernel and one output");
  const Buffer &x = spec.inputs[0], &kernel = spec.inputs[1], &y = spec.outputs[0];
  check(kernel.shape.size() == 2 && kernel.dtype == x.dtype, "dense: expected a matrix as kernel");
  const std::int64_t m = rows_of(x), k = kernel.shape[0], n = kernel.shape[1];
  check_size(spec, x, m * k, x.dtype);
  check_size(spec, y, m * n, x.dtype);
  const Buffer* bias = spec.input(2);
  if (bias != nullptr) check_size(spec, *bias, n, x.dtype);
  const bool keeps_input = spec.flag("pre_activation", false);
  if (keeps_input) {
    check(spec.outputs.size() == 2, "dense: expected a second output");
    check_size(spec, spec.outputs[1], m * n, x.dtype);
  }
  return dispatch_floating(x.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    GemmEpilogue<T> epilogue;
    if (bias != nullptr) epilogue.bias = bias->as<T>();
    if (keeps_input) epilogue.pre_activation = spec.outputs[1].as<T>();
    const std::string name = spec.text("activation", "linear");
    const Activation activation = activation_id(spec, name);
    if (activation == Activation::kRelu && !keeps_input) {
      epilogue.relu = true;
    } else if (activation != Activation::kLinear) {
      epilogue.activation =
          kernels<T>().elementwise->activation_forward[static_cast<int>(activation)];
      epilogue.params = activation_params(spec, name);
    }
    const auto block = product<T>(x.as<T>(), false, kernel.as<T>(), false, y.as<T>(), m, n, k);
    if (kernel.constant && PackedGemm<T>::pays(block))
      return make_packed_gemm(spec, block, epilogue);
    return make_gemm(spec, block, epilogue);
  });
}

std::unique_ptr<Instruction> make_dense_backward_input(const Spec& spec) {
  check(spec.inputs.size() >= 2 && spec.outputs.size() == 1,
        "dense_backward_input: expected dy and kernel");
  const Buffer &dy = spec.inputs[0], &kernel = spec.inputs[1], &dx = spec.outputs[0];
  check(kernel.shape.size() == 2, "dense_backward_input: expected a matrix as kernel");
  const std::int64_t m = rows_of(dy), n = kernel.shape[0], k = kernel.shape[1];
  check_size(spec, dy, m * k, kernel.dtype);
  check_size(spec, dx, m * n, kernel.dtype);
  const Buffer* saved = spec.input(2);
  if (saved != nullptr) check_size(spec, *saved, m * n, kernel.dtype);
  return dispatch_floating(dy.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    GemmEpilogue<T> epilogue;
    if (saved != nullptr) {
      const std::string name = spec.text("activation", "linear");
      const Activation activation = activation_id(spec, name);
      epilogue.ld_saved = n;
      if (activation == Activation::kRelu) {
        epilogue.relu_saved = saved->as<T>();
      } else {
        epilogue.saved = saved->as<T>();
        epilogue.activation_backward =
            kernels<T>().elementwise->activation_backward[static_cast<int>(activation)];
        epilogue.params = activation_params(spec, name);
      }
    }
    return make_gemm(spec, product<T>(dy.as<T>(), false, kernel.as<T>(), true, dx.as<T>(), m, n, k),
                     epilogue);
  });
}

std::unique_ptr<Instruction> make_dense_backward_kernel(const Spec& spec) {
  check(spec.inputs.size() == 2 && !spec.outputs.empty(),
        "dense_backward_kernel: expected x and dy");
  const Buffer &x = spec.inputs[0], &dy = spec.inputs[1], &dkernel = spec.outputs[0];
  check(!x.shape.empty() && !dy.shape.empty(), "dense_backward_kernel: expected rows");
  const std::int64_t k = rows_of(dy), m = x.shape.back(), n = dy.shape.back();
  check_size(spec, x, m * k, dy.dtype);
  check_size(spec, dkernel, m * n, dy.dtype);
  const bool with_bias = spec.flag("bias", false);
  if (with_bias) {
    check(spec.outputs.size() == 2, "dense_backward_kernel: expected a second output");
    check_size(spec, spec.outputs[1], n, dy.dtype);
  }
  return dispatch_floating(dy.dtype, spec.op, [&](auto zero) {
    using T = decltype(zero);
    const auto block = product<T>(x.as<T>(), true, dy.as<T>(), false, dkernel.as<T>(), m, n, k);
    if (!with_bias) return make_gemm(spec, block);
    const T* rows = dy.as<T>();
    T* dbias = spec.outputs[1].as<T>();
    const auto sum_rows = kernels<T>().reduce->sum_rows;
    Gemm<T> gemm(block, {}, spec.threads);
    spec.give_workspace(gemm);
    return make_instruction(
        [=](const StepContext&) mutable {
          gemm.run();
          sum_rows(rows, n, dbias, k, n, false);
        },
        "gemm");
  });
}

}  // namespace

void register_matmul(Registry& registry);
void register_matmul(Registry& registry) {
  registry.add("matmul", make_matmul, workspace_of<make_matmul>);
  registry.add("dense", make_dense, workspace_of<make_dense>);
  registry.add("dense_backward_input", make_dense_backward_input,
               workspace_of<make_dense_backward_input>);
  registry.add("dense_backward_kernel", make_dense_backward_kernel,
               workspace_of<make_dense_backward_kernel>);
}

}  // namespace dlnative
