// Memory for the tensors of programs that run one after the other.
#pragma once

#include <memory>

#include "core/aligned.h"

namespace dlnative {

class Arena {
 public:
  // A block of at least `bytes` bytes: the last one where it is large enough, else a new one that
  // takes its place. A block lives for as long as somebody holds it.
  std::shared_ptr<AlignedBuffer> reserve(std::size_t bytes);
  std::size_t bytes() const { return block_ ? block_->bytes() : 0; }
  // Lets go of the block.
  void drop() { block_.reset(); }

 private:
  std::shared_ptr<AlignedBuffer> block_;
};

}  // namespace dlnative
