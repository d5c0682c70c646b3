#include "services/dns/steering/early_decision.h"

#include <algorithm>

namespace perigee::dns {

bool RuledOutByDistance(ReplicaId best, Rtt best_rtt, ReplicaId other, const ReplicaDistances& distances) {
  return distances.AtLeast(best, other) >= kTriangleFactor * best_rtt;
}

std::optional<Rtt> DecidedAt(const FlightProgress& progress, std::span<const Rtt> control_rtt,
                             const ReplicaDistances& distances) {
  Rtt decided{};
  for (const ReplicaId id : progress.outstanding) {
    if (RuledOutByDistance(progress.best, progress.best_rtt, id, distances)) continue;
    if (control_rtt[Index(id)] == Rtt::zero()) return std::nullopt;
    decided =
        std::max(decided, control_rtt[Index(id)] + progress.best_rtt + progress.overhead + kControlSlack);
  }
  return decided;
}

}  // namespace perigee::dns
