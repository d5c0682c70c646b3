#include "services/replica/cache/eviction_by_hits.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace perigee::replica {
namespace {

// What a refetched object begins with: its hits before, and the request that brings it back.
uint64_t HitsToBeginWith(const EvictionObject& object, RememberedHits* remembered) {
  const auto before = remembered->Take(object.fingerprint);
  return before ? std::max(object.hits, *before + 1) : object.hits;
}

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
  heap_.SetRank(object, RankOf(object));
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
  if (rule_.aged) age_ = std::max(age_, heap_.Top().rank);
  const EvictionObject gone = Remove(heap_.Top().id);
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
  object.rank = static_cast<double>(object.hits);
  heap_.Push(object);
}

void LfuAdmission::Hit(ObjectId id) {
  const auto it = objects_.find(id);
  assert(it != objects_.end());
  Object& object = *it->second;
  ++object.hits;
  if (!object.on_probation) heap_.SetRank(object, static_cast<double>(object.hits));
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

LfuAdmission::Object& LfuAdmission::ChooseVictim() {
  if (heap_.empty()) AdmitTheFirst();
  if (probation_.empty() || (!heap_.empty() && !ProbationIsFull())) return static_cast<Object&>(heap_.Top());
  Object& candidate = *probation_.front();
  if (heap_.empty()) return candidate;
  auto& fewest = static_cast<Object&>(heap_.Top());
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
