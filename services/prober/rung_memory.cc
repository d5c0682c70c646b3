#include "services/prober/rung_memory.h"

#include <algorithm>
#include <iterator>

#include "services/prober/tcp_rung.h"

namespace perigee {

void RungMemory::Learn(const IpAddress& client, const Measurement& measurement) {
  const IpPrefix prefix = ClientPrefix(client);
  if (const auto found = rungs_.find(prefix); found != rungs_.end()) {
    idle_.erase(found->second);
    rungs_.erase(found);
  }
  if (measurement.method == ProbeMethod::kSilent) return;
  if (rungs_.size() >= max_prefixes_) {
    rungs_.erase(idle_.front().first);
    idle_.pop_front();
  }
  idle_.emplace_back(prefix, Rung{measurement.method, measurement.hop ? measurement.hop->ttl : uint8_t{0}});
  rungs_[prefix] = std::prev(idle_.end());
}

LadderPlan RungMemory::PlanFor(const IpAddress& client, const LadderPlan& usual) const {
  LadderPlan plan = usual;
  const auto found = rungs_.find(ClientPrefix(client));
  if (found == rungs_.end()) return plan;
  const Rung& rung = found->second->second;
  if (rung.method != ProbeMethod::kIcmpEcho) plan.tcp_stagger = std::min(plan.tcp_stagger, kHeadStart);
  if (rung.method == ProbeMethod::kIcmpEcho || rung.method == ProbeMethod::kTcpSyn) {
    plan.hop_stagger = kTcpPatience;
  } else {
    plan.hop_stagger = std::min(plan.hop_stagger, kHeadStart);
    plan.last_hop = rung.hop;
  }
  return plan;
}

}  // namespace perigee
