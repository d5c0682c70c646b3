#include "services/replica/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/config/fleet_parts.h"

namespace perigee::replica {
namespace {

// Of the machine's memory, for a cache of which nobody has said how much is to be there: the rest is for
// connections, the index, the kernel's pages of the cache's file, and what else runs there.
constexpr uint64_t kMemoryShare = 4;

absl::StatusOr<std::vector<IpEndpoint>> ListenEndpoints(const Flags& flags, bool ipv6) {
  std::vector<std::string> texts = flags.listen;
  if (texts.empty())
    texts = ipv6 ? std::vector<std::string>{"0.0.0.0", "::"} : std::vector<std::string>{"0.0.0.0"};
  std::vector<IpEndpoint> endpoints;
  for (std::string text : texts) {
    if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
    const auto address = IpAddress::Parse(text);
    if (!address.ok()) {
      return absl::InvalidArgumentError(fmt::format("--listen {}: this is no IP address", text));
    }
    endpoints.push_back({.address = *address, .port = flags.port});
  }
  return endpoints;
}

Eviction EvictionFrom(v1::Eviction eviction) {
  switch (eviction) {
    case v1::EVICTION_LFU:
      return Eviction::kLfu;
    case v1::EVICTION_LFU_AGED:
      return Eviction::kLfuAged;
    case v1::EVICTION_LFU_ADMISSION:
      return Eviction::kLfuAdmission;
    case v1::EVICTION_GDSF:
      return Eviction::kGdsf;
    case v1::EVICTION_S3_FIFO:
      return Eviction::kS3Fifo;
    case v1::EVICTION_LRU:
      return Eviction::kLru;
    default:
      return kDefaultEviction;
  }
}

const std::string& FlagOr(const std::string& flag, const std::string& file) {
  return flag.empty() ? file : flag;
}

// What is served, and what is told of it.
absl::Status AddHttpSettings(const Flags& flags, const v1::FleetConfig& fleet, Settings* settings) {
  const v1::HttpConfig& http = fleet.http();
  if (const std::string& listen = FlagOr(flags.metrics_listen, http.metrics_listen()); !listen.empty()) {
    const auto endpoint = IpEndpoint::Parse(listen);
    if (!endpoint.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("--metrics {}: give an IP address and a port, such as 127.0.0.1:9354", listen));
    }
    settings->metrics = *endpoint;
  }
  settings->access_log = FlagOr(flags.access_log, http.access_log());
  const std::string& word = FlagOr(flags.access_log_format, http.access_log_format());
  const auto format = ParseAccessLogFormat(word.empty() ? "combined" : word);
  if (!format) {
    return absl::InvalidArgumentError(fmt::format("--access-log-format {}: combined or json", word));
  }
  settings->access_log_format = *format;
  std::vector<std::string> names = flags.served_names;
  if (names.empty()) names.assign(http.served_name().begin(), http.served_name().end());
  auto served = ServedNames::Parse(names, fleet.steering().beacon());
  if (!served.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("served names: {}", std::string(served.status().message())));
  }
  settings->server.served_names = *std::move(served);
  return absl::OkStatus();
}

CacheOptions CacheSettings(const Flags& flags, const v1::CacheConfig& config, const Machine& machine) {
  CacheOptions cache;
  cache.path = flags.cache.empty() ? config.path() : flags.cache;
  cache.budget_bytes = flags.cache_bytes != 0 ? flags.cache_bytes : config.budget_bytes();
  cache.memory_budget_bytes = flags.memory_bytes != 0 ? flags.memory_bytes : config.memory_budget_bytes();
  if (cache.memory_budget_bytes == 0)
    cache.memory_budget_bytes = std::min(cache.budget_bytes, machine.memory_bytes / kMemoryShare);
  cache.max_objects = flags.max_objects;
  cache.large_object_bytes = flags.large_object_bytes;
  cache.disk_retry = flags.disk_retry;
  cache.eviction = ParseEviction(flags.eviction).value_or(EvictionFrom(config.eviction()));
  cache.policy.store_set_cookie = flags.store_set_cookie;
  cache.policy.negative_ttl =
      std::chrono::seconds(flags.negative_ttl_seconds.value_or(config.negative_ttl_seconds()));
  return cache;
}

}  // namespace

