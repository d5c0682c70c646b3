#include "services/dns/dnsserver.h"

#include <atomic>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <utility>

#include "lib/base/clock.h"
#include "lib/config/fleet_parts.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics_server.h"
#include "lib/net/host.h"
#include "lib/program/program.h"
#include "lib/rpc/control.h"
#include "lib/service/privileges.h"
#include "lib/urgency/urgency.h"
#include "services/dns/generation/generations.h"
#include "services/dns/listener/udp_listener.h"
#include "services/dns/telemetry/dns_metrics.h"
#include "services/dns/telemetry/readiness.h"

namespace perigee::dns {
namespace {

struct DnsPorts {
  std::vector<OpenPort> udp, tcp;
};

absl::StatusOr<DnsPorts> OpenPorts(const DnsServerOptions& options) {
  DnsPorts ports;
  for (const PortPlan& plan : options.ports) {
    const bool udp = plan.protocol == Protocol::kUdp;
    auto port = udp ? OpenUdpPort(plan, ThreadsPerAddress(options.threads_per_address)) : OpenTcpPort(plan);
    if (!port.ok()) return port.status();
    (udp ? ports.udp : ports.tcp).push_back(*std::move(port));
  }
  return ports;
}

void SayWhetherRealtime() {
  if (const absl::Status status = RunRealtime(); !status.ok()) {
    LogInfo(LogModule::kMain, {}, "known clients do not go before other programs: {}",
            std::string(status.message()));
  }
}

uint64_t QueriesOf(const QueryCounterRegistry& counters) {
  uint64_t queries = 0;
  counters.ForEach([&queries](const QueryCounters& block) {
    for (const Counter& counter : block.by_protocol) queries += counter.value();
  });
  return queries;
}

// The log of that name in the folder; null when it has none.
template <typename Log>
absl::StatusOr<std::unique_ptr<Log>> OpenLog(const std::string& folder, const std::string& name) {
  if (name.empty()) return std::unique_ptr<Log>();
  return Log::Open(std::filesystem::path(folder) / name);
}

template <typename Log>
void ReopenLog(Log* log) {
  if (log == nullptr) return;
  if (absl::Status status = log->Reopen(); !status.ok())
    LogWarning(LogModule::kMain, {}, "{}", status.ToString());
}

}  // namespace

// Built from top to bottom and taken down from bottom to top: what listens goes before what answers.
struct DnsServer::Rooms {
  SystemClock clock;
  const MonoTime start_time = clock.Now();
  std::atomic<Phase> phase = Phase::kStarting;
  LifeSigns life;
  QueryCounterRegistry counters;
  ServerCounters server_counters;
  RefusedCalls refused_calls;
  size_t max_tcp_connections = 0;
  std::unique_ptr<DecisionLog> decisions;
  std::unique_ptr<MeasurementLog> measurements;
  std::unique_ptr<Generations> generations;
  std::shared_ptr<SharedRecorder> parked;
  std::unique_ptr<DirectorService> director_service;
  std::unique_ptr<MetricsServer> metrics;
  std::unique_ptr<ControlServer> control;
  std::unique_ptr<TcpListener> tcp;
  std::unique_ptr<UdpListener> udp;

  Telemetry telemetry() { return {counters, decisions.get(), clock}; }

