// What a fleet file must be like, section by section. Each rule tells its Located of every breach; the first
// counts.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "lib/base/address.h"
#include "lib/config/located.h"
#include "perigee/v1/config.pb.h"

namespace perigee {

inline constexpr uint32_t kMaxTtlSeconds = 604'800;

// The whole file, defaults filled in.
void CheckFleet(const v1::FleetConfig& fleet, const Located& root);

// Its parts for the DNS front end.
void CheckZones(const v1::FleetConfig& fleet, const Located& root);
void CheckDns(const v1::DnsConfig& dns, const Located& at);
void CheckHttp(const v1::HttpConfig& http, const Located& at);
void CheckProber(const v1::ProberConfig& prober, const Located& at);
// `replicas`: the names that an override may have.
void CheckOverrides(const v1::SteeringConfig& steering, const std::set<std::string>& replicas,
                    const Located& at);
void CheckBeacon(const v1::SteeringConfig& steering, const Located& at);
void CheckReasonTtls(const v1::SteeringConfig& steering, const Located& at);

template <typename Prefixes>
void CheckPrefixes(const char* field, const Prefixes& prefixes, const Located& at) {
  for (int i = 0; i < prefixes.size(); ++i) {
    const auto prefix = IpPrefix::Parse(prefixes[i]);
    if (!prefix.ok()) at.Error(field, std::string(prefix.status().message()), i);
  }
}

}  // namespace perigee
