// All that a Responder needs, for tests: the authority for cdn.example.org, counters and a clock.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "services/dns/responder/responder.h"
#include "services/dns/zone/synthetic.h"

namespace perigee::dns::testing {

// cdn.example.org with name server ns1 at 198.18.0.53 and fd00::53; no cookies, no limit, no client subnet.
inline Authority TestAuthority(Steering* steering) {
  std::vector<Zone> zones;
  zones.push_back(MakeSyntheticZone({.domain = "cdn.example.org",
                                     .name_server = "",
                                     .server_addresses = {IpAddress::Parse("198.18.0.53").value(),
                                                          IpAddress::Parse("fd00::53").value()},
                                     .start_time = {}})
                      .value());
  return {.zones = MakeZoneSet(std::move(zones), {.version = "perigee", .hostname = ""}).value(),
          .steering = steering};
}

// The same with identity, cookies, and everybody's client subnet believed; no limit.
inline Authority TalkativeAuthority(Steering* steering) {
  Authority authority = TestAuthority(steering);
  authority.identity = {'n', '1'};
  authority.cookies.emplace(std::vector<CookieSecret>{CookieSecret{1, 2, 3}});
  authority.subnet_trust = {IpPrefix()};
  return authority;
}

class Desk {
 public:
  explicit Desk(Steering* steering) : Desk(TestAuthority(steering)) {}
  explicit Desk(Authority first, std::unique_ptr<DecisionLog> log = nullptr)
      : decisions(std::move(log)),
        authority(std::make_shared<const Authority>(std::move(first))),
        parked(std::make_shared<SharedRecorder>(telemetry())) {}

  Telemetry telemetry() { return {counters, decisions.get(), clock}; }
  std::unique_ptr<Responder> NewResponder() {
    return std::make_unique<Responder>(authority, telemetry(), parked);
  }
  ResponderFactory factory() {
    return [this] { return NewResponder(); };
  }

  FakeClock clock;
  QueryCounterRegistry counters;
  std::unique_ptr<DecisionLog> decisions;
  Published<Authority> authority;
  std::shared_ptr<SharedRecorder> parked;
};

}  // namespace perigee::dns::testing
