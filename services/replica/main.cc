// httpserver: wires flags, cache, server and control port together.
#include <atomic>

#include "CLI/CLI.hpp"
#include "lib/config/fleet.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics_server.h"
#include "lib/program/program.h"
#include "lib/rpc/control.h"
#include "lib/service/passed_sockets.h"
#include "lib/service/privileges.h"
#include "lib/service/service_manager.h"
#include "lib/service/take_over.h"
#include "services/replica/control/replica_service.h"
#include "services/replica/fetch/tls_client.h"
#include "services/replica/machine.h"
#include "services/replica/session/listener.h"
#include "services/replica/session/port_handover.h"
#include "services/replica/settings.h"
#include "services/replica/spare_memory.h"
#include "services/replica/telemetry/http_metrics.h"
#include "services/replica/telemetry/readiness.h"

namespace perigee::replica {
namespace {

constexpr char kProgram[] = "httpserver";
constexpr char kServiceName[] = "perigee.v1.Replica";
// How much longer than its own grace a server that is replaced may take to end.
constexpr std::chrono::milliseconds kReplaceSlack{10'000};

absl::StatusOr<v1::FleetConfig> ReadFleet(const std::string& path) {
  if (path.empty()) return DefaultFleet();
  return LoadFleetFile(path);
}

absl::StatusOr<std::unique_ptr<AccessLog>> OpenAccessLog(const Settings& settings) {
  if (settings.access_log.empty()) return std::unique_ptr<AccessLog>();
  return AccessLog::Open(settings.access_log, settings.access_log_format);
}

absl::StatusOr<std::unique_ptr<TlsClient>> MakeTls(const Settings& settings) {
  if (!settings.server.origin.https) return std::unique_ptr<TlsClient>();
  return TlsClient::Create(settings.server.origin.host, settings.origin_ca);
}

// What the metrics port shows. All outlive it.
struct Shown {
  const Server& server;
  const Cache& cache;
  const ReplicaService& service;
  const AccessLog* access_log;  // null: none is kept
  const RefusedCalls& refused_calls;
  const std::atomic<Phase>& phase;
};

HealthVerdict Alive(const Server& server) { return server.life().Verdict(std::chrono::steady_clock::now()); }

HealthVerdict ReadinessOf(const Shown& shown) {
  return ReplicaReadiness({.phase = shown.phase,
                           .drained = shown.service.drained(),
                           .connections = shown.server.Stats().connections,
                           .disk_ok = shown.cache.Stats().disk_ok,
                           .circuit_open = shown.server.circuit().state() != CircuitState::kClosed});
}

absl::StatusOr<std::unique_ptr<MetricsServer>> StartMetrics(const Settings& settings, const Shown& shown) {
  if (!settings.metrics) return std::unique_ptr<MetricsServer>();
  const auto collect = [shown, limits = settings.server.limits, start = std::chrono::steady_clock::now()] {
    Counters sum;
    shown.server.AddUp(&sum);
    const CircuitBreaker& circuit = shown.server.circuit();
    const AccessLog* log = shown.access_log;
    const auto up = std::chrono::steady_clock::now() - start;
    return HttpMetrics(sum, {.cache = shown.cache.Stats(),
                             .max_connections = limits.max_connections,
                             .max_tunnels = limits.max_tunnels,
                             .circuit_open = circuit.state() != CircuitState::kClosed,
                             .circuit_openings = circuit.openings(),
                             .log_lines_written = log == nullptr ? 0 : log->written(),
                             .log_lines_lost = log == nullptr ? 0 : log->lost(),
                             .uptime = std::chrono::duration_cast<std::chrono::seconds>(up),
                             .refused_calls = &shown.refused_calls});
  };
  return MetricsServer::Start(*settings.metrics, {.metrics = collect,
                                                  .alive = [shown] { return Alive(shown.server); },
                                                  .ready = [shown] { return ReadinessOf(shown); }});
}

absl::StatusOr<Settings> ReadSettings(const Flags& flags) {
  const auto fleet = ReadFleet(flags.config);
  if (!fleet.ok()) return fleet.status();
  return MakeSettings(flags, *fleet, ThisMachine());
}

absl::StatusOr<Listening> OpenPorts(const Flags& flags, Settings* settings) {
  const auto passed = TakePassedSockets();
  if (!passed.ok()) return passed.status();
  if (passed->empty()) return Server::Listen(settings->server);
  const auto fds = UsePassed(*passed, flags, settings);
  if (!fds.ok()) return fds.status();
  return Server::ListenOnPassed(settings->server, *fds);
}

// From here on new connections wait here; when it returns, nothing else is the other server's any more.
absl::Status Replace(const Flags& flags, const Listening& listening) {
  if (flags.replace == 0) return absl::OkStatus();
  LogInfo(LogModule::kMain, {{"pid", flags.replace}}, "taking the place of process {}", flags.replace);
  absl::Status ended = EndAndAwait(flags.replace, kProgram, flags.grace + kReplaceSlack);
  for (const perigee::Socket& socket : listening.of_workers.front()) SpreadNewConnections(socket.fd());
  return ended;
}

// What may change while it serves changes; the rest is told of.
absl::StatusOr<std::vector<std::string>> TakeSettings(const Flags& flags, const Settings& running,
                                                      Server& server) {
  auto next = ReadSettings(flags);
  if (!next.ok()) return next.status();
  TakeLogLevels(flags.log, next->fleet_log_level);
  server.SetServedNames(std::move(next->server.served_names));
  return NeedsRestart(running, *next);
}

void Reopen(AccessLog* log) {
  if (log == nullptr) return;
  if (absl::Status status = log->Reopen(); !status.ok())
    LogWarning(LogModule::kMain, {}, "{}", status.ToString());
}

// Beyond the system's limit connections are neither accepted nor refused, and the origin is not reached.
void TakeDescriptors(const Limits& limits) {
  const uint64_t wanted = limits.max_connections + limits.max_origin_connections;
  const uint64_t given = RaiseDescriptorLimit();
  if (given > wanted) return;
  LogWarning(
      LogModule::kMain, {},
      "no more than {} files may be open, but {} connections (--max-connections, --max-origin-connections): "
      "raise the one (LimitNOFILE=), or lower the others",
      given, wanted);
}

absl::Status Serve(const Flags& flags, StopSignal& stop) {
  auto settings = ReadSettings(flags);
  if (!settings.ok()) return settings.status();
  TakeLogLevels(flags.log, settings->fleet_log_level);
  const auto tls = MakeTls(*settings);
  if (!tls.ok()) return tls.status();
  settings->server.tls = tls->get();
  TakeDescriptors(settings->server.limits);

  auto listening = OpenPorts(flags, &*settings);
  if (!listening.ok()) return listening.status();
  if (absl::Status status = Replace(flags, *listening); !status.ok()) return status;
  if (absl::Status status = BecomeUser(flags.user, flags.group); !status.ok()) return status;

  const SystemClock clock;
  auto cache = Cache::Open(settings->cache, clock);
  if (!cache.ok()) return cache.status();
  const auto access_log = OpenAccessLog(*settings);
  if (!access_log.ok()) return access_log.status();
  settings->server.access_log = access_log->get();
  const auto server = Server::Serve(settings->server, *std::move(listening), **cache, clock);
  RefusedCalls refused_calls;
  std::atomic<Phase> phase = Phase::kStarting;
  ReplicaService service(*server, **cache, clock);
  const auto metrics =
      StartMetrics(*settings, {*server, **cache, service, access_log->get(), refused_calls, phase});
  if (!metrics.ok()) return metrics.status();
  auto control = ControlServer::Start(settings->control, settings->security, {&service}, &refused_calls);
  if (!control.ok()) return control.status();
  service.TellHealth([&control = **control](bool serving) {
    control.SetServing(kServiceName, serving);
    control.SetServing("", serving);
  });
  const SpareMemoryReturner returner;
  phase = Phase::kServing;
  LogInfo(LogModule::kMain, {{"port", server->port()}, {"control_port", (*control)->port()}},
          "serving {} on port {}, control port {}", settings->server.origin.base, server->port(),
          (*control)->port());

  const auto reload = [&] {
    Reopen(access_log->get());
    return TakeSettings(flags, *settings, *server);
  };
  const std::string status = "serving on port " + std::to_string(server->port());
  const int signal = ServeUntilStopped(
      stop, status, [&] { return Alive(*server); }, reload);
  phase = Phase::kStopping;
  LogInfo(LogModule::kMain, {{"signal", signal}}, "signal {}: finishing requests under way", signal);
  service.TellHealth(nullptr);
  (*control)->SetServing(kServiceName, false);
  (*control)->SetServing("", false);
  server->Drain(flags.grace);
  service.EndStreams();
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("", kProgram);
  Flags flags;
  AddFlags(&app, &flags);
  if (const auto code = ParseCommandLine(app, argc, argv)) return *code;
  StartLogging(flags.log);
  StopSignal stop;
  const absl::Status status = Serve(flags, stop);
  return status.ok() ? 0 : Fail(kProgram, status);
}

}  // namespace
}  // namespace perigee::replica

int main(int argc, char** argv) { return perigee::replica::Main(argc, argv); }
