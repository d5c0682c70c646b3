#include "services/dns/director/known_clients.h"

#include <algorithm>

namespace perigee::dns {

bool KnownClients::Find(const IpAddress& client, KnownClient* known) const {
  const IpPrefix prefix = ClientPrefix(client);
  MapRow& row = known->row;
  if (!map_.Find(prefix, &row)) return false;
  known->age = std::chrono::duration_cast<std::chrono::seconds>(clock_.Now() - row.measured_at);
  if (known->age > ages_.hard) return false;
  const ReplicaSet healthy = fleet_.healthy();
  known->decision = healthy.Contains(row.decision.replica)
                        ? row.decision
                        : Choose({row.samples.data(), fleet_.size()}, healthy, std::nullopt, prefix);
  const auto soft =
      row.decision.reason == Reason::kHashed ? std::min(ages_.soft, kSilentSoftAge) : ages_.soft;
  known->stale = known->age > soft;
  return true;
}

}  // namespace perigee::dns
