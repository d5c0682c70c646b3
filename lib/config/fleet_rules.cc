#include "lib/config/fleet_rules.h"

#include <algorithm>
#include <cmath>

#include "lib/base/address.h"
#include "lib/log/log_levels.h"

namespace perigee {
namespace {

constexpr int kMaxReplicas = 1024;
constexpr size_t kMaxDomainLength = 253;
constexpr uint32_t kMaxReplicaWeight = 10'000;
constexpr uint32_t kMaxNegativeTtlSeconds = 86'400;
constexpr uint32_t kMaxAddressesPerAnswer = 8;
constexpr uint32_t kMaxReports = 100;
constexpr uint32_t kLeastAsked = 4, kMostAsked = 64;
constexpr double kMaxExplorationShare = 0.1;

bool IsNameChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; }

void CheckDomain(const v1::FleetConfig& fleet, const Located& at) {
  std::string_view name = fleet.domain();
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > kMaxDomainLength) return at.Error("domain", "longer than 253 characters");
  size_t label = 0;
  for (const char c : name) {
    if (c == '.' ? label == 0 : !IsNameChar(c)) return at.Error("domain", "not a domain name");
    label = c == '.' ? 0 : label + 1;
    if (label > 63) return at.Error("domain", "a label is longer than 63 characters");
  }
}

void CheckAddress(const char* field, const std::string& text, bool v4, std::set<IpAddress>* seen,
                  const Located& at) {
  if (text.empty()) return;
  const auto address = IpAddress::Parse(text);
  if (!address.ok() || address->is_v4() != v4) {
    return at.Error(field, fmt::format("\"{}\" is not an IPv{} address", text, v4 ? 4 : 6));
  }
  if (!seen->insert(*address).second) at.Error(field, fmt::format("{} is given to two replicas", text));
}

void CheckReplica(const v1::ReplicaConfig& replica, std::set<std::string>* names,
                  std::set<IpAddress>* addresses, const Located& at) {
  const std::string& name = replica.name();
  if (name.empty()) return at.Error("name", "every replica needs one");
  if (!std::all_of(name.begin(), name.end(), IsNameChar) || name.size() > 63) {
    return at.Error("name", fmt::format("\"{}\" is not 1 to 63 letters, digits, '-' or '_'", name));
  }
  if (!names->insert(name).second)
    return at.Error("name", fmt::format("two replicas are called \"{}\"", name));
  if (replica.ipv4().empty() && replica.ipv6().empty()) {
    return at.Error("ipv4", fmt::format("replica \"{}\" has neither an ipv4 nor an ipv6 address", name));
  }
  CheckAddress("ipv4", replica.ipv4(), true, addresses, at);
  CheckAddress("ipv6", replica.ipv6(), false, addresses, at);
  at.RequireAtMost("http_port", replica.http_port(), 65535);
  at.RequireAtMost("prober_port", replica.prober_port(), 65535);
  at.RequireAtMost("control_port", replica.control_port(), 65535);
  at.RequireAtMost("weight", replica.weight(), kMaxReplicaWeight);
  if (!(std::abs(replica.latitude()) <= 90)) at.Error("latitude", "not between -90 and 90");
  if (!(std::abs(replica.longitude()) <= 180)) at.Error("longitude", "not between -180 and 180");
}

void CheckSteering(const v1::SteeringConfig& s, const Located& at) {
  constexpr uint32_t kDayMs = 86'400'000;
  at.RequireAtMost("hold_ms", s.hold_ms(), kDayMs);
  at.RequireAtMost("measure_deadline_ms", s.measure_deadline_ms(), 60'000);
  at.RequireAtMost("ttl_seconds", s.ttl_seconds(), kMaxTtlSeconds);
  at.RequireAtMost("fallback_ttl_seconds", s.fallback_ttl_seconds(), kMaxTtlSeconds);
  at.RequireAtMost("max_prefixes", s.max_prefixes(), 100'000'000);
  at.RequireAtMost("max_flights", s.max_flights(), 1'000'000);
  at.RequireAtMost("max_parked_per_flight", s.max_parked_per_flight(), 1'000'000);
  at.RequireAtMost("refinement_probes", s.refinement_probes(), 10);
  at.RequireAtMost("max_asked", s.max_asked(), kMostAsked);
  if (s.max_asked() < kLeastAsked)
    at.Error("max_asked", fmt::format("{} is less than {}", s.max_asked(), kLeastAsked));
  if (!(s.exploration_share() >= 0 && s.exploration_share() <= kMaxExplorationShare)) {
    at.Error("exploration_share", fmt::format("not between 0 and {}", kMaxExplorationShare));
  }
  at.RequireAtMost("addresses_per_answer", s.addresses_per_answer(), kMaxAddressesPerAnswer);
  at.RequireAtMost("reports_to_fall", s.reports_to_fall(), kMaxReports);
  at.RequireAtMost("reports_to_rise", s.reports_to_rise(), kMaxReports);
  if (s.hard_age_seconds() < s.soft_age_seconds()) {
    at.Error("hard_age_seconds",
             fmt::format("{} is less than soft_age_seconds, {}", s.hard_age_seconds(), s.soft_age_seconds()));
  }
}

void CheckControl(const v1::ControlConfig& c, const Located& at) {
  const int given = !c.ca_file().empty() + !c.certificate_file().empty() + !c.key_file().empty();
  if (given != 0 && given != 3) {
    at.Error("ca_file", "ca_file, certificate_file and key_file come together or not at all");
  }
}

void CheckLog(const v1::LogConfig& log, const Located& at) {
  const absl::Status status = ParseLogLevels(log.level()).status();
  if (!status.ok()) at.Error("level", std::string(status.message()));
}

}  // namespace

void CheckFleet(const v1::FleetConfig& fleet, const Located& root) {
  CheckDomain(fleet, root);
  if (fleet.replica_size() > kMaxReplicas) {
    root.Error("replica", fmt::format("more than {} replicas", kMaxReplicas), kMaxReplicas);
  }
  std::set<std::string> names;
  std::set<IpAddress> addresses;
  for (int i = 0; i < fleet.replica_size(); ++i) {
    CheckReplica(fleet.replica(i), &names, &addresses, root.Child("replica", fleet.replica(i), i));
  }
  const Located steering = root.Child("steering", fleet.steering());
  CheckSteering(fleet.steering(), steering);
  CheckOverrides(fleet.steering(), names, steering);
  CheckBeacon(fleet.steering(), steering);
  CheckReasonTtls(fleet.steering(), steering);
  CheckZones(fleet, root);
  CheckDns(fleet.dns(), root.Child("dns", fleet.dns()));
  CheckHttp(fleet.http(), root.Child("http", fleet.http()));
  CheckProber(fleet.prober(), root.Child("prober", fleet.prober()));
  root.Child("cache", fleet.cache())
      .RequireAtMost("negative_ttl_seconds", fleet.cache().negative_ttl_seconds(), kMaxNegativeTtlSeconds);
  const Located policy = root.Child("probe_policy", fleet.probe_policy());
  CheckPrefixes("allow_special", fleet.probe_policy().allow_special(), policy);
  CheckPrefixes("opt_out", fleet.probe_policy().opt_out(), policy);
  CheckControl(fleet.control(), root.Child("control", fleet.control()));
  CheckLog(fleet.log(), root.Child("log", fleet.log()));
}

}  // namespace perigee
