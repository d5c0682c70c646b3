// Whether a client may be probed now: by the address policy, and within the budgets. Counts what it refuses.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/probe_policy/address_policy.h"
#include "lib/probe_policy/probe_budget.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

// For the director's loop.
class ProbePermit {
 public:
  // `counters` must outlive this; null: nobody counts.
  ProbePermit(AddressPolicy policy, const ProbeBudgetOptions& budget, MeasurementCounters* counters)
      : policy_(std::move(policy)), budget_(budget), counters_(counters == nullptr ? unread_ : *counters) {}

  // Takes one packet from the budgets: one from each replica at the least, and the probers keep budgets of
  // their own. PermissionDenied or ResourceExhausted, without a message, for a flood must cost little.
  absl::Status Ask(const IpAddress& client, MonoTime now);

 private:
  const AddressPolicy policy_;
  ProbeBudget budget_;
  MeasurementCounters unread_;
  MeasurementCounters& counters_;
};

}  // namespace perigee::dns
