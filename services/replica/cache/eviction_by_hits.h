// The policies that count: fewest hits first, by whatever is fewest.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "services/replica/cache/eviction.h"
#include "services/replica/cache/eviction_heap.h"

namespace perigee::replica {

// The rank of an object, lowest first, is
//
//   age + (hits + fetch_counts) / bytes      (or without the division)
//
// where age is 0, or the rank of the last object that was evicted when this one was last used. So an object
// that is not used sinks, for those that are used begin ever higher; how fast follows from how much is
// evicted.
struct HitsRule {
  bool per_byte = false;
  bool aged = false;
  // An object that left and is stored again has its hits again, and one more for the request that missed it.
  bool remembers = false;
  // What the fetch that brought the object counts, in hits. With 0 newcomers of every size are alike; the
  // more, the longer a small one stays that nobody asks for.
  double fetch_counts = 0;
};

inline constexpr HitsRule kLfuRule{};
inline constexpr HitsRule kLfuAgedRule{.aged = true, .fetch_counts = 1};
inline constexpr HitsRule kGdsfRule{.per_byte = true, .aged = true, .fetch_counts = 1};
inline constexpr HitsRule kLfuPerByteRule{
    .per_byte = true, .aged = true, .remembers = true, .fetch_counts = 0.25};

class FewestHits final : public EvictionPolicy {
 public:
  explicit FewestHits(const HitsRule& rule) : rule_(rule) {}
  uint64_t Add(const EvictionObject& object) override;
  void Hit(ObjectId id) override;
  EvictionObject Remove(ObjectId id) override;
  std::optional<ObjectId> Evict() override;
  size_t remembered() const { return remembered_.size(); }

 private:
  struct Object : RankHeap::Node {
    uint64_t fingerprint;
    uint64_t bytes;
    uint64_t hits;
    double age;
  };
  double RankOf(const Object& object) const;

  const HitsRule rule_;
  absl::flat_hash_map<ObjectId, std::unique_ptr<Object>> objects_;
  RankHeap heap_;  // every one of objects_
  RememberedHits remembered_;
  double age_ = 0;  // the highest rank evicted; grows only
};

class LfuAdmission final : public EvictionPolicy {
 public:
  uint64_t Add(const EvictionObject& object) override;
  void Hit(ObjectId id) override;
  EvictionObject Remove(ObjectId id) override;
  std::optional<ObjectId> Evict() override;

 private:
  struct Object : RankHeap::Node {
    uint64_t fingerprint;
    uint64_t bytes;
    uint64_t hits;
    bool on_probation;
    std::list<Object*>::iterator turn;  // in probation_, if it is
  };
  static double RankOf(const RankHeap::Node& node) {
    return static_cast<double>(static_cast<const Object&>(node).hits);
  }
  void Admit(Object& object);
  void LeaveProbation(Object& object);
  void AdmitTheFirst();
  Object& FewestAdmitted();
  Object& ChooseVictim();
  bool ProbationIsFull() const;

  absl::flat_hash_map<ObjectId, std::unique_ptr<Object>> objects_;
  std::list<Object*> probation_;  // newest last; all others are in heap_
  RankHeap heap_;
  RememberedHits remembered_;
  uint64_t bytes_ = 0;
  uint64_t probation_bytes_ = 0;
};

}  // namespace perigee::replica
