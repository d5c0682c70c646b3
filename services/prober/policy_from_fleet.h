// The probe_policy section of the fleet file as what lib/probe_policy takes.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "lib/probe_policy/address_policy.h"
#include "lib/probe_policy/probe_budget.h"
#include "perigee/v1/config.pb.h"

namespace perigee {

// InvalidArgument when a prefix is none, which LoadFleetFile would have told already.
absl::StatusOr<AddressPolicy> PolicyFrom(const v1::ProbePolicyConfig& config, std::vector<IpAddress> own);
ProbeBudgetOptions BudgetFrom(const v1::ProbePolicyConfig& config);

}  // namespace perigee
