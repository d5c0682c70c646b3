#include "services/replica/cache/memory_tier.h"

#include <utility>

namespace perigee::replica {

std::shared_ptr<const StoredResponse> MemoryTier::Get(ObjectId id) const {
  const auto it = objects_.find(id);
  return it == objects_.end() ? nullptr : it->second.response;
}

std::shared_ptr<const StoredResponse> MemoryTier::Hit(ObjectId id) {
  auto response = Get(id);
  if (response) policy_->Hit(id);
  return response;
}

std::vector<ObjectId> MemoryTier::Put(ObjectId id, std::shared_ptr<const StoredResponse> response,
                                      uint64_t bytes, uint64_t hits) {
  Remove(id);
  std::vector<ObjectId> gone;
  if (!Fits(bytes)) return gone;
  while (bytes_ > budget_ - bytes) {
    gone.push_back(*policy_->Evict());
    Forget(gone.back());
  }
  policy_->Add({.id = id, .fingerprint = id, .bytes = bytes, .hits = hits});
  objects_.emplace(id, Object{std::move(response), bytes});
  bytes_ += bytes;
  return gone;
}

void MemoryTier::Remove(ObjectId id) {
  if (!objects_.contains(id)) return;
  policy_->Remove(id);
  Forget(id);
}

// What the policy has forgotten already.
void MemoryTier::Forget(ObjectId id) {
  const auto it = objects_.find(id);
  bytes_ -= it->second.bytes;
  objects_.erase(it);
}

}  // namespace perigee::replica
