// The part of the stored objects that is in memory, within a budget of its own. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "services/replica/cache/eviction.h"
#include "services/replica/cache/stored_response.h"

namespace perigee::replica {

class MemoryTier {
 public:
  MemoryTier(uint64_t budget_bytes, std::unique_ptr<EvictionPolicy> policy)
      : budget_(budget_bytes), policy_(std::move(policy)) {}

  bool Fits(uint64_t bytes) const { return bytes <= budget_; }

  // Null when it is not here.
  std::shared_ptr<const StoredResponse> Get(ObjectId id) const;
  // As Get, and counts as a hit.
  std::shared_ptr<const StoredResponse> Hit(ObjectId id);

  // Puts `response` in place of what is here under `id`, making room first; does not keep what is larger than
  // the budget. Returns the others that had to go.
  std::vector<ObjectId> Put(ObjectId id, std::shared_ptr<const StoredResponse> response, uint64_t bytes,
                            uint64_t hits);
  // No-op when it is not here.
  void Remove(ObjectId id);

  uint64_t bytes() const { return bytes_; }
  uint64_t budget() const { return budget_; }
  size_t size() const { return objects_.size(); }

 private:
  struct Object {
    std::shared_ptr<const StoredResponse> response;
    uint64_t bytes;
  };

  void Forget(ObjectId id);

  const uint64_t budget_;
  const std::unique_ptr<EvictionPolicy> policy_;  // knows exactly the objects_
  absl::flat_hash_map<ObjectId, Object> objects_;
  uint64_t bytes_ = 0;  // the sum over objects_, at most budget_
};

}  // namespace perigee::replica
