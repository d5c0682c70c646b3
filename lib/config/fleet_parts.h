// Sections of the fleet file as what the libraries take. Each takes a validated file (fleet.h): what is there
// parses.
#pragma once

#include <vector>

#include "lib/base/address.h"
#include "lib/probe_policy/address_policy.h"
#include "lib/probe_policy/probe_budget.h"
#include "lib/rpc/control.h"
#include "perigee/v1/config.pb.h"

namespace perigee {

// `insecure` is the flag --insecure-control.
ControlSecurity SecurityFrom(const v1::ControlConfig& config, bool insecure);

// `own`: the addresses of this host, if it is one that probes.
AddressPolicy PolicyFrom(const v1::ProbePolicyConfig& config, std::vector<IpAddress> own);
ProbeBudgetOptions BudgetFrom(const v1::ProbePolicyConfig& config);

// Where a replica's prober and its httpserver are controlled: at its IPv4 address, or else at its IPv6 one.
IpEndpoint ProberEndpoint(const v1::ReplicaConfig& replica);
IpEndpoint ControlEndpoint(const v1::ReplicaConfig& replica);

}  // namespace perigee
