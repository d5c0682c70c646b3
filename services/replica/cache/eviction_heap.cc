#include "services/replica/cache/eviction_heap.h"

#include <tuple>

namespace perigee::replica {
namespace {

bool GoesBefore(const RankHeap::Node& a, const RankHeap::Node& b) {
  return std::tie(a.rank, a.id) < std::tie(b.rank, b.id);
}

}  // namespace

void RankHeap::Place(size_t position, Node* node) {
  heap_[position] = node;
  node->position = position;
}

void RankHeap::SiftUp(Node* node) {
  size_t position = node->position;
  while (position > 0) {
    Node* parent = heap_[(position - 1) / 2];
    if (!GoesBefore(*node, *parent)) break;
    const size_t parent_position = parent->position;
    Place(position, parent);
    position = parent_position;
  }
  Place(position, node);
}

void RankHeap::SiftDown(Node* node) {
  size_t position = node->position;
  for (size_t child = 2 * position + 1; child < heap_.size(); child = 2 * position + 1) {
    if (child + 1 < heap_.size() && GoesBefore(*heap_[child + 1], *heap_[child])) ++child;
    if (!GoesBefore(*heap_[child], *node)) break;
    Place(position, heap_[child]);
    position = child;
  }
  Place(position, node);
}

void RankHeap::Push(Node& node) {
  heap_.push_back(&node);
  node.position = heap_.size() - 1;
  SiftUp(&node);
}

void RankHeap::Raise(Node& node, double rank) {
  node.rank = rank;
  SiftDown(&node);
}

void RankHeap::Erase(Node& node) {
  const size_t position = node.position;
  Node* last = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) return;
  Place(position, last);
  SiftUp(last);
  SiftDown(last);
}

void RememberedHits::Put(uint64_t fingerprint, uint64_t hits, size_t limit) {
  hits_[fingerprint] = {hits, next_number_};
  turns_.push_back({fingerprint, next_number_++});
  for (; turns_.size() > limit; turns_.pop_front()) {
    const auto it = hits_.find(turns_.front().fingerprint);
    if (it != hits_.end() && it->second.number == turns_.front().number) hits_.erase(it);
  }
}

std::optional<uint64_t> RememberedHits::Take(uint64_t fingerprint) {
  const auto it = hits_.find(fingerprint);
  if (it == hits_.end()) return std::nullopt;
  const uint64_t hits = it->second.hits;
  hits_.erase(it);
  return hits;
}

}  // namespace perigee::replica
