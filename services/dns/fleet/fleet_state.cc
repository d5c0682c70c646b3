#include "services/dns/fleet/fleet_state.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace perigee::dns {

FleetState::FleetState(std::vector<ReplicaInfo> replicas)
    : replicas_(std::move(replicas)),
      control_rtt_us_(replicas_.size()),
      distance_us_(replicas_.size() * replicas_.size()) {
  assert(!replicas_.empty() && replicas_.size() <= kMaxReplicas);
  for (auto& up : up_) up = ReplicaSet::All(size()).bits();
}

void FleetState::SetUp(Part part, ReplicaId id, bool up) {
  auto& bits = up_[static_cast<size_t>(part)];
  const uint64_t bit = uint64_t{1} << Index(id);
  up ? bits.fetch_or(bit) : bits.fetch_and(~bit);
}

void FleetState::SetOverloaded(ReplicaId id, bool overloaded) {
  const uint64_t bit = uint64_t{1} << Index(id);
  overloaded ? overloaded_.fetch_or(bit) : overloaded_.fetch_and(~bit);
}

void FleetState::SetControlRtt(ReplicaId id, Rtt rtt) {
  control_rtt_us_[Index(id)].store(rtt.count(), std::memory_order_relaxed);
}

ReplicaDistances FleetState::distances() const {
  ReplicaDistances distances(size());
  for (size_t a = 0; a < size(); ++a) {
    for (size_t b = a + 1; b < size(); ++b) {
      const Rtt rtt(distance_us_[a * size() + b].load(std::memory_order_relaxed));
      distances.Set(ToReplicaId(a), ToReplicaId(b), rtt);
    }
  }
  return distances;
}

void FleetState::SetDistance(ReplicaId a, ReplicaId b, Rtt rtt) {
  const auto [low, high] = std::minmax({Index(a), Index(b)});
  distance_us_[low * size() + high].store(rtt.count(), std::memory_order_relaxed);
}

}  // namespace perigee::dns