  absl::Status StartDeciding(const DnsServerOptions& options, v1::FleetConfig fleet);
  absl::Status StartMetrics(const std::string& listen);
  DnsGauges Gauges() const;
  HealthVerdict Readiness() const;
  absl::Status StartControl(const DnsServerOptions& options, const v1::ControlConfig& config);
  void StartListening(const DnsServerOptions& options, DnsPorts ports);
};

absl::Status DnsServer::Rooms::StartDeciding(const DnsServerOptions& options, v1::FleetConfig fleet) {
  auto own = OwnAddresses();
  if (!own.ok()) return own.status();
  auto decision_log = OpenLog<DecisionLog>(options.folder, fleet.dns().decision_log());
  if (!decision_log.ok()) return decision_log.status();
  decisions = *std::move(decision_log);
  auto measurement_log = OpenLog<MeasurementLog>(options.folder, fleet.dns().measurement_log());
  if (!measurement_log.ok()) return measurement_log.status();
  measurements = *std::move(measurement_log);
  auto started = Generations::Start({.load_fleet = options.load_fleet,
                                     .taken = options.taken,
                                     .zones = {.folder = options.folder,
                                               .name_server = options.name_server,
                                               .server_addresses = options.server_addresses,
                                               .start_time = clock.WallNow()},
                                     .insecure_control = options.insecure_control,
                                     .own_addresses = *std::move(own),
                                     .tcp_idle_timeout = options.tcp.idle_timeout,
                                     .counters = &server_counters,
                                     .measurements = measurements.get(),
                                     .life = &life},
                                    std::move(fleet), clock);
  if (!started.ok()) return started.status();
  generations = *std::move(started);
  parked = std::make_shared<SharedRecorder>(telemetry());
  return absl::OkStatus();
}

DnsGauges DnsServer::Rooms::Gauges() const {
  const std::shared_ptr<Generation> now = generations->current();
  DnsGauges gauges{.map_rows = now->map()->size(),
                   .map_capacity = now->map()->capacity(),
                   .map_evictions = now->map()->evictions(),
                   .max_flights = now->config().steering().max_flights(),
                   .max_tcp_connections = max_tcp_connections,
                   .zones = now->authority().zones.zones().size(),
                   .generation = generations->count(),
                   .uptime = std::chrono::duration_cast<std::chrono::seconds>(clock.Now() - start_time),
                   .refused_calls = &refused_calls};
  if (decisions != nullptr) {
    gauges.decisions_written = decisions->written();
    gauges.decisions_lost = decisions->lost();
  }
  if (measurements != nullptr) gauges.measurements_unwritten = measurements->lost();
  const FleetState& fleet = now->fleet();
  for (size_t i = 0; i < fleet.size(); ++i) {
    const ReplicaId id = ToReplicaId(i);
    gauges.replicas.push_back({.name = fleet.info(id).name,
                               .healthy = fleet.healthy().Contains(id),
                               .overloaded = fleet.overloaded().Contains(id),
                               .distrusted = fleet.distrusted().Contains(id),
                               .drained = fleet.operator_state(id) == OperatorState::kDrain,
                               .forced_up = fleet.operator_state(id) == OperatorState::kForceUp,
                               .prober_up = fleet.up(Part::kProber).Contains(id),
                               .server_up = fleet.up(Part::kServer).Contains(id),
                               .load = static_cast<double>(fleet.load(id)),
                               .control_rtt = fleet.control_rtt(id)});
  }
  return gauges;
}

HealthVerdict DnsServer::Rooms::Readiness() const {
  const std::shared_ptr<Generation> now = generations->current();
  const FleetState& fleet = now->fleet();
  return DnsReadiness({.phase = phase,
                       .zones = now->authority().zones.zones().size(),
                       .replicas = fleet.size(),
                       .usable_replicas = fleet.healthy().size(),
                       .probers_up = fleet.up(Part::kProber).size(),
                       .fails_when_all_down = now->options().all_down == AllDownPolicy::kServfail});
}

absl::Status DnsServer::Rooms::StartMetrics(const std::string& listen) {
  if (listen.empty()) return absl::OkStatus();
  const auto endpoint = IpEndpoint::Parse(listen);
  if (!endpoint.ok()) return endpoint.status();
  auto server = MetricsServer::Start(
      *endpoint, {.metrics = [this] { return DnsMetrics(counters, server_counters, Gauges()); },
                  .alive = [this] { return life.Verdict(clock.Now()); },
                  .ready = [this] { return Readiness(); }});
  if (!server.ok()) return server.status();
  metrics = *std::move(server);
  return absl::OkStatus();
}

absl::Status DnsServer::Rooms::StartControl(const DnsServerOptions& options,
                                            const v1::ControlConfig& config) {
  director_service = std::make_unique<DirectorService>(*generations, [this](v1::ListReplicasResponse* list) {
    list->set_version(std::string(Version()));
    list->set_queries(QueriesOf(counters));
  });
  auto started = ControlServer::Start(options.control, SecurityFrom(config, options.insecure_control),
                                      {director_service.get()}, &refused_calls);
  if (!started.ok()) return started.status();
  control = *std::move(started);
  return absl::OkStatus();
}

void DnsServer::Rooms::StartListening(const DnsServerOptions& options, DnsPorts ports) {
  const ResponderFactory responders = [this] {
    return std::make_unique<Responder>(generations->authority(), telemetry(), parked);
  };
  udp = UdpListener::Serve(
      std::move(ports.udp),
      {.threads_per_address = options.threads_per_address, .realtime = options.realtime, .life = &life},
      responders);
  TcpOptions tcp_options = options.tcp;
  tcp_options.counters = &server_counters.tcp;
  tcp_options.life = &life;
  tcp = TcpListener::Serve(std::move(ports.tcp), tcp_options, responders);
  phase = Phase::kServing;
}

DnsServer::DnsServer(std::unique_ptr<Rooms> rooms) : rooms_(std::move(rooms)) {}
DnsServer::~DnsServer() { rooms_->phase = Phase::kStopping; }

int DnsServer::control_port() const { return rooms_->control->port(); }

HealthVerdict DnsServer::Alive() const { return rooms_->life.Verdict(rooms_->clock.Now()); }

absl::StatusOr<std::unique_ptr<DnsServer>> DnsServer::Start(const DnsServerOptions& options) {
  auto ports = OpenPorts(options);
  if (!ports.ok()) return ports.status();
  if (options.realtime) KeepRealtime();
  if (absl::Status status = BecomeUser(options.user, options.group); !status.ok()) return status;
  if (options.realtime) SayWhetherRealtime();
  // The threads of TCP inherit it.
  RunPromptly();
  auto fleet = options.load_fleet();
  if (!fleet.ok()) return fleet.status();
  const v1::ControlConfig control = fleet->control();
  const std::string metrics_listen = fleet->dns().metrics_listen();
  auto rooms = std::make_unique<Rooms>();
  rooms->max_tcp_connections = options.tcp.max_connections;
  absl::Status status;
  // Every thread that measures, and those of gRPC, are started from this one.
  std::thread([&] {
    RunInBackground();
    status = rooms->StartDeciding(options, *std::move(fleet));
    if (status.ok()) status = rooms->StartMetrics(metrics_listen);
    if (status.ok()) status = rooms->StartControl(options, control);
  }).join();
  if (!status.ok()) return status;
  rooms->StartListening(options, *std::move(ports));
  return std::unique_ptr<DnsServer>(new DnsServer(std::move(rooms)));
}

absl::StatusOr<std::vector<std::string>> DnsServer::Reload() {
  ReopenLog(rooms_->decisions.get());
  ReopenLog(rooms_->measurements.get());
  std::promise<absl::StatusOr<v1::ReloadResponse>> reloaded;
  rooms_->generations->Reload(
      [&](absl::StatusOr<v1::ReloadResponse> result) { reloaded.set_value(std::move(result)); });
  const auto result = reloaded.get_future().get();
  if (!result.ok()) return result.status();
  return std::vector<std::string>(result->needs_restart().begin(), result->needs_restart().end());
}

}  // namespace perigee::dns
