// Whether a client may be probed now: by the address policy, when there is more than hearsay of it, and
// within the budgets. Counts what it refuses.
#pragma once

#include <deque>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/probe_policy/address_policy.h"
#include "lib/probe_policy/probe_budget.h"
#include "services/dns/measurement/permit.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

// Prefixes from which connections came that are remembered; beyond it the one that came first goes.
inline constexpr size_t kMaxConnectedPrefixes = 65'536;

// For the director's loop.
class ProbePermit final : public Permit {
 public:
  // `counters` must outlive this; null: nobody counts.
  ProbePermit(AddressPolicy policy, const ProbeBudgetOptions& budget, MeasurementCounters* counters)
      : policy_(std::move(policy)), budget_(budget), counters_(counters == nullptr ? unread_ : *counters) {}

  // Takes one packet from the budgets: one from each replica at the least, and the probers keep budgets of
  // their own. PermissionDenied or ResourceExhausted, without a message, for a flood must cost little.
  absl::Status Ask(const ClientKey& client, MonoTime now) override;
  void OnConnection(const IpPrefix& client) override;

 private:
  bool IsForbidden(const IpAddress& client);

  const AddressPolicy policy_;
  ProbeBudget budget_;
  // A TCP handshake was completed from there, so that somebody is.
  absl::flat_hash_set<IpPrefix> connected_;
  std::deque<IpPrefix> connected_since_;  // the same, in the order of coming
  MeasurementCounters unread_;
  MeasurementCounters& counters_;
};

}  // namespace perigee::dns
