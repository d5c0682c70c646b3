#include "lib/config/fleet_parts.h"

#include <cstdint>
#include <string>
#include <utility>

namespace perigee {
namespace {

std::vector<IpPrefix> Prefixes(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  std::vector<IpPrefix> prefixes;
  for (const std::string& text : texts) prefixes.push_back(IpPrefix::Parse(text).value());
  return prefixes;
}

IpEndpoint EndpointOf(const v1::ReplicaConfig& replica, uint32_t port) {
  const std::string& host = replica.ipv4().empty() ? replica.ipv6() : replica.ipv4();
  return {IpAddress::Parse(host).value(), static_cast<uint16_t>(port)};
}

}  // namespace

ControlSecurity SecurityFrom(const v1::ControlConfig& config, bool insecure) {
  return {.ca_file = config.ca_file(),
          .certificate_file = config.certificate_file(),
          .key_file = config.key_file(),
          .insecure = insecure};
}

AddressPolicy PolicyFrom(const v1::ProbePolicyConfig& config, std::vector<IpAddress> own) {
  return AddressPolicy({.allow_special = Prefixes(config.allow_special()),
                        .opt_out = Prefixes(config.opt_out()),
                        .own = std::move(own)});
}

ProbeBudgetOptions BudgetFrom(const v1::ProbePolicyConfig& config) {
  return {.packets_per_second = config.max_probes_per_second(),
          .unproven_packets_per_second = config.max_unproven_probes_per_second(),
          .packets_per_prefix_per_second = config.max_probes_per_prefix_per_second()};
}

IpEndpoint ProberEndpoint(const v1::ReplicaConfig& replica) {
  return EndpointOf(replica, replica.prober_port());
}

IpEndpoint ControlEndpoint(const v1::ReplicaConfig& replica) {
  return EndpointOf(replica, replica.control_port());
}

}  // namespace perigee
