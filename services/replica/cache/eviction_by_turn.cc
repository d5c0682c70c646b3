#include "services/replica/cache/eviction_by_turn.h"

#include <algorithm>
#include <cassert>

namespace perigee::replica {
namespace {

constexpr uint64_t kTurnsForMain = 2;
constexpr int kMaxTurns = 3;

}  // namespace

uint64_t Lru::Add(const EvictionObject& object) {
  objects_.emplace(object.id, queue_.insert(queue_.end(), object));
  return object.hits;
}

void Lru::Hit(ObjectId id) {
  const auto it = objects_.find(id);
  assert(it != objects_.end());
  ++it->second->hits;
  queue_.splice(queue_.end(), queue_, it->second);
}

EvictionObject Lru::Remove(ObjectId id) {
  const auto it = objects_.find(id);
  assert(it != objects_.end());
  const EvictionObject removed = *it->second;
  queue_.erase(it->second);
  objects_.erase(it);
  return removed;
}

std::optional<ObjectId> Lru::Evict() {
  if (queue_.empty()) return std::nullopt;
  return Remove(queue_.front().id).id;
}

uint64_t S3Fifo::Add(const EvictionObject& added) {
  // One with hits was here before: loaded after a restart, or put back with another size.
  const bool in_main = ghosts_.Take(added.fingerprint).has_value() || added.hits >= kTurnsForMain;
  Object object{added, 0, in_main};
  Queue& queue = QueueOf(object);
  objects_.emplace(added.id, queue.insert(queue.end(), object));
  bytes_ += added.bytes;
  if (!in_main) small_bytes_ += added.bytes;
  return added.hits;
}

void S3Fifo::Hit(ObjectId id) {
  const auto it = objects_.find(id);
  assert(it != objects_.end());
  Object& object = *it->second;
  ++object.about.hits;
  object.turns = std::min(object.turns + 1, kMaxTurns);
}

EvictionObject S3Fifo::Remove(ObjectId id) {
  const auto it = objects_.find(id);
  assert(it != objects_.end());
  const Object removed = *it->second;
  bytes_ -= removed.about.bytes;
  if (!removed.in_main) small_bytes_ -= removed.about.bytes;
  QueueOf(removed).erase(it->second);
  objects_.erase(it);
  return removed.about;
}

bool S3Fifo::MainIsDue() const { return !main_.empty() && (small_.empty() || small_bytes_ <= bytes_ / 10); }

void S3Fifo::MoveToMain() {
  Object& object = small_.front();
  small_bytes_ -= object.about.bytes;
  object.in_main = true;
  object.turns = 0;
  main_.splice(main_.end(), small_, small_.begin());
}

void S3Fifo::TurnAgain() {
  --main_.front().turns;
  main_.splice(main_.end(), main_, main_.begin());
}

std::optional<ObjectId> S3Fifo::Evict() {
  while (!objects_.empty()) {
    if (MainIsDue()) {
      if (main_.front().turns == 0) return Remove(main_.front().about.id).id;
      TurnAgain();
    } else if (small_.front().turns >= static_cast<int>(kTurnsForMain)) {
      MoveToMain();
    } else {
      const EvictionObject gone = Remove(small_.front().about.id);
      ghosts_.Put(gone.fingerprint, gone.hits, std::max(objects_.size(), kLeastRemembered));
      return gone.id;
    }
  }
  return std::nullopt;
}

}  // namespace perigee::replica
