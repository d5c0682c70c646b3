#include "services/replica/flags.h"

#include <fmt/format.h>

#include "CLI/CLI.hpp"
#include "lib/program/program.h"

namespace perigee::replica {
namespace {

constexpr char kDescription[] =
    R"(A caching reverse proxy, one for each replica host of Perigee.

It answers GET and HEAD from its cache (memory and SQLite, RFC 9111) or from the origin; other methods pass
through. Every answer says in Cache-Status where it came from. The origin sees its own name in Host, whatever
name the client used, and the client's address in X-Forwarded-For. SIGTERM finishes the requests under way and
stops; the cache survives a restart. SIGHUP opens the access log anew and takes the served names and the log
levels from the fleet file again. systemd may pass the HTTP ports (LISTEN_FDS).)";

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
  AddSize(app, "--max-origin-connections-per-address", &limits.max_origin_connections_per_address, 1, kMany,
          "Those in use for an IPv4 address or IPv6 /64, but for loopback; beyond: 503, or stale");
  AddSize(app, "--max-idle-origin-connections", &limits.max_idle_origin_connections, 0, kMany,
          "Those of them kept while idle");
  app->add_option("--max-object-bytes", flags->max_object_bytes,
                  "Larger responses are neither stored nor shared [the cache's size]")
      ->group("Limits");
  AddSize(app, "--max-objects", &flags->max_objects, 1, 1'000'000'000,
          "Objects stored; each takes some 600 bytes of memory, in no budget");
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
              "Idle time of a client connection, and all that a WebSocket has left, once the server stops");
  AddDuration(app, "--drain-handshake-timeout", &limits.drain_handshake_timeout,
              "For handshakes under way, once another process takes over (--replace)");
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

void AddEvictionFlag(CLI::App* app, Flags* flags) {
  std::vector<std::string> names;
  for (const Eviction eviction : kEveryEviction) names.emplace_back(Name(eviction));
  app->add_option(
         "--eviction", flags->eviction,
         fmt::format("What leaves a full cache first, see docs/adr/0012 [{}]", Name(kDefaultEviction)))
      ->check(CLI::IsMember(names));
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
                  "The fleet file, cdn.textproto: its origin, http, cache, control and log sections");
  app->add_option("--listen", flags->listen, "Addresses to serve on [0.0.0.0 and ::]");
  app->add_option("--control", flags->control, "Address and port of the gRPC control port")
      ->capture_default_str();
  app->add_flag("--insecure-control", flags->insecure_control,
                "Allow the control port beyond loopback without mutual TLS");
  app->add_option("--cache", flags->cache, "The SQLite file of the cache [perigee-cache.sqlite]");
  app->add_option("--cache-bytes", flags->cache_bytes, "Size of the cache [10000000]");
  app->add_option("--memory-bytes", flags->memory_bytes,
                  "The part of it kept in memory too [all of it, at most a quarter of the machine's memory]");
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
                  "Address and port to serve Prometheus metrics, /healthz and /readyz on [nowhere]");
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
  AddLogFlags(*app, flags->log);
  AddLimitFlags(app, flags);
}

}  // namespace perigee::replica
