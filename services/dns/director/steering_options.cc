#include "services/dns/director/steering_options.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"

namespace perigee::dns {
namespace {

std::optional<Reason> ReasonOf(std::string_view word) {
  for (const Reason reason : kAllReasons) {
    if (Word(reason) == word) return reason;
  }
  return std::nullopt;
}

std::optional<ReplicaId> ReplicaNamed(const v1::FleetConfig& fleet, std::string_view name) {
  for (int i = 0; i < fleet.replica_size(); ++i) {
    if (fleet.replica(i).name() == name) return ToReplicaId(static_cast<size_t>(i));
  }
  return std::nullopt;
}

absl::Status ReadTtls(const v1::SteeringConfig& steering, ReasonTtls* ttls) {
  *ttls = TtlsOf(std::chrono::seconds(steering.ttl_seconds()),
                 std::chrono::seconds(steering.fallback_ttl_seconds()));
  for (const auto& entry : steering.reason_ttl()) {
    const auto reason = ReasonOf(entry.reason());
    if (!reason) {
      return absl::InvalidArgumentError(
          fmt::format("steering.reason_ttl: there is no reason '{}'", entry.reason()));
    }
    (*ttls)[static_cast<size_t>(*reason)] = std::chrono::seconds(entry.ttl_seconds());
  }
  return absl::OkStatus();
}

absl::StatusOr<Overrides> ReadOverrides(const v1::FleetConfig& fleet) {
  std::vector<Override> overrides;
  for (const auto& entry : fleet.steering().override()) {
    const auto prefix = IpPrefix::Parse(entry.prefix());
    if (!prefix.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("steering.override: {}", std::string(prefix.status().message())));
    }
    const auto replica = ReplicaNamed(fleet, entry.replica());
    if (!replica) {
      return absl::InvalidArgumentError(
          fmt::format("steering.override: {}: there is no replica '{}'", entry.prefix(), entry.replica()));
    }
    overrides.push_back({*prefix, *replica});
  }
  return Overrides(std::move(overrides));
}

ChoiceRules ReadRules(const v1::FleetConfig& fleet) {
  ChoiceRules rules{.band = fleet.steering().latency_band()};
  for (const auto& replica : fleet.replica()) {
    rules.weights.push_back(replica.weight() == 0 ? kDefaultWeight : std::min(replica.weight(), kMaxWeight));
  }
  return rules;
}

}  // namespace

ReasonTtls TtlsOf(std::chrono::seconds measured, std::chrono::seconds fallback) {
  ReasonTtls ttls;
  ttls.fill(fallback);
  for (const Reason reason :
       {Reason::kMeasuredBest, Reason::kHysteresis, Reason::kBand, Reason::kOverride, Reason::kClientele}) {
    ttls[static_cast<size_t>(reason)] = measured;
  }
  return ttls;
}

absl::StatusOr<SteeringOptions> SteeringOptionsFrom(const v1::FleetConfig& fleet) {
  const v1::SteeringConfig& steering = fleet.steering();
  SteeringOptions options;
  if (absl::Status status = ReadTtls(steering, &options.ttls); !status.ok()) return status;
  auto overrides = ReadOverrides(fleet);
  if (!overrides.ok()) return overrides.status();
  options.overrides = *std::move(overrides);
  options.rules = ReadRules(fleet);
  options.ages = {.soft = std::chrono::seconds(steering.soft_age_seconds()),
                  .hard = std::chrono::seconds(steering.hard_age_seconds())};
  if (steering.all_down() == v1::ALL_DOWN_SERVFAIL) options.all_down = AllDownPolicy::kServfail;
  options.exploration_share = steering.exploration_share();
  options.addresses_per_answer = std::clamp<size_t>(steering.addresses_per_answer(), 1, kMaxAnswerAddresses);
  return options;
}

}  // namespace perigee::dns
