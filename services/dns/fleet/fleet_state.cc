#include "services/dns/fleet/fleet_state.h"

#include <algorithm>
#include <cassert>
#include <utility>

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
      distance_us_(replicas_.size() * replicas_.size()) {
  assert(!replicas_.empty() && replicas_.size() <= kMaxReplicas);
  for (auto& up : up_) up = ReplicaSet::All(size()).bits();
  if (previous != nullptr) Inherit(*previous);
}

void FleetState::SetBit(Bits& bits, ReplicaId id, bool to) {
  const uint64_t bit = uint64_t{1} << Index(id);
  to ? bits.fetch_or(bit) : bits.fetch_and(~bit);
}

std::optional<ReplicaId> FleetState::Find(std::string_view name) const {
  for (size_t i = 0; i < size(); ++i) {
    if (replicas_[i].name == name) return ToReplicaId(i);
  }
  return std::nullopt;
}

ReplicaSet FleetState::healthy() const {
  const uint64_t in = up(Part::kServer).bits() | Load(forced_).bits();
  return ReplicaSet::FromBits(in & ~Load(drained_).bits());
}

OperatorState FleetState::operator_state(ReplicaId id) const {
  if (Load(drained_).Contains(id)) return OperatorState::kDrain;
  return Load(forced_).Contains(id) ? OperatorState::kForceUp : OperatorState::kAuto;
}

void FleetState::SetOperatorState(ReplicaId id, OperatorState state) {
  SetBit(drained_, id, state == OperatorState::kDrain);
  SetBit(forced_, id, state == OperatorState::kForceUp);
}

void FleetState::SetLoad(ReplicaId id, uint32_t requests_per_second) {
  load_[Index(id)].store(requests_per_second, std::memory_order_relaxed);
  SetOverloaded(
      id, IsOverloaded(requests_per_second, info(id).max_requests_per_second, overloaded().Contains(id)));
}

void FleetState::InheritReplica(ReplicaId id, const FleetState& previous, ReplicaId old) {
  for (const Part part : {Part::kProber, Part::kServer}) SetUp(part, id, previous.up(part).Contains(old));
  SetControlRtt(id, previous.control_rtt(old), previous.least_control_rtt(old));
  SetOverloaded(id, previous.overloaded().Contains(old));
  SetDistrusted(id, previous.distrusted().Contains(old));
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
  ReplicaDistances distances(size());
  for (size_t a = 0; a < size(); ++a) {
    for (size_t b = a + 1; b < size(); ++b) {
      const auto [least, most] = std::minmax({Distance(a, b), Distance(b, a)});
      distances.Set(ToReplicaId(a), ToReplicaId(b), longer || least == Rtt::zero() ? most : least);
    }
  }
  return distances;
}

void FleetState::SetDistance(ReplicaId from, ReplicaId to, Rtt rtt) {
  distance_us_[Index(from) * size() + Index(to)].store(rtt.count(), std::memory_order_relaxed);
}

}  // namespace perigee::dns
