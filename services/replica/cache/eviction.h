// Which object goes first when room is needed.
//
// Pure bookkeeping, without a budget of its own: the caller asks for a victim until it has room. Not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace perigee::replica {

// Greater for what was stored later.
using ObjectId = uint64_t;

class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;
  // `id` must not be known. `bytes` is what the object weighs, for policies that look at size.
  virtual void Add(ObjectId id, uint64_t bytes, uint64_t hits) = 0;
  // `id` must be known.
  virtual void Hit(ObjectId id) = 0;
  virtual void Remove(ObjectId id) = 0;
  // Nothing when no object is known.
  virtual std::optional<ObjectId> Victim() const = 0;
};

// The fewest hits go first; of those with as many, the one stored first. A binary heap: Add, Hit and Remove
// take O(log n), Victim O(1), and nothing is allocated by a hit.
class FewestHits final : public EvictionPolicy {
 public:
  void Add(ObjectId id, uint64_t bytes, uint64_t hits) override;
  void Hit(ObjectId id) override;
  void Remove(ObjectId id) override;
  std::optional<ObjectId> Victim() const override;

 private:
  struct Node {
    uint64_t hits;
    ObjectId id;
    size_t position;  // in heap_
  };
  static bool GoesBefore(const Node& a, const Node& b);
  void Place(size_t position, Node* node);
  void SiftUp(Node* node);
  void SiftDown(Node* node);

  absl::flat_hash_map<ObjectId, std::unique_ptr<Node>> nodes_;
  std::vector<Node*> heap_;  // no node goes before its parent, which stands at (position - 1) / 2
};

}  // namespace perigee::replica
