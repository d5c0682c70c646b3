#include "services/replica/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/config/fleet_parts.h"
#include "lib/program/program.h"
#include "lib/service/privileges.h"

namespace perigee::replica {
namespace {

constexpr char kDescription[] =
    R"(A caching reverse proxy, one for each replica host of Perigee.

It answers GET and HEAD from its cache (memory and SQLite, RFC 9111) or from the origin; other methods pass
through. Every answer says in Cache-Status where it came from. The origin sees its own name in Host, whatever
name the client used, and the client's address in X-Forwarded-For. SIGTERM finishes the requests under way and
stops; the cache survives a restart. SIGHUP opens the access log anew and takes the served names from the fleet
file again. systemd may pass the HTTP ports (LISTEN_FDS).)";

constexpr char kExamples[] =
    R"(Examples:
  httpserver -p 8080 -o origin.example.org
  httpserver -p 8080 -o origin.example.org --replace PID     restarts, refusing nobody
  curl -i http://localhost:8080/        fwd=uri-miss; stored
  curl -i http://localhost:8080/        hit)";

void AddDuration(CLI::App* app, const std::string& name, std::chrono::milliseconds* value,
                 const std::string& help) {
  app->add_option_function<uint64_t>(
         name + "-ms", [value](uint64_t ms) { *value = std::chrono::milliseconds(ms); },
         fmt::format("{}, in milliseconds [{}]", help, value->count()))
      ->check(CLI::Range(uint64_t{1}, uint64_t{86'400'000}))
      ->group("Limits");
}

template <typename T>
void AddSize(CLI::App* app, const std::string& name, T* value, uint64_t least, uint64_t most,
             const std::string& help) {
  app->add_option(name, *value, fmt::format("{} [{}]", help, *value))
      ->check(CLI::Range(least, most))
      ->group("Limits");
}

void AddLimitFlags(CLI::App* app, Flags* flags) {
  constexpr uint64_t kMany = 10'000'000;
  Limits& limits = flags->limits;
  AddSize(app, "--max-connections", &limits.max_connections, 1, kMany, "Client connections; beyond: 503");
  AddSize(app, "--max-connections-per-address", &limits.max_connections_per_address, 1, kMany,
          "Connections of an IPv4 address or IPv6 /64, but for loopback; beyond: 503");
  AddSize(app, "--max-header-bytes", &limits.max_header_bytes, 256, kMany, "A request's head; beyond: 431");
  AddSize(app, "--max-header-fields", &limits.max_header_fields, 4, kMany, "A request's fields; beyond: 431");
  AddSize(app, "--max-target-bytes", &limits.max_target_bytes, 16, kMany, "A request's target; beyond: 414");
  AddSize(app, "--max-request-body-bytes", &limits.max_request_body_bytes, 0, UINT64_MAX / 2,
          "A request's body; beyond: 413");
  AddSize(app, "--max-response-header-bytes", &limits.max_response_header_bytes, 256, kMany,
          "The head of the origin's response; beyond: 502");
  AddSize(app, "--max-origin-connections", &limits.max_origin_connections, 1, kMany,
          "Connections to the origin");
  AddSize(app, "--max-idle-origin-connections", &limits.max_idle_origin_connections, 0, kMany,
          "Those of them kept while idle");
  app->add_option("--max-object-bytes", flags->max_object_bytes,
                  "Larger responses are neither stored nor shared [the cache's size]")
      ->group("Limits");
  AddSize(app, "--large-object-bytes", &flags->large_object_bytes, 1, UINT64_MAX / 2,
          "Larger bodies are streamed to SQLite and from there, and not kept in memory");
  AddSize(app, "--max-flight-bytes", &limits.max_flight_bytes, 1, UINT64_MAX / 2,
          "Memory for bodies that are being fetched and shared, or wait for slow clients");
  AddDuration(app, "--header-timeout", &limits.header_timeout, "For a request's head; then 408");
  AddDuration(app, "--keep-alive-timeout", &limits.keep_alive_timeout, "Idle time of a client connection");
  AddDuration(app, "--body-timeout", &limits.body_timeout, "Silence inside a request's body; then 408");
  AddDuration(app, "--write-timeout", &limits.write_timeout,
              "A client that takes nothing is cut off after this");
  AddSize(app, "--min-rate", &limits.min_rate, 0, kMany,
          "Bytes per second that a request's body, and an answer, keep up on average; 0 for none");
  AddDuration(app, "--drain-idle-timeout", &limits.drain_idle_timeout,
              "Idle time of a client connection once the server stops");
  AddDuration(app, "--resolve-timeout", &limits.resolve_timeout, "For the look-up of the origin's name");
  AddDuration(app, "--connect-timeout", &limits.connect_timeout, "For each address of the origin");
  AddDuration(app, "--first-byte-timeout", &limits.first_byte_timeout,
              "For the origin's answer to begin; then 504");
  AddDuration(app, "--idle-timeout", &limits.idle_timeout, "Silence inside the origin's answer");
  AddDuration(app, "--fetch-timeout", &limits.fetch_timeout, "For a whole exchange with the origin");
  AddDuration(app, "--origin-keep-alive", &limits.origin_keep_alive, "Idle time of an origin connection");
  AddSize(
      app, "--max-origin-failures", &limits.max_origin_failures, 0, kMany,
      "Failures in a row after which the origin is not asked for a while (503 or stale); 0: it always is");
  AddDuration(app, "--origin-hold-off", &limits.origin_hold_off, "For how long, the first time");
  AddDuration(app, "--max-origin-hold-off", &limits.max_origin_hold_off,
              "For how long at the most; it doubles while the origin cannot be reached");
  AddDuration(app, "--failure-hold", &limits.failure_hold,
              "A fetch that failed is not tried again for its URL before this");
  AddSize(app, "--max-tunnels", &limits.max_tunnels, 0, kMany, "WebSocket connections; beyond: 503");
  AddDuration(app, "--tunnel-idle-timeout", &limits.tunnel_idle_timeout,
              "Silence in both directions of a WebSocket connection");
  AddDuration(app, "--disk-retry", &flags->disk_retry, "How often a full or broken disk is tried again");
  AddDuration(app, "--grace", &flags->grace, "How long requests may go on after SIGTERM");
}

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

void AddEvictionFlag(CLI::App* app, Flags* flags) {
  std::vector<std::string> names;
  for (const Eviction eviction : kEveryEviction) names.emplace_back(Name(eviction));
  app->add_option(
         "--eviction", flags->eviction,
         fmt::format("What leaves a full cache first, see docs/adr/0012 [{}]", Name(kDefaultEviction)))
      ->check(CLI::IsMember(names));
}

const std::string& FlagOr(const std::string& flag, const std::string& file) {
  return flag.empty() ? file : flag;
}

// What is served, and what is told of it.
absl::Status AddHttpSettings(const Flags& flags, const v1::HttpConfig& http, Settings* settings) {
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
  auto served = ServedNames::Parse(names);
  if (!served.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("served names: {}", std::string(served.status().message())));
  }
  settings->server.served_names = *std::move(served);
  return absl::OkStatus();
}

