#include "services/dns/steering/early_decision.h"

#include <algorithm>

namespace perigee::dns {

bool RuledOutByDistance(ReplicaId best, Rtt best_rtt, ReplicaId other, const ReplicaDistances& distances) {
  return distances.Between(best, other) >= kTriangleFactor * best_rtt;
}

std::optional<Rtt> DecidedAt(const FlightProgress& progress, std::span<const Rtt> control_rtt,
                             const ReplicaDistances& distances) {
  Rtt decided{};
  for (size_t i = 0; i < control_rtt.size(); ++i) {
    const ReplicaId id = ToReplicaId(i);
    if (!progress.outstanding.Contains(id)) continue;
    if (RuledOutByDistance(progress.best, progress.best_rtt, id, distances)) continue;
    if (control_rtt[i] == Rtt::zero()) return std::nullopt;
    decided = std::max(decided, control_rtt[i] + progress.best_rtt + progress.overhead + kControlSlack);
  }
  return decided;
}

}  // namespace perigee::dns
