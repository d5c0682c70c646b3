// What the policies are made of: a heap that knows where its nodes are, and a memory of what left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "services/replica/cache/eviction.h"

namespace perigee::replica {

// The lowest rank is on top; of equal ones, the lowest id. A binary heap of nodes that others own and that
// must not move.
//
// Ranks grow, and the heap need not be told each time: a node stands by the rank that it had, until Raise, or
// until it comes to the top.
class RankHeap {
 public:
  struct Node {
    ObjectId id = 0;
    double rank = 0;  // by which it stands; no NaN
    size_t position = 0;
  };

  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }
  // By the ranks that `rank_of(node)` gives now, never lower than those before; there must be a node.
  // O(log n) for each node that stands too high for its rank, and is put in its place.
  template <typename RankOf>
  Node& Top(RankOf rank_of) {
    for (;;) {
      Node& top = *heap_.front();
      const double rank = rank_of(top);
      if (rank == top.rank) return top;
      Raise(top, rank);
    }
  }
  // O(log n), all of them. `node` is in the heap, but for Push, and its rank has not become lower.
  void Push(Node& node);
  void Raise(Node& node, double rank);
  void Erase(Node& node);

 private:
  void Place(size_t position, Node* node);
  void SiftUp(Node* node);
  void SiftDown(Node* node);

  std::vector<Node*> heap_;  // no node goes before its parent, which stands at (position - 1) / 2
};

// A policy remembers as many objects as it has, and never less than this many.
inline constexpr size_t kLeastRemembered = 1024;

// The hits of the last objects that left, by fingerprint. The one put first is forgotten first.
class RememberedHits {
 public:
  // Keeps the last `limit` objects that were put; those taken out meanwhile count as well.
  void Put(uint64_t fingerprint, uint64_t hits, size_t limit);
  std::optional<uint64_t> Take(uint64_t fingerprint);
  size_t size() const { return hits_.size(); }

 private:
  struct Place {
    uint64_t hits;
    uint64_t number;
  };
  struct Turn {
    uint64_t fingerprint;
    uint64_t number;
  };
  absl::flat_hash_map<uint64_t, Place> hits_;
  std::deque<Turn> turns_;  // one without a Place of its number was taken, or put again
  uint64_t next_number_ = 0;
};

}  // namespace perigee::replica
