#include "services/dns/fleet/fleet_state.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "services/dns/steering/selector.h"

namespace perigee::dns {

namespace {

// The same host, as far as its health and its distances go.
bool SameAddresses(const ReplicaInfo& a, const ReplicaInfo& b) {
  return a.ipv4 == b.ipv4 && a.ipv6 == b.ipv6 && a.prober == b.prober && a.control == b.control;
}

}  // namespace

std::string_view Word(OperatorState state) {
  switch (state) {
    case OperatorState::kAuto:
      return "auto";
    case OperatorState::kDrain:
      return "drain";
    case OperatorState::kForceUp:
      return "force-up";
  }
  return "unknown";
}

bool IsOverloaded(uint32_t requests_per_second, uint32_t limit, bool was_overloaded) {
  if (limit == 0) return false;
  if (requests_per_second > limit) return true;
  return was_overloaded && uint64_t{requests_per_second} * 10 >= uint64_t{limit} * 9;
}

FleetState::FleetState(std::vector<ReplicaInfo> replicas, const FleetState* previous)
    : replicas_(std::move(replicas)),
      load_(replicas_.size()),
      control_rtt_us_(replicas_.size()),
      least_control_rtt_us_(replicas_.size()),
      distance_us_(replicas_.size() * replicas_.size()),
      by_place_(replicas_.size()) {
  assert(!replicas_.empty() && replicas_.size() <= kMaxReplicas);
  for (size_t i = 0; i < flags_.size(); ++i) {
    for (auto& up : flags_[i].up) up = ReplicaSet::All(size()).word(i);
  }
  Locate();
  if (previous != nullptr) Inherit(*previous);
}

// What the replicas' places say, and, of a large fleet, whom all measure.
void FleetState::Locate() {
  ReplicaDistances by_place(size());
  for (size_t a = 0; a < size(); ++a) {
    for (size_t b = a + 1; b < size(); ++b) {
      if (!replicas_[a].location || !replicas_[b].location) continue;
      by_place.SetLeast(ToReplicaId(a), ToReplicaId(b),
                        LeastRtt(*replicas_[a].location, *replicas_[b].location));
    }
  }
  landmarks_ = ReplicaSet::All(size());
  if (size() > kWholeFleet) landmarks_ = SpreadOut(landmarks_, kLandmarks, by_place);
  by_place_ = std::move(by_place);
}

template <typename WordOf>
ReplicaSet FleetState::Collect(WordOf word_of) const {
  ReplicaSet set;
  for (size_t i = 0; i * 64 < size(); ++i) set.SetWord(i, word_of(flags_[i]));
  return set;
}

ReplicaSet FleetState::Load(Flag flag) const {
  return Collect([flag](const Flags& flags) { return (flags.*flag).load(std::memory_order_relaxed); });
}

ReplicaSet FleetState::up(Part part) const {
  return Collect([part](const Flags& flags) {
    return flags.up[static_cast<size_t>(part)].load(std::memory_order_relaxed);
  });
}

void FleetState::SetBit(std::atomic<uint64_t>& word, ReplicaId id, bool to) {
  const uint64_t bit = ReplicaSet::BitOf(id);
  to ? word.fetch_or(bit) : word.fetch_and(~bit);
}

std::optional<ReplicaId> FleetState::Find(std::string_view name) const {
  for (size_t i = 0; i < size(); ++i) {
    if (replicas_[i].name == name) return ToReplicaId(i);
  }
  return std::nullopt;
}

ReplicaSet FleetState::healthy() const { return Collect(HealthyOf); }

OperatorState FleetState::operator_state(ReplicaId id) const {
  if (HasBit(FlagsOf(id).drained, id)) return OperatorState::kDrain;
  return HasBit(FlagsOf(id).forced, id) ? OperatorState::kForceUp : OperatorState::kAuto;
}

void FleetState::SetOperatorState(ReplicaId id, OperatorState state) {
  SetFlag(&Flags::drained, id, state == OperatorState::kDrain);
  SetFlag(&Flags::forced, id, state == OperatorState::kForceUp);
}

void FleetState::SetLoad(ReplicaId id, uint32_t requests_per_second) {
  load_[Index(id)].store(requests_per_second, std::memory_order_relaxed);
  SetOverloaded(id, IsOverloaded(requests_per_second, info(id).max_requests_per_second,
                                 HasBit(FlagsOf(id).overloaded, id)));
}

void FleetState::InheritReplica(ReplicaId id, const FleetState& previous, ReplicaId old) {
  for (const Part part : {Part::kProber, Part::kServer})
    SetUp(part, id, HasBit(previous.FlagsOf(old).up[static_cast<size_t>(part)], old));
  SetControlRtt(id, previous.control_rtt(old), previous.least_control_rtt(old));
  SetOverloaded(id, HasBit(previous.FlagsOf(old).overloaded, old));
  SetDistrusted(id, HasBit(previous.FlagsOf(old).distrusted, old));
  SetLoad(id, previous.load(old));
}

void FleetState::Inherit(const FleetState& previous) {
  std::vector<std::optional<ReplicaId>> same(size());
  for (size_t i = 0; i < size(); ++i) {
    const ReplicaId id = ToReplicaId(i);
    const auto old = previous.Find(info(id).name);
    if (!old) continue;
    SetOperatorState(id, previous.operator_state(*old));
    if (!SameAddresses(info(id), previous.info(*old))) continue;
    InheritReplica(id, previous, *old);
    same[i] = old;
    for (size_t other = 0; other < i; ++other) {
      if (!same[other]) continue;
      SetDistance(id, ToReplicaId(other), previous.Distance(Index(*old), Index(*same[other])));
      SetDistance(ToReplicaId(other), id, previous.Distance(Index(*same[other]), Index(*old)));
    }
  }
}

void FleetState::SetControlRtt(ReplicaId id, Rtt most, Rtt least) {
  control_rtt_us_[Index(id)].store(most.count(), std::memory_order_relaxed);
  least_control_rtt_us_[Index(id)].store(least.count(), std::memory_order_relaxed);
}

ReplicaDistances FleetState::Distances(bool longer) const {
  ReplicaDistances distances = by_place_;
  for (size_t a = 0; a < size(); ++a) {
    for (size_t b = a + 1; b < size(); ++b) {
      const auto [least, most] = std::minmax({Distance(a, b), Distance(b, a)});
      if (most == Rtt::zero()) continue;
      distances.Set(ToReplicaId(a), ToReplicaId(b), longer || least == Rtt::zero() ? most : least);
    }
  }
  return distances;
}

Rtt FleetState::AtLeast(ReplicaId a, ReplicaId b) const {
  const auto [least, most] = std::minmax({Distance(Index(a), Index(b)), Distance(Index(b), Index(a))});
  if (most == Rtt::zero()) return by_place_.AtLeast(a, b);
  return least == Rtt::zero() ? most : least;
}

void FleetState::SetDistance(ReplicaId from, ReplicaId to, Rtt rtt) {
  distance_us_[Index(from) * size() + Index(to)].store(static_cast<uint32_t>(rtt.count()),
                                                       std::memory_order_relaxed);
  distances_set_.fetch_add(1, std::memory_order_release);
}

}  // namespace perigee::dns
