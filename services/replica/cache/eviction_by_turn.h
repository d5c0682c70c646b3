// The policies that keep queues: least recently used, and S3-FIFO. For comparison.
#pragma once

#include <cstdint>
#include <list>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "services/replica/cache/eviction.h"
#include "services/replica/cache/eviction_heap.h"

namespace perigee::replica {

class Lru final : public EvictionPolicy {
 public:
  uint64_t Add(const EvictionObject& object) override;
  void Hit(ObjectId id) override;
  EvictionObject Remove(ObjectId id) override;
  std::optional<ObjectId> Evict() override;

 private:
  using Queue = std::list<EvictionObject>;
  Queue queue_;  // used last, last
  absl::flat_hash_map<ObjectId, Queue::iterator> objects_;
};

// Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023, algorithm 1: newcomers stand in
// a small queue of a tenth of the bytes, and at its end leave or, asked for twice, go into the main one; so
// do, at once, those that left the small queue not long ago. At the end of the main queue an object that was
// asked for has another turn, at most three times.
class S3Fifo final : public EvictionPolicy {
 public:
  uint64_t Add(const EvictionObject& object) override;
  void Hit(ObjectId id) override;
  EvictionObject Remove(ObjectId id) override;
  std::optional<ObjectId> Evict() override;

 private:
  struct Object {
    EvictionObject about;
    int turns;  // 0…kMaxTurns
    bool in_main;
  };
  using Queue = std::list<Object>;
  Queue& QueueOf(const Object& object) { return object.in_main ? main_ : small_; }
  void MoveToMain();
  void TurnAgain();
  bool MainIsDue() const;

  Queue small_, main_;  // newest last
  absl::flat_hash_map<ObjectId, Queue::iterator> objects_;
  RememberedHits ghosts_;
  uint64_t bytes_ = 0;
  uint64_t small_bytes_ = 0;
};

}  // namespace perigee::replica
