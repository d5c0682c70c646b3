#include "services/replica/cache/eviction_by_hits.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

namespace perigee::replica {
namespace {

// What a refetched object begins with: its hits before, and the request that brings it back.
uint64_t HitsToBeginWith(const EvictionObject& object, RememberedHits* remembered) {
  const auto before = remembered->Take(object.fingerprint);
  return before ? std::max(object.hits, *before + 1) : object.hits;
}

// Whether the heap is told of a hit. Telling it of each would be most of what a hit costs here; telling it of
// none would leave all of it to the next eviction.
bool IsDue(uint64_t hits) { return std::has_single_bit(hits); }

size_t RememberLimit(size_t objects) { return std::max(objects, kLeastRemembered); }

}  // namespace

double FewestHits::RankOf(const Object& object) const {
  const double worth = static_cast<double>(object.hits) + rule_.fetch_counts;
  const auto bytes = static_cast<double>(std::max<uint64_t>(object.bytes, 1));
  return object.age + (rule_.per_byte ? worth / bytes : worth);
}

uint64_t FewestHits::Add(const EvictionObject& added) {
  auto object = std::make_unique<Object>();
  object->id = added.id;
  object->fingerprint = added.fingerprint;
  object->bytes = added.bytes;
  object->hits = rule_.remembers ? HitsToBeginWith(added, &remembered_) : added.hits;
  object->age = added.age.value_or(age_);
  object->rank = RankOf(*object);
  heap_.Push(*object);
  const uint64_t hits = object->hits;
  [[maybe_unused]] const bool inserted = objects_.emplace(added.id, std::move(object)).second;
  assert(inserted);
  return hits;
}

void FewestHits::Hit(ObjectId id) {
  const auto it = objects_.find(id);
  assert(it != objects_.end());
  Object& object = *it->second;
  ++object.hits;
  object.age = age_;
  if (IsDue(object.hits)) heap_.Raise(object, RankOf(object));
}

EvictionObject FewestHits::Remove(ObjectId id) {
  const auto it = objects_.find(id);
  assert(it != objects_.end());
  Object& object = *it->second;
  heap_.Erase(object);
  const EvictionObject removed{id, object.fingerprint, object.bytes, object.hits, object.age};
  objects_.erase(it);
  return removed;
}

std::optional<ObjectId> FewestHits::Evict() {
  if (heap_.empty()) return std::nullopt;
  const RankHeap::Node& fewest =
      heap_.Top([this](const RankHeap::Node& node) { return RankOf(static_cast<const Object&>(node)); });
  if (rule_.aged) age_ = std::max(age_, fewest.rank);
  const EvictionObject gone = Remove(fewest.id);
  if (rule_.remembers) remembered_.Put(gone.fingerprint, gone.hits, RememberLimit(objects_.size()));
  return gone.id;
}

uint64_t LfuAdmission::Add(const EvictionObject& added) {
  auto object = std::make_unique<Object>();
  object->id = added.id;
  object->fingerprint = added.fingerprint;
  object->bytes = added.bytes;
  object->hits = HitsToBeginWith(added, &remembered_);
  object->on_probation = true;
  object->turn = probation_.insert(probation_.end(), object.get());
  bytes_ += object->bytes;
  probation_bytes_ += object->bytes;
  const uint64_t hits = object->hits;
  [[maybe_unused]] const bool inserted = objects_.emplace(added.id, std::move(object)).second;
  assert(inserted);
  return hits;
}

void LfuAdmission::LeaveProbation(Object& object) {
  probation_.erase(object.turn);
  probation_bytes_ -= object.bytes;
  object.on_probation = false;
}

void LfuAdmission::Admit(Object& object) {
  LeaveProbation(object);
  object.rank = RankOf(object);
  heap_.Push(object);
}

void LfuAdmission::Hit(ObjectId id) {
  const auto it = objects_.find(id);
  assert(it != objects_.end());
  Object& object = *it->second;
  ++object.hits;
  if (!object.on_probation && IsDue(object.hits)) heap_.Raise(object, RankOf(object));
}

EvictionObject LfuAdmission::Remove(ObjectId id) {
  const auto it = objects_.find(id);
  assert(it != objects_.end());
  Object& object = *it->second;
  if (object.on_probation) {
    LeaveProbation(object);
  } else {
    heap_.Erase(object);
  }
  bytes_ -= object.bytes;
  const EvictionObject removed{id, object.fingerprint, object.bytes, object.hits};
  objects_.erase(it);
  return removed;
}

bool LfuAdmission::ProbationIsFull() const { return probation_bytes_ > bytes_ / 10; }

// Before room was needed for the first time there was nobody whom an admission would have cost its place.
void LfuAdmission::AdmitTheFirst() {
  while (probation_.size() > 1 && ProbationIsFull()) Admit(*probation_.front());
}

LfuAdmission::Object& LfuAdmission::FewestAdmitted() {
  return static_cast<Object&>(heap_.Top([](const RankHeap::Node& node) { return RankOf(node); }));
}

LfuAdmission::Object& LfuAdmission::ChooseVictim() {
  if (heap_.empty()) AdmitTheFirst();
  if (probation_.empty() || (!heap_.empty() && !ProbationIsFull())) return FewestAdmitted();
  Object& candidate = *probation_.front();
  if (heap_.empty()) return candidate;
  Object& fewest = FewestAdmitted();
  if (candidate.hits <= fewest.hits) return candidate;
  Admit(candidate);
  return fewest;
}

std::optional<ObjectId> LfuAdmission::Evict() {
  if (objects_.empty()) return std::nullopt;
  const EvictionObject gone = Remove(ChooseVictim().id);
  remembered_.Put(gone.fingerprint, gone.hits, RememberLimit(objects_.size()));
  return gone.id;
}

}  // namespace perigee::replica
