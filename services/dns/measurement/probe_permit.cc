#include "services/dns/measurement/probe_permit.h"

namespace perigee::dns {
namespace {

ProbeRefusal ReasonOf(AddressRefusal::Kind kind) {
  switch (kind) {
    case AddressRefusal::Kind::kOptOut:
      return ProbeRefusal::kOptOut;
    case AddressRefusal::Kind::kOwn:
      return ProbeRefusal::kOwnAddress;
    case AddressRefusal::Kind::kSpecial:
      break;
  }
  return ProbeRefusal::kSpecialRange;
}

ProbeRefusal ReasonOf(BudgetVerdict verdict) {
  switch (verdict) {
    case BudgetVerdict::kPrefixEmpty:
      return ProbeRefusal::kPrefixBudget;
    case BudgetVerdict::kUnprovenEmpty:
      return ProbeRefusal::kUnprovenBudget;
    case BudgetVerdict::kTaken:
    case BudgetVerdict::kGlobalEmpty:
      break;
  }
  return ProbeRefusal::kGlobalBudget;
}

}  // namespace

bool ProbePermit::IsForbidden(const IpAddress& client) {
  const auto refusal = policy_.Refuse(client);
  if (!refusal) return false;
  counters_.probes_refused[ReasonOf(refusal->kind)].Add();
  if (refusal->kind == AddressRefusal::Kind::kSpecial) counters_.special_ranges[refusal->special].Add();
  return true;
}

absl::Status ProbePermit::Ask(const ClientKey& client, MonoTime now) {
  if (IsForbidden(client.address)) return {absl::StatusCode::kPermissionDenied, ""};
  const bool connected = connected_.contains(client.prefix);
  if (client.hearsay_of && !connected) {
    counters_.probes_refused[ProbeRefusal::kHearsay].Add();
    return {absl::StatusCode::kPermissionDenied, ""};
  }
  const Presence presence = connected ? Presence::kProven : client.presence;
  const BudgetVerdict verdict = budget_.TryTake(client.address, presence, 1, now).verdict;
  if (verdict == BudgetVerdict::kTaken) return absl::OkStatus();
  counters_.probes_refused[ReasonOf(verdict)].Add();
  return {absl::StatusCode::kResourceExhausted, ""};
}

void ProbePermit::OnConnection(const IpPrefix& client) {
  if (!connected_.insert(client).second) return;
  connected_since_.push_back(client);
  if (connected_since_.size() <= kMaxConnectedPrefixes) return;
  connected_.erase(connected_since_.front());
  connected_since_.pop_front();
}

}  // namespace perigee::dns