CacheOptions CacheSettings(const Flags& flags, const v1::CacheConfig& config) {
  CacheOptions cache;
  cache.path = flags.cache.empty() ? config.path() : flags.cache;
  cache.budget_bytes = flags.cache_bytes != 0 ? flags.cache_bytes : config.budget_bytes();
  // A budget given by flag is not silently cut by a memory budget that only follows from another default.
  const uint64_t memory = flags.cache_bytes != 0 ? flags.cache_bytes : config.memory_budget_bytes();
  cache.memory_budget_bytes = flags.memory_bytes != 0 ? flags.memory_bytes : memory;
  cache.large_object_bytes = flags.large_object_bytes;
  cache.disk_retry = flags.disk_retry;
  cache.eviction = ParseEviction(flags.eviction).value_or(EvictionFrom(config.eviction()));
  cache.policy.store_set_cookie = flags.store_set_cookie;
  cache.policy.negative_ttl =
      std::chrono::seconds(flags.negative_ttl_seconds.value_or(config.negative_ttl_seconds()));
  return cache;
}

}  // namespace

void AddFlags(CLI::App* app, Flags* flags) {
  app->description(kDescription);
  app->footer(kExamples);
  app->add_option("-p,--port", flags->port, "The port to serve HTTP on. Required")
      ->required()
      ->check(CLI::Range(1, 65535));
  app->add_option("-o,--origin", flags->origin,
                  "Where to fetch from: host, host:port, http:// or https:// URL");
  app->add_option("--origin-ca", flags->origin_ca,
                  "A PEM file of the authorities that an https origin's certificate is verified by, in place "
                  "of the system's");
  app->add_option("--config", flags->config,
                  "The fleet file, cdn.textproto: its origin, http, cache and control sections");
  app->add_option("--listen", flags->listen, "Addresses to serve on [0.0.0.0 and ::]");
  app->add_option("--control", flags->control, "Address and port of the gRPC control port")
      ->capture_default_str();
  app->add_flag("--insecure-control", flags->insecure_control,
                "Allow the control port beyond loopback without mutual TLS");
  app->add_option("--cache", flags->cache, "The SQLite file of the cache [perigee-cache.sqlite]");
  app->add_option("--cache-bytes", flags->cache_bytes, "Size of the cache [10000000]");
  app->add_option("--memory-bytes", flags->memory_bytes, "The part of it kept in memory too [all of it]");
  AddEvictionFlag(app, flags);
  app->add_flag("--store-set-cookie", flags->store_set_cookie,
                "Store responses with Set-Cookie too, as RFC 9111 allows: every client gets the same cookie");
  app->add_option("--negative-ttl", flags->negative_ttl_seconds,
                  "Seconds that a 404, 405, 410, 414 or 501 is fresh which says nothing of it [0]")
      ->check(CLI::Range(0, 86'400));
  app->add_option("--threads", flags->threads, "Worker threads [one per core]")->check(CLI::Range(1, 1024));
  app->add_option("--serve-name", flags->served_names,
                  "A name to serve, or *.example.org; others are answered 421 [all names]");
  app->add_option("--metrics", flags->metrics_listen,
                  "Address and port to serve Prometheus metrics on [nowhere]");
  app->add_option("--access-log", flags->access_log,
                  "A file for a line per request; SIGHUP reopens it [none]");
  app->add_option("--access-log-format", flags->access_log_format, "combined or json [combined]");
  AddUserFlags(
      *app, flags->user, flags->group,
      "once the HTTP ports are open. It must be able to read the certificates and to write the cache's "
      "folder");
  app->add_option(
         "--replace", flags->replace,
         "The process of a running httpserver to take over from: its port is shared, it finishes what it "
         "has begun, and new connections wait for that")
      ->check(CLI::PositiveNumber);
  AddLogLevelFlag(*app, flags->log_level);
  AddLimitFlags(app, flags);
}

absl::StatusOr<Settings> MakeSettings(const Flags& flags, const v1::FleetConfig& fleet, int cores,
                                      bool ipv6) {
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
  auto listen = ListenEndpoints(flags, ipv6);
  if (!listen.ok()) return listen.status();
  auto control = IpEndpoint::Parse(flags.control);
  if (!control.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("--control {}: give an IP address and a port, such as 127.0.0.1:4302", flags.control));
  }

  settings.cache = CacheSettings(flags, fleet.cache());
  settings.server = {.listen = *listen,
                     .origin = *origin,
                     .threads = flags.threads > 0 ? flags.threads : std::max(1, cores),
                     .limits = flags.limits,
                     .policy = settings.cache.policy,
                     .resolver = {.timeout = flags.limits.resolve_timeout, .servers = {}},
                     .share_port = flags.replace != 0};
  settings.server.limits.max_object_bytes =
      flags.max_object_bytes != 0 ? flags.max_object_bytes : settings.cache.budget_bytes;
  settings.control = *control;
  if (absl::Status status = AddHttpSettings(flags, fleet.http(), &settings); !status.ok()) return status;
  settings.security = SecurityFrom(fleet.control(), flags.insecure_control);
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

std::vector<std::string_view> NeedsRestart(const Settings& running, const Settings& next) {
  std::vector<std::string_view> changed;
  const auto compare = [&changed](bool same, std::string_view what) {
    if (!same) changed.push_back(what);
  };
  compare(running.server.origin.base == next.server.origin.base, "origin");
  compare(running.cache.path == next.cache.path && running.cache.budget_bytes == next.cache.budget_bytes &&
              running.cache.memory_budget_bytes == next.cache.memory_budget_bytes &&
              running.cache.eviction == next.cache.eviction,
          "cache");
  compare(running.metrics == next.metrics, "http.metrics_listen");
  compare(running.access_log == next.access_log && running.access_log_format == next.access_log_format,
          "http.access_log");
  return changed;
}

}  // namespace perigee::replica
