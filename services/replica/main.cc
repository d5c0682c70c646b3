// httpserver: wires flags, cache, server and control port together.
#include <spdlog/spdlog.h>

#include <thread>

#include "lib/config/fleet.h"
#include "lib/net/host.h"
#include "lib/program/program.h"
#include "lib/rpc/control.h"
#include "lib/service/privileges.h"
#include "lib/service/service_manager.h"
#include "services/replica/control/replica_service.h"
#include "services/replica/session/listener.h"
#include "services/replica/settings.h"

namespace perigee::replica {
namespace {

constexpr char kProgram[] = "httpserver";
constexpr char kServiceName[] = "perigee.v1.Replica";

absl::StatusOr<v1::FleetConfig> ReadFleet(const std::string& path) {
  if (path.empty()) return DefaultFleet();
  return LoadFleetFile(path);
}

absl::Status Serve(const Flags& flags, StopSignal& stop) {
  auto fleet = ReadFleet(flags.config);
  if (!fleet.ok()) return fleet.status();
  auto settings =
      MakeSettings(flags, *fleet, static_cast<int>(std::thread::hardware_concurrency()), HasIpv6());
  if (!settings.ok()) return settings.status();
  RaiseDescriptorLimit();

  auto listening = Server::Listen(settings->server);
  if (!listening.ok()) return listening.status();
  if (absl::Status status = BecomeUser(flags.user, flags.group); !status.ok()) return status;

  const SystemClock clock;
  auto cache = Cache::Open(settings->cache, clock);
  if (!cache.ok()) return cache.status();
  const auto server = Server::Serve(settings->server, *std::move(listening), **cache, clock);
  ReplicaService service(*server, **cache, clock);
  auto control = ControlServer::Start(settings->control, settings->security, {&service});
  if (!control.ok()) return control.status();
  (*control)->SetServing(kServiceName, true);
  spdlog::info("serving {} on port {}, control port {}", settings->server.origin.base, server->port(),
               (*control)->port());

  const int signal = ServeUntilStopped(stop, "serving on port " + std::to_string(server->port()));
  spdlog::info("signal {}: finishing requests under way", signal);
  (*control)->SetServing(kServiceName, false);
  (*control)->SetServing("", false);
  server->Drain(flags.grace);
  service.EndWatches();
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("", kProgram);
  Flags flags;
  AddFlags(&app, &flags);
  if (const auto code = ParseCommandLine(app, argc, argv)) return *code;
  InitLogging(kProgram, flags.log_level);
  StopSignal stop;
  const absl::Status status = Serve(flags, stop);
  return status.ok() ? 0 : Fail(kProgram, status);
}

}  // namespace
}  // namespace perigee::replica

int main(int argc, char** argv) { return perigee::replica::Main(argc, argv); }