absl::StatusOr<Settings> MakeSettings(const Flags& flags, const v1::FleetConfig& fleet,
                                      const Machine& machine) {
  Settings settings;
  const std::string origin_text = flags.origin.empty() ? fleet.origin() : flags.origin;
  if (origin_text.empty()) {
    return absl::InvalidArgumentError("no origin: give -o host, or --config with an origin");
  }
  auto origin = OriginAddress::Parse(origin_text);
  if (!origin.ok()) return origin.status();
  settings.origin_ca = FlagOr(flags.origin_ca, fleet.origin_ca());
  if (!settings.origin_ca.empty() && !origin->https) {
    return absl::InvalidArgumentError(
        fmt::format("--origin-ca: the origin {} is not https://", origin->base));
  }
  auto listen = ListenEndpoints(flags, machine.ipv6);
  if (!listen.ok()) return listen.status();
  auto control = IpEndpoint::Parse(flags.control);
  if (!control.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("--control {}: give an IP address and a port, such as 127.0.0.1:4302", flags.control));
  }

  settings.cache = CacheSettings(flags, fleet.cache(), machine);
  settings.server = {.listen = *listen,
                     .origin = *origin,
                     .threads = flags.threads > 0 ? flags.threads : std::max(1, machine.cores),
                     .limits = flags.limits,
                     .policy = settings.cache.policy,
                     .resolver = {.timeout = flags.limits.resolve_timeout, .servers = {}},
                     .share_port = flags.replace != 0};
  settings.server.limits.max_object_bytes =
      flags.max_object_bytes != 0 ? flags.max_object_bytes : settings.cache.budget_bytes;
  settings.control = *control;
  if (absl::Status status = AddHttpSettings(flags, fleet, &settings); !status.ok()) return status;
  settings.security = SecurityFrom(fleet.control(), flags.insecure_control);
  settings.fleet_log_level = fleet.log().level();
  return settings;
}

absl::StatusOr<std::vector<int>> UsePassed(const std::vector<PassedSocket>& passed, const Flags& flags,
                                           Settings* settings) {
  std::vector<IpAddress> asked;
  if (!flags.listen.empty()) {
    for (const IpEndpoint& endpoint : settings->server.listen) asked.push_back(endpoint.address);
  }
  const auto ports = PlanPorts(asked, flags.port, {}, passed);
  if (!ports.ok()) return ports.status();
  std::vector<int> fds;
  settings->server.listen.clear();
  for (const PortPlan& port : *ports) {
    const bool tcp = port.protocol == Protocol::kTcp;
    if (tcp == port.passed_fds.empty()) {
      return absl::InvalidArgumentError(
          tcp ? fmt::format("no socket was passed for {}: pass one, or none at all", port.endpoint.ToString())
              : fmt::format("a UDP socket was passed for {}: HTTP is served over TCP",
                            port.endpoint.ToString()));
    }
    if (!tcp) continue;
    settings->server.listen.push_back(port.endpoint);
    fds.insert(fds.end(), port.passed_fds.begin(), port.passed_fds.end());
  }
  return fds;
}

std::vector<std::string> NeedsRestart(const Settings& running, const Settings& next) {
  std::vector<std::string> changed;
  const auto compare = [&changed](bool same, const char* what) {
    if (!same) changed.emplace_back(what);
  };
  compare(running.server.origin.base == next.server.origin.base, "origin");
  compare(running.origin_ca == next.origin_ca, "origin_ca");
  compare(running.cache.path == next.cache.path && running.cache.budget_bytes == next.cache.budget_bytes &&
              running.cache.memory_budget_bytes == next.cache.memory_budget_bytes &&
              running.cache.eviction == next.cache.eviction &&
              running.cache.policy.negative_ttl == next.cache.policy.negative_ttl,
          "cache");
  compare(running.metrics == next.metrics, "http.metrics_listen");
  compare(running.access_log == next.access_log && running.access_log_format == next.access_log_format,
          "http.access_log");
  compare(running.security == next.security, "control");
  return changed;
}

}  // namespace perigee::replica
