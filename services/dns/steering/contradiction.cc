#include "services/dns/steering/contradiction.h"

#include <algorithm>

namespace perigee::dns {

std::optional<ReplicaId> WhoIsTooNear(std::span<const Sample> samples, const ReplicaDistances& distances) {
  struct Probed {
    size_t replica = 0;
    int contradictions = 0;
  };
  absl::InlinedVector<Probed, kWholeFleet> probed;  // few of a large fleet
  int all = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!samples[i].probed()) continue;
    Probed one{.replica = i};
    for (auto& [j, contradictions] : probed) {
      const Rtt distance = distances.Between(ToReplicaId(i), ToReplicaId(j));
      const auto farthest = kContradictionFactor * (samples[i].rtt + samples[j].rtt) + kContradictionSlack;
      if (distance <= farthest) continue;
      ++one.contradictions;
      ++contradictions;
      ++all;
    }
    probed.push_back(one);
  }
  if (all < 2) return std::nullopt;
  const auto liar = std::find_if(probed.begin(), probed.end(),
                                 [all](const Probed& each) { return each.contradictions == all; });
  return liar == probed.end() ? std::nullopt : std::optional(ToReplicaId(liar->replica));
}

}  // namespace perigee::dns
