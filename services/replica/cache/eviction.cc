#include "services/replica/cache/eviction.h"

#include <cassert>
#include <tuple>
#include <utility>

namespace perigee::replica {

bool FewestHits::GoesBefore(const Node& a, const Node& b) {
  return std::tie(a.hits, a.id) < std::tie(b.hits, b.id);
}

void FewestHits::Place(size_t position, Node* node) {
  heap_[position] = node;
  node->position = position;
}

void FewestHits::SiftUp(Node* node) {
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

void FewestHits::SiftDown(Node* node) {
  size_t position = node->position;
  for (size_t child = 2 * position + 1; child < heap_.size(); child = 2 * position + 1) {
    if (child + 1 < heap_.size() && GoesBefore(*heap_[child + 1], *heap_[child])) ++child;
    if (!GoesBefore(*heap_[child], *node)) break;
    Place(position, heap_[child]);
    position = child;
  }
  Place(position, node);
}

void FewestHits::Add(ObjectId id, uint64_t /*bytes*/, uint64_t hits) {
  auto [it, inserted] = nodes_.try_emplace(id, std::make_unique<Node>(Node{hits, id, heap_.size()}));
  assert(inserted);
  heap_.push_back(it->second.get());
  SiftUp(it->second.get());
}

void FewestHits::Hit(ObjectId id) {
  const auto it = nodes_.find(id);
  assert(it != nodes_.end());
  ++it->second->hits;
  SiftDown(it->second.get());
}

void FewestHits::Remove(ObjectId id) {
  const auto it = nodes_.find(id);
  assert(it != nodes_.end());
  const size_t position = it->second->position;
  Node* last = heap_.back();
  heap_.pop_back();
  if (position < heap_.size()) {
    Place(position, last);
    SiftUp(last);
    SiftDown(last);
  }
  nodes_.erase(it);
}

std::optional<ObjectId> FewestHits::Victim() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front()->id;
}

}  // namespace perigee::replica
