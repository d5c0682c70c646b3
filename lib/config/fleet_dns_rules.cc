#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "lib/base/beacon_token.h"
#include "lib/config/fleet_rules.h"
#include "lib/dns_wire/name.h"

namespace perigee {
namespace {

constexpr size_t kMaxTextLength = 255;  // of one character-string, RFC 1035 §3.3
constexpr uint32_t kMaxResponsesPerSecond = 10'000'000;
constexpr uint32_t kMaxSlip = 100;

// The words of director.proto's Reason, as they are printed.
constexpr std::array<std::string_view, 13> kReasons = {
    "measured-best", "hold-expired", "neighbour",   "hashed",    "all-down",    "hysteresis", "band",
    "shed",          "override",     "exploration", "geography", "least-floor", "clientele"};

void CheckName(const char* field, const std::string& text, const Located& at, int index = -1) {
  if (const auto name = dns::Name::Parse(text); !name.ok()) {
    at.Error(field, std::string(name.status().message()), index);
  }
}

void CheckZone(const v1::ZoneConfig& zone, std::vector<dns::Name>* seen, const Located& at) {
  const auto name = dns::Name::Parse(zone.name());
  if (zone.name().empty()) return at.Error("name", "every zone needs one");
  if (!name.ok()) return at.Error("name", std::string(name.status().message()));
  if (std::find(seen->begin(), seen->end(), *name) != seen->end()) {
    return at.Error("name", fmt::format("two zones are called \"{}\"", zone.name()));
  }
  seen->push_back(*name);
  for (int i = 0; i < zone.steered_size(); ++i) {
    if (zone.steered(i) != "@") CheckName("steered", zone.steered(i), at, i);
  }
}

void CheckText(const char* field, const std::string& text, const Located& at) {
  if (text.size() > kMaxTextLength) at.Error(field, fmt::format("longer than {} octets", kMaxTextLength));
}

void CheckListen(const char* field, const std::string& text, const Located& at) {
  if (text.empty()) return;
  if (const auto listen = IpEndpoint::Parse(text); !listen.ok()) {
    at.Error(field, std::string(listen.status().message()));
  }
}

void CheckRateLimit(const v1::RateLimitConfig& limit, const Located& at) {
  at.RequireAtMost("responses_per_second", limit.responses_per_second(), kMaxResponsesPerSecond);
  at.RequireAtMost("slip", limit.slip(), kMaxSlip);
  CheckPrefixes("exempt", limit.exempt(), at);
}

}  // namespace

void CheckZones(const v1::FleetConfig& fleet, const Located& root) {
  std::vector<dns::Name> seen;
  for (int i = 0; i < fleet.zone_size(); ++i) {
    CheckZone(fleet.zone(i), &seen, root.Child("zone", fleet.zone(i), i));
  }
}

void CheckDns(const v1::DnsConfig& dns, const Located& at) {
  CheckText("version", dns.version(), at);
  CheckText("identity", dns.identity(), at);
  CheckRateLimit(dns.rate_limit(), at.Child("rate_limit", dns.rate_limit()));
  CheckPrefixes("trust", dns.client_subnet().trust(), at.Child("client_subnet", dns.client_subnet()));
  CheckPrefixes("probe_for", dns.client_subnet().probe_for(), at.Child("client_subnet", dns.client_subnet()));
  CheckListen("metrics_listen", dns.metrics_listen(), at);
}

void CheckHttp(const v1::HttpConfig& http, const Located& at) {
  CheckListen("metrics_listen", http.metrics_listen(), at);
  const std::string& format = http.access_log_format();
  if (!format.empty() && format != "combined" && format != "json") {
    at.Error("access_log_format", fmt::format("\"{}\" is none of combined, json", format));
  }
}

void CheckProber(const v1::ProberConfig& prober, const Located& at) {
  CheckListen("metrics_listen", prober.metrics_listen(), at);
}

void CheckOverrides(const v1::SteeringConfig& steering, const std::set<std::string>& replicas,
                    const Located& steering_at) {
  std::set<IpPrefix> seen;
  for (int i = 0; i < steering.override_size(); ++i) {
    const auto& entry = steering.override(i);
    const Located at = steering_at.Child("override", entry, i);
    const auto prefix = IpPrefix::Parse(entry.prefix());
    if (entry.prefix().empty()) {
      at.Error("prefix", "every override needs one");
    } else if (!prefix.ok()) {
      at.Error("prefix", std::string(prefix.status().message()));
    } else if (!seen.insert(*prefix).second) {
      at.Error("prefix", fmt::format("{} has two overrides", prefix->ToString()));
    }
    if (!replicas.contains(entry.replica())) {
      at.Error("replica", fmt::format("no replica is called \"{}\"", entry.replica()));
    }
  }
}

void CheckBeacon(const v1::SteeringConfig& steering, const Located& at) {
  if (steering.beacon().empty()) return;
  const std::string longest(BeaconToken::kMaxSize, 't');
  const auto name = dns::Name::Parse(longest + "." + steering.beacon());
  if (!name.ok()) at.Error("beacon", std::string(name.status().message()));
}

void CheckReasonTtls(const v1::SteeringConfig& steering, const Located& steering_at) {
  std::set<std::string> seen;
  for (int i = 0; i < steering.reason_ttl_size(); ++i) {
    const auto& entry = steering.reason_ttl(i);
    const Located at = steering_at.Child("reason_ttl", entry, i);
    if (std::find(kReasons.begin(), kReasons.end(), entry.reason()) == kReasons.end()) {
      at.Error("reason", fmt::format("\"{}\" is none of {}", entry.reason(), fmt::join(kReasons, ", ")));
    } else if (!seen.insert(entry.reason()).second) {
      at.Error("reason", fmt::format("{} has two TTLs", entry.reason()));
    }
    if (!at.IsWritten("ttl_seconds")) at.Error("ttl_seconds", "required; 0 means not to be cached");
    at.RequireAtMost("ttl_seconds", entry.ttl_seconds(), kMaxTtlSeconds);
  }
}

}  // namespace perigee
