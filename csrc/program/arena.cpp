#include "program/arena.h"

namespace dlnative {

std::shared_ptr<AlignedBuffer> Arena::reserve(std::size_t bytes) {
  if (!block_ || block_->bytes() < bytes)
    block_ = std::make_shared<AlignedBuffer>(AlignedBuffer::zeroed(bytes));
  return block_;
}

}  // namespace dlnative
