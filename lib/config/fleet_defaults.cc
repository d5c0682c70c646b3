#include "lib/config/fleet_defaults.h"

#include <algorithm>
#include <cstdint>

namespace perigee {
namespace {

constexpr uint32_t kDefaultHttpPort = 80;
constexpr uint32_t kDefaultProberPort = 4301;
constexpr uint32_t kDefaultControlPort = 4302;

void FillDefault(uint32_t value, uint32_t standard, auto set) {
  if (value == 0) set(standard);
}

void FillDns(v1::DnsConfig* dns) {
  auto& limit = *dns->mutable_rate_limit();
  FillDefault(limit.responses_per_second(), 200, [&](uint32_t v) { limit.set_responses_per_second(v); });
  FillDefault(limit.slip(), 2, [&](uint32_t v) { limit.set_slip(v); });
  if (limit.exempt().empty()) {
    limit.add_exempt("127.0.0.0/8");
    limit.add_exempt("::1/128");
  }
  auto& subnet = *dns->mutable_client_subnet();
  if (subnet.trust().empty()) {
    subnet.add_trust("0.0.0.0/0");
    subnet.add_trust("::/0");
  }
}

}  // namespace

void FillDefaults(v1::FleetConfig* fleet) {
  for (auto& r : *fleet->mutable_replica()) {
    FillDefault(r.http_port(), kDefaultHttpPort, [&](uint32_t v) { r.set_http_port(v); });
    FillDefault(r.prober_port(), kDefaultProberPort, [&](uint32_t v) { r.set_prober_port(v); });
    FillDefault(r.control_port(), kDefaultControlPort, [&](uint32_t v) { r.set_control_port(v); });
    FillDefault(r.weight(), 100, [&](uint32_t v) { r.set_weight(v); });
  }
  auto& s = *fleet->mutable_steering();
  FillDefault(s.hold_ms(), 500, [&](uint32_t v) { s.set_hold_ms(v); });
  FillDefault(s.measure_deadline_ms(), 3000, [&](uint32_t v) { s.set_measure_deadline_ms(v); });
  FillDefault(s.ttl_seconds(), 60, [&](uint32_t v) { s.set_ttl_seconds(v); });
  FillDefault(s.fallback_ttl_seconds(), 5, [&](uint32_t v) { s.set_fallback_ttl_seconds(v); });
  FillDefault(s.soft_age_seconds(), 3600, [&](uint32_t v) { s.set_soft_age_seconds(v); });
  FillDefault(s.hard_age_seconds(), 86'400, [&](uint32_t v) { s.set_hard_age_seconds(v); });
  FillDefault(s.max_prefixes(), 1'000'000, [&](uint32_t v) { s.set_max_prefixes(v); });
  FillDefault(s.max_flights(), 1024, [&](uint32_t v) { s.set_max_flights(v); });
  FillDefault(s.max_parked_per_flight(), 64, [&](uint32_t v) { s.set_max_parked_per_flight(v); });
  FillDefault(s.refinement_probes(), 5, [&](uint32_t v) { s.set_refinement_probes(v); });
  FillDefault(s.max_asked(), 32, [&](uint32_t v) { s.set_max_asked(v); });
  FillDefault(s.addresses_per_answer(), 1, [&](uint32_t v) { s.set_addresses_per_answer(v); });
  FillDefault(s.reports_to_fall(), 3, [&](uint32_t v) { s.set_reports_to_fall(v); });
  FillDefault(s.reports_to_rise(), 2, [&](uint32_t v) { s.set_reports_to_rise(v); });
  auto& p = *fleet->mutable_probe_policy();
  FillDefault(p.max_probes_per_second(), 1000, [&](uint32_t v) { p.set_max_probes_per_second(v); });
  FillDefault(p.max_unproven_probes_per_second(), std::max(p.max_probes_per_second() / 2, 1u),
              [&](uint32_t v) { p.set_max_unproven_probes_per_second(v); });
  FillDefault(p.max_probes_per_prefix_per_second(), 20,
              [&](uint32_t v) { p.set_max_probes_per_prefix_per_second(v); });
  FillDns(fleet->mutable_dns());
  auto& c = *fleet->mutable_cache();
  if (c.budget_bytes() == 0) c.set_budget_bytes(10'000'000);
  if (c.path().empty()) c.set_path("perigee-cache.sqlite");
  if (fleet->log().level().empty()) fleet->mutable_log()->set_level("info");
}

}  // namespace perigee
