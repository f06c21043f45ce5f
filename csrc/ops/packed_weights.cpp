#include "ops/packed_weights.h"

#include <iterator>
#include <new>
#include <unordered_map>

#include "core/fork.h"

namespace dlnative {

namespace {

struct Copies {
  std::mutex mutex;
  std::unordered_map<std::string, std::weak_ptr<KeptWeights>> by_key;
};

// Never destroyed: a thread may run until the process ends.
Copies& copies() {
  static Copies* const all = new Copies;
  // No thread of the parent gives back in the child what it has locked.
  static const bool handled = call_in_children([] {
    ::new (&all->mutex) std::mutex;
    for (auto& entry : all->by_key) {
      if (const auto kept = entry.second.lock()) ::new (&kept->mutex) std::shared_mutex;
    }
  });
  static_cast<void>(handled);
  return *all;
}

}  // namespace

std::shared_ptr<KeptWeights> find_kept_weights(const std::string& key, std::size_t bytes) {
  Copies& all = copies();
  const std::lock_guard<std::mutex> lock(all.mutex);
  for (auto it = all.by_key.begin(); it != all.by_key.end();) {
    it = it->second.expired() ? all.by_key.erase(it) : std::next(it);
  }
  std::weak_ptr<KeptWeights>& entry = all.by_key[key];
  std::shared_ptr<KeptWeights> kept = entry.lock();
  if (kept == nullptr) {
    kept = std::make_shared<KeptWeights>();
    kept->memory = AlignedBuffer(bytes);
    entry = kept;
  }
  return kept;
}

}  // namespace dlnative
