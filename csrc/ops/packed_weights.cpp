#include "ops/packed_weights.h"

#include <iterator>
#include <unordered_map>

namespace dlnative {

std::shared_ptr<KeptWeights> find_kept_weights(const std::string& key, std::size_t bytes) {
  static std::mutex mutex;
  static std::unordered_map<std::string, std::weak_ptr<KeptWeights>> copies;
  const std::lock_guard<std::mutex> lock(mutex);
  for (auto it = copies.begin(); it != copies.end();) {
    it = it->second.expired() ? copies.erase(it) : std::next(it);
  }
  std::weak_ptr<KeptWeights>& entry = copies[key];
  std::shared_ptr<KeptWeights> kept = entry.lock();
  if (kept == nullptr) {
    kept = std::make_shared<KeptWeights>();
    kept->memory = AlignedBuffer(bytes);
    entry = kept;
  }
  return kept;
}

}  // namespace dlnative
