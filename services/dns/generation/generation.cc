#include "services/dns/generation/generation.h"

#include <google/protobuf/util/message_differencer.h>

#include <filesystem>
#include <utility>

#include "fmt/format.h"
#include "lib/base/read_file.h"
#include "lib/config/fleet_parts.h"
#include "lib/rpc/control.h"

namespace perigee::dns {
namespace {

// Secrets are two short lines; what is longer is no secret file.
constexpr size_t kMaxSecretFileBytes = 4096;

ReplicaInfo InfoFrom(const v1::ReplicaConfig& config) {
  ReplicaInfo info{.name = config.name(), .http_port = static_cast<uint16_t>(config.http_port())};
  // The fleet file has been validated: what is there parses.
  if (!config.ipv4().empty()) info.ipv4 = *IpAddress::Parse(config.ipv4());
  if (!config.ipv6().empty()) info.ipv6 = *IpAddress::Parse(config.ipv6());
  info.prober = ProberEndpoint(config);
  info.control = ControlEndpoint(config);
  info.weight = config.weight();
  info.max_requests_per_second = config.max_requests_per_second();
  if (config.latitude() != 0 || config.longitude() != 0)
    info.location = {config.latitude(), config.longitude()};
  return info;
}

std::vector<ReplicaInfo> InfosFrom(const v1::FleetConfig& config) {
  std::vector<ReplicaInfo> infos;
  for (const auto& replica : config.replica()) infos.push_back(InfoFrom(replica));
  return infos;
}

Locate LocateBy(std::shared_ptr<const GeoDatabase> database) {
  if (database == nullptr) return nullptr;
  return [database = std::move(database)](const IpAddress& address) { return database->Find(address); };
}

absl::StatusOr<std::shared_ptr<const GeoDatabase>> GeographyFrom(const v1::SteeringConfig& steering,
                                                                 const std::string& folder) {
  if (steering.geography_database().empty()) return nullptr;
  auto database = GeoDatabase::Open(std::filesystem::path(folder) / steering.geography_database());
  if (database.ok()) return *std::move(database);
  return absl::InvalidArgumentError(
      fmt::format("steering.geography_database: {}", std::string(database.status().message())));
}

FlightOptions FlightOptionsFrom(const Configuration& configuration) {
  const v1::SteeringConfig& s = configuration.fleet.steering();
  return {.hold = std::chrono::milliseconds(s.hold_ms()),
          .measure_deadline = std::chrono::milliseconds(s.measure_deadline_ms()),
          .max_flights = s.max_flights(),
          .max_parked_per_flight = s.max_parked_per_flight(),
          .refinement_probes = s.refinement_probes(),
          .max_asked = s.max_asked(),
          .rules = configuration.steering.rules,
          .locate = LocateBy(configuration.geography)};
}

PulseOptions PulseOptionsFrom(const v1::SteeringConfig& s) {
  return {.reports_to_fall = static_cast<int>(s.reports_to_fall()),
          .reports_to_rise = static_cast<int>(s.reports_to_rise())};
}

std::vector<std::shared_ptr<grpc::Channel>> ChannelsTo(const FleetState& fleet, IpEndpoint ReplicaInfo::*port,
                                                       const CallerCredentials& credentials) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (size_t i = 0; i < fleet.size(); ++i) {
    channels.push_back(ControlChannel(fleet.info(ToReplicaId(i)).*port, credentials));
  }
  return channels;
}

std::vector<IpPrefix> PrefixesFrom(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  std::vector<IpPrefix> prefixes;
  for (const std::string& text : texts) prefixes.push_back(*IpPrefix::Parse(text));
  return prefixes;
}

// That the operator speaks of by name, so that a special one among them has clients like any other.
std::vector<IpPrefix> NamedNetworks(const v1::FleetConfig& fleet) {
  std::vector<IpPrefix> networks = PrefixesFrom(fleet.probe_policy().allow_special());
  for (const auto& o : fleet.steering().override()) networks.push_back(*IpPrefix::Parse(o.prefix()));
  return networks;
}

std::shared_ptr<RateLimiter> LimiterFrom(const v1::RateLimitConfig& config, const CookieSecret& secret) {
  if (config.disabled()) return nullptr;
  uint64_t key = 0;
  for (size_t i = 0; i < sizeof(key); ++i) key = key << 8 | secret[i];
  return std::make_shared<RateLimiter>(RateLimitOptions{.responses_per_second = config.responses_per_second(),
                                                        .slip = config.slip(),
                                                        .exempt = PrefixesFrom(config.exempt()),
                                                        .secret = key});
}

absl::StatusOr<std::vector<CookieSecret>> SecretsFrom(const v1::CookieConfig& config,
                                                      const std::string& folder,
                                                      const Surroundings& surroundings) {
  if (config.secret_file().empty()) return surroundings.process_secrets;
  const std::string path = std::filesystem::path(folder) / config.secret_file();
  const auto text = ReadFile(path, kMaxSecretFileBytes);
  if (text.ok()) return ParseCookieSecrets(*text, path);
  const std::string why(text.status().message());
  return absl::Status(text.status().code(), fmt::format("dns.cookies.secret_file: {}", why));
}

}  // namespace

