#include "services/dns/steering/contradiction.h"

#include <algorithm>

namespace perigee::dns {

std::optional<ReplicaId> WhoIsTooNear(std::span<const Sample> samples, const ReplicaDistances& distances) {
  absl::InlinedVector<int, kWholeFleet> contradictions(samples.size());
  int all = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    for (size_t j = 0; samples[i].probed() && j < i; ++j) {
      if (!samples[j].probed()) continue;
      const Rtt distance = distances.Between(ToReplicaId(i), ToReplicaId(j));
      const auto farthest = kContradictionFactor * (samples[i].rtt + samples[j].rtt) + kContradictionSlack;
      if (distance <= farthest) continue;
      ++contradictions[i];
      ++contradictions[j];
      ++all;
    }
  }
  const auto most = std::max_element(contradictions.begin(), contradictions.end());
  if (all < 2 || *most != all) return std::nullopt;
  return ToReplicaId(static_cast<size_t>(most - contradictions.begin()));
}

}  // namespace perigee::dns
