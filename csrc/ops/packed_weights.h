// Weights in the form that a kernel reads: packed anew in every run, or kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>

#include "core/aligned.h"

namespace dlnative {

// A packed copy that all programs share that want the same of the same arrays.
struct KeptWeights {
  AlignedBuffer memory;
  std::int64_t version = -1;  // of the arrays, when they were packed
  std::shared_mutex mutex;
};

// The copy for `key`, which says all that the copy depends on, addresses included; a new one of so
// many bytes where no program has it. It lives as long as a program holds it.
std::shared_ptr<KeptWeights> find_kept_weights(const std::string& key, std::size_t bytes);

// Appends the bytes of a value to a key.
template <class V>
void append_to_key(std::string& key, const V& value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <class T>
class PackedWeights {
 public:
  // What one run reads. A kept copy is not packed anew while it is in use.
  class InUse {
   public:
    InUse(const T* data, std::shared_lock<std::shared_mutex> lock)
        : data_(data), lock_(std::move(lock)) {}
    const T* data() const { return data_; }

   private:
    const T* data_ = nullptr;
    std::shared_lock<std::shared_mutex> lock_;
  };

  // From now on `use` gives what the last `refresh` packed.
  void keep(const std::string& key, std::size_t bytes) { kept_ = find_kept_weights(key, bytes); }
  std::size_t kept_bytes() const { return kept_ != nullptr ? kept_->memory.bytes() : 0; }

  // Whether the kept copy is of this version of the arrays or of a later one.
  bool is_current(std::int64_t version) const {
    const std::shared_lock<std::shared_mutex> lock(kept_->mutex);
    return kept_->version >= version;
  }

  // Calls pack(memory), unless that was done for this version of the arrays or a later one.
  template <class Pack>
  void refresh(std::int64_t version, Pack&& pack) {
    const std::unique_lock<std::shared_mutex> lock(kept_->mutex);
    if (kept_->version >= version) return;
    kept_->version = -1;  // until it is whole: a child may be forked meanwhile
    pack(reinterpret_cast<T*>(kept_->memory.data()));
    kept_->version = version;
  }

  // The kept copy, or `scratch` after pack(scratch).
  template <class Pack>
  InUse use(T* scratch, Pack&& pack) const {
    if (kept_ != nullptr) {
      std::shared_lock<std::shared_mutex> lock(kept_->mutex);
      return {reinterpret_cast<const T*>(kept_->memory.data()), std::move(lock)};
    }
    pack(scratch);
    return {scratch, {}};
  }

 private:
  std::shared_ptr<KeptWeights> kept_;
};

}  // namespace dlnative
