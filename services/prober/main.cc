// prober: measures the round-trip time from this host to a client. This file only wires; see
// measure_engine.h.
#include <google/protobuf/util/message_differencer.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
#include "lib/config/fleet.h"
#include "lib/config/fleet_parts.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics_server.h"
#include "lib/net/host.h"
#include "lib/program/program.h"
#include "lib/rpc/control.h"
#include "lib/service/service_manager.h"
#include "services/prober/measure_engine.h"
#include "services/prober/prober_metrics.h"
#include "services/prober/prober_service.h"

namespace perigee {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr const char* kProgram = "prober";
constexpr const char* kServiceName = "perigee.v1.Prober";

struct Flags {
  std::string listen = "127.0.0.1:4301";
  std::string config;
  bool insecure_control = false;
  std::string metrics_listen;
  std::string scamper = "scamper";
  uint32_t tcp_stagger_ms = 60;
  uint32_t hop_stagger_ms = kHopStagger.count();
  uint32_t silent_after_ms = 1500;
  uint32_t max_flights = 1024;
  LogFlags log;
};

void AddFlags(CLI::App& app, Flags& f) {
  app.add_option("--listen", f.listen, "Control port (gRPC): address and port")->capture_default_str();
  app.add_option("--config", f.config,
                 "Fleet file, cdn.textproto: its probe_policy, prober, control and log sections apply");
  app.add_flag(
      "--insecure-control", f.insecure_control,
      "Serve beyond loopback without certificates: whoever reaches the port can make this host probe");
  app.add_option("--metrics", f.metrics_listen,
                 "Address and port to serve Prometheus metrics, /healthz and /readyz on [nowhere]");
  app.add_option("--scamper", f.scamper, "The scamper program: a name on PATH, or a path")
      ->capture_default_str();
  app.add_option("--tcp-stagger-ms", f.tcp_stagger_ms,
                 "How long ICMP echo is alone before TCP is tried too, in milliseconds")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  app.add_option("--hop-stagger-ms", f.hop_stagger_ms,
                 "How long TCP is tried before the last hop that answers is looked for, in milliseconds")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  app.add_option("--silent-after-ms", f.silent_after_ms,
                 "When a client that answers nothing is reported as silent, in milliseconds")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--max-flights", f.max_flights, "The most measurements under way at once")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  AddLogFlags(app, f.log);
  app.footer(
      "Measures with ICMP echo (by scamper, which needs to be installed) and, when a client ignores pings, "
      "with\n"
      "TCP connects; of one that answers neither, how far the last hop is that answers on the way to it. "
      "Addresses\n"
      "that are not public are refused unless the fleet file allows them:\n\n"
      "  probe_policy { allow_special: \"198.18.0.0/15\" }\n\n"
      "Examples:\n"
      "  prober &\n"
      "  grpcurl -plaintext -d '{\"address\":\"9.9.9.9\"}' localhost:4301 perigee.v1.Prober/Measure\n"
      "  grpcurl -plaintext localhost:4301 grpc.health.v1.Health/Check\n"
      "Signals: SIGHUP takes the log levels from the fleet file again; SIGTERM and SIGINT stop.");
}

absl::StatusOr<std::unique_ptr<MeasureEngine>> MakeEngine(const Flags& flags, const v1::FleetConfig& fleet) {
  auto scamper = FindScamper(flags.scamper);
  if (!scamper.ok()) return scamper.status();
  auto own = OwnAddresses();
  if (!own.ok()) return own.status();
  auto folder = RunFolder::Make();
  if (!folder.ok()) return folder.status();
  const MeasureOptions options{.scamper = *std::move(scamper),
                               .tcp_stagger = std::chrono::milliseconds(flags.tcp_stagger_ms),
                               .hop_stagger = std::chrono::milliseconds(flags.hop_stagger_ms),
                               .silent_after = std::chrono::milliseconds(flags.silent_after_ms),
                               .max_flights = flags.max_flights};
  return std::make_unique<MeasureEngine>(options, PolicyFrom(fleet.probe_policy(), *std::move(own)),
                                         BudgetFrom(fleet.probe_policy()), *std::move(folder));
}

HealthVerdict Alive(const MeasureEngine& engine) {
  return engine.life().Verdict(std::chrono::steady_clock::now());
}

// What it shows must outlive it.
absl::StatusOr<std::unique_ptr<MetricsServer>> StartMetrics(const Flags& flags, const v1::FleetConfig& fleet,
                                                            const MeasureEngine& engine,
                                                            const RefusedCalls& refused_calls,
                                                            const std::atomic<Phase>& phase) {
  const std::string& text =
      flags.metrics_listen.empty() ? fleet.prober().metrics_listen() : flags.metrics_listen;
  if (text.empty()) return std::unique_ptr<MetricsServer>();
  const auto listen = IpEndpoint::Parse(text);
  if (!listen.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("--metrics {}: give an IP address and a port, such as 127.0.0.1:9355", text));
  }
  const auto metrics = [&engine, &refused_calls, max_flights = flags.max_flights,
                        start = std::chrono::steady_clock::now()] {
    const auto up = std::chrono::steady_clock::now() - start;
    return ProberMetrics(engine.counters(), {.max_flights = max_flights,
                                             .scamper_up = engine.scamper_up(),
                                             .uptime = std::chrono::duration_cast<std::chrono::seconds>(up),
                                             .refused_calls = &refused_calls});
  };
  return MetricsServer::Start(
      *listen, {.metrics = metrics,
                .alive = [&engine] { return Alive(engine); },
                .ready = [&engine, &phase] { return ProberReadiness(phase, engine.scamper_up()); }});
}