absl::StatusOr<Configuration> Configure(v1::FleetConfig fleet, const ZoneLoadOptions& zone_options,
                                        const Surroundings& surroundings) {
  if (fleet.domain().empty()) {
    return absl::InvalidArgumentError("no domain: give one with -n, or as `domain` in the fleet file");
  }
  if (fleet.replica().empty()) {
    return absl::InvalidArgumentError("the fleet file has no replica: add `replica { name: … ipv4: … }`");
  }
  auto zones = LoadZones(fleet, zone_options);
  if (!zones.ok()) return zones.status();
  auto steering = SteeringOptionsFrom(fleet);
  if (!steering.ok()) return steering.status();
  Configuration configuration{
      .fleet = std::move(fleet), .zones = *std::move(zones), .steering = *std::move(steering)};
  auto geography = GeographyFrom(configuration.fleet.steering(), zone_options.folder);
  if (!geography.ok()) return geography.status();
  configuration.geography = *std::move(geography);
  const v1::CookieConfig& cookies = configuration.fleet.dns().cookies();
  if (!cookies.disabled()) {
    auto secrets = SecretsFrom(cookies, zone_options.folder, surroundings);
    if (!secrets.ok()) return secrets.status();
    configuration.cookies.emplace(*std::move(secrets));
  }
  return configuration;
}

std::vector<std::string> NeedsRestart(const v1::FleetConfig& before, const v1::FleetConfig& after) {
  std::vector<std::string> names;
  const auto compare = [&names](const char* name, bool same) {
    if (!same) names.push_back(name);
  };
  compare("dns.metrics_listen", before.dns().metrics_listen() == after.dns().metrics_listen());
  compare("dns.decision_log", before.dns().decision_log() == after.dns().decision_log());
  compare("dns.measurement_log", before.dns().measurement_log() == after.dns().measurement_log());
  compare("dns.state_file", before.dns().state_file() == after.dns().state_file());
  compare("control", google::protobuf::util::MessageDifferencer::Equals(before.control(), after.control()));
  return names;
}

Generation::Generation(Configuration configuration, const Surroundings& surroundings,
                       std::shared_ptr<RttMap> map, const Generation* previous)
    : configuration_(std::move(configuration)),
      fleet_(InfosFrom(configuration_.fleet), previous == nullptr ? nullptr : &previous->fleet_),
      map_(std::move(map)),
      permit_(PolicyFrom(configuration_.fleet.probe_policy(), surroundings.own_addresses),
              BudgetFrom(configuration_.fleet.probe_policy()), surroundings.counters),
      probers_at_(ChannelsTo(fleet_, &ReplicaInfo::prober, surroundings.credentials)),
      servers_at_(ChannelsTo(fleet_, &ReplicaInfo::control, surroundings.credentials)),
      measurement_(surroundings.loop, FlightOptionsFrom(configuration_), fleet_, *map_, probers_,
                   surroundings.clock, permit_, surroundings.counters, surroundings.measurements),
      probers_(probers_at_),
      survey_(surroundings.loop, fleet_, probers_, surroundings.clock, surroundings.measurements),
      clients_(*map_, fleet_, options()),
      steering_(clients_, fleet_, measurement_, options()),
      authority_(MakeAuthority(surroundings)) {
  heartbeat_.emplace(surroundings.loop, fleet_, probers_at_, servers_at_,
                     PulseOptionsFrom(config().steering()));
  load_watch_.emplace(surroundings.loop, fleet_, servers_at_,
                      LoadWatchOptions{.on_client_rtts =
                                           [this](ReplicaId id, std::vector<PassiveRtt> rtts) {
                                             measurement_.LearnPassive(id, std::move(rtts));
                                           },
                                       .on_beacons =
                                           [this](ReplicaId id, std::vector<SeenBeacon> beacons) {
                                             measurement_.LearnBeacons(id, std::move(beacons));
                                           }});
}

Authority Generation::MakeAuthority(const Surroundings& surroundings) {
  const v1::DnsConfig& dns = config().dns();
  Authority authority{.zones = std::move(configuration_.zones),
                      .steering = &steering_,
                      .identity = {dns.identity().begin(), dns.identity().end()},
                      .cookies = std::move(configuration_.cookies),
                      .limiter = LimiterFrom(dns.rate_limit(), surroundings.process_secrets.front()),
                      .special_networks = SpecialNetworks(NamedNetworks(config())),
                      .tcp_idle_timeout = surroundings.tcp_idle_timeout};
  if (!config().steering().beacon().empty()) authority.beacon = *Name::Parse(config().steering().beacon());
  if (!dns.client_subnet().disabled()) authority.subnet_trust = PrefixesFrom(dns.client_subnet().trust());
  authority.subnet_probe_for = PrefixesFrom(dns.client_subnet().probe_for());
  return authority;
}

void Generation::Stop() {
  heartbeat_->Stop();
  load_watch_->Stop();
  measurement_.Stop();
  survey_.Stop();
  probers_.Stop();
}

}  // namespace perigee::dns
