#include "ops/state.h"

#include "dispatch/dispatch.h"

namespace dlnative {

template <class T>
AccumulateMeanOp<T>::AccumulateMeanOp(std::int64_t n)
    : kernels_(kernels<T>().reduce), n_(n), sum_(n, 0.25) {}

template <class T>
std::size_t AccumulateMeanOp<T>::set_workspace(void* workspace) {
  WorkspacePieces pieces(workspace);
  sum_.take(pieces);
  return pieces.bytes();
}

template <class T>
void AccumulateMeanOp<T>::run(double* state, const T* values, const T* weight) const {
  if (weight == nullptr) {
    state[0] += sum_.run(
        [&](std::int64_t begin, std::int64_t size) { return kernels_->sum(values + begin, size); });
    state[1] += static_cast<double>(n_);
    return;
  }
  state[0] += sum_.run([&](std::int64_t begin, std::int64_t size) {
    return kernels_->dot(values + begin, weight + begin, size);
  });
  state[1] += sum_.run(
      [&](std::int64_t begin, std::int64_t size) { return kernels_->sum(weight + begin, size); });
}

template class AccumulateMeanOp<float>;
template class AccumulateMeanOp<double>;

}  // namespace dlnative
