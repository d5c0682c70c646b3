// How an operator wants clients to be steered: the fleet file's part of it, in the director's own terms.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

#include "absl/status/statusor.h"
#include "perigee/v1/config.pb.h"
#include "services/dns/director/overrides.h"
#include "services/dns/responder/steering_seam.h"
#include "services/dns/steering/choose.h"

namespace perigee::dns {

struct MapAges {
  // Older rows are answered from, and measured again in the background.
  std::chrono::seconds soft{3600};
  // Older rows count as unknown.
  std::chrono::seconds hard{86'400};
};

// An answer that a later query is unlikely to improve on, and one that it is likely to.
inline constexpr auto kMeasuredTtl = std::chrono::seconds(60);
inline constexpr auto kFallbackTtl = std::chrono::seconds(5);

enum class AllDownPolicy : uint8_t { kBestKnown, kServfail };

using ReasonTtls = std::array<std::chrono::seconds, kReasons>;  // by Reason

// `measured` for those of measured-best, hysteresis, band, override and clientele, `fallback` for all others.
ReasonTtls TtlsOf(std::chrono::seconds measured, std::chrono::seconds fallback);

struct SteeringOptions {
  ReasonTtls ttls = TtlsOf(kMeasuredTtl, kFallbackTtl);
  MapAges ages;
  ChoiceRules rules;
  Overrides overrides;
  AllDownPolicy all_down = AllDownPolicy::kBestKnown;
  double exploration_share = 0;     // of the answers to known clients
  size_t addresses_per_answer = 1;  // 1 to kMaxAnswerAddresses

  std::chrono::seconds ttl(Reason reason) const { return ttls[static_cast<size_t>(reason)]; }
  // Whether the decision is answered with SERVFAIL.
  bool Fails(const Decision& decision) const {
    return decision.reason == Reason::kAllDown && all_down == AllDownPolicy::kServfail;
  }
};

// Pure. `fleet` has its defaults filled in; a weight of 0 and 0 addresses are their defaults all the same.
// InvalidArgument names the field when an override or a TTL names what there is not.
absl::StatusOr<SteeringOptions> SteeringOptionsFrom(const v1::FleetConfig& fleet);

}  // namespace perigee::dns