absl::StatusOr<v1::FleetConfig> ReadFleet(const Flags& flags) {
  return flags.config.empty() ? DefaultFleet() : LoadFleetFile(flags.config);
}

// Takes the log levels; the rest holds from the start on.
absl::StatusOr<std::vector<std::string>> TakeFleet(const Flags& flags, const v1::FleetConfig& running) {
  const auto next = ReadFleet(flags);
  if (!next.ok()) return next.status();
  TakeLogLevels(flags.log, next->log().level());
  std::vector<std::string> needs_restart;
  const auto compare = [&](const char* name, const auto& before, const auto& after) {
    if (!MessageDifferencer::Equals(before, after)) needs_restart.emplace_back(name);
  };
  compare("probe_policy", running.probe_policy(), next->probe_policy());
  compare("prober", running.prober(), next->prober());
  compare("control", running.control(), next->control());
  return needs_restart;
}

absl::Status Serve(const Flags& flags, StopSignal& stop) {
  const auto listen = IpEndpoint::Parse(flags.listen);
  if (!listen.ok()) {
    return absl::InvalidArgumentError(fmt::format("--listen: {}", std::string(listen.status().message())));
  }
  const auto fleet = ReadFleet(flags);
  if (!fleet.ok()) return fleet.status();
  TakeLogLevels(flags.log, fleet->log().level());
  auto engine = MakeEngine(flags, *fleet);
  if (!engine.ok()) return engine.status();
  RefusedCalls refused_calls;
  std::atomic<Phase> phase = Phase::kStarting;
  const auto metrics = StartMetrics(flags, *fleet, **engine, refused_calls, phase);
  if (!metrics.ok()) return metrics.status();
  ProberService service(**engine);
  auto server = ControlServer::Start(*listen, SecurityFrom(fleet->control(), flags.insecure_control),
                                     {&service}, &refused_calls);
  if (!server.ok()) return server.status();
  const auto set_serving = [&server](bool serving) {
    (*server)->SetServing("", serving);
    (*server)->SetServing(kServiceName, serving);
  };
  set_serving(false);
  (*engine)->Start(set_serving);
  const std::string address =
      IpEndpoint{listen->address, static_cast<uint16_t>((*server)->port())}.ToString();
  phase = Phase::kServing;
  LogInfo(LogModule::kMain, {{"address", address}}, "listening on {}", address);
  const auto reload = [&] { return TakeFleet(flags, *fleet); };
  ServeUntilStopped(
      stop, "listening on " + address, [&] { return Alive(**engine); }, reload);
  phase = Phase::kStopping;
  LogInfo(LogModule::kMain, {}, "stopping");
  (*engine)->Stop();
  return absl::OkStatus();
}

int Run(int argc, char** argv) {
  Flags flags;
  CLI::App app("Measures the round-trip time from this host to a client, for dnsserver", kProgram);
  AddFlags(app, flags);
  if (const auto exit_code = ParseCommandLine(app, argc, argv)) return *exit_code;
  StartLogging(flags.log);
  RaiseDescriptorLimit();
  StopSignal stop;
  const absl::Status status = Serve(flags, stop);
  return status.ok() ? 0 : Fail(kProgram, status);
}

}  // namespace
}  // namespace perigee

int main(int argc, char** argv) { return perigee::Run(argc, argv); }
