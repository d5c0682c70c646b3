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

}  // namespace

absl::Status ProbePermit::Ask(const IpAddress& client, MonoTime now) {
  if (const auto refusal = policy_.Refuse(client)) {
    counters_.probes_refused[ReasonOf(refusal->kind)].Add();
    if (refusal->kind == AddressRefusal::Kind::kSpecial) counters_.special_ranges[refusal->special].Add();
    return {absl::StatusCode::kPermissionDenied, ""};
  }
  const BudgetVerdict verdict = budget_.TryTake(client, 1, now).verdict;
  if (verdict == BudgetVerdict::kTaken) return absl::OkStatus();
  const bool prefix = verdict == BudgetVerdict::kPrefixEmpty;
  counters_.probes_refused[prefix ? ProbeRefusal::kPrefixBudget : ProbeRefusal::kGlobalBudget].Add();
  return {absl::StatusCode::kResourceExhausted, ""};
}

}  // namespace perigee::dns
