// dnsserver: answers DNS for a domain with the replica that is measured to be nearest to each client.
#include <array>
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "lib/config/fleet.h"
#include "lib/log/log.h"
#include "lib/net/host.h"
#include "lib/program/program.h"
#include "lib/service/passed_sockets.h"
#include "lib/service/service_manager.h"
#include "services/dns/dnsserver.h"

namespace perigee {
namespace {

constexpr char kName[] = "dnsserver";
constexpr char kAbout[] =
    "Authoritative DNS for a CDN's domain. A client that is not yet known is measured by the prober beside "
    "every "
    "replica, in parallel, and answered with the nearest; the choice is remembered.";
constexpr char kExamples[] =
    "Examples:\n"
    "  dnsserver -p 53 -n cdn.example.org                    replicas from ./cdn.textproto\n"
    "  dnsserver -p 5353 -n cdn.example.org --hold 3s        never answer before all is measured\n"
    "  dnsserver -p 53 -n cdn.example.org --user perigee     root only until its ports are open\n"
    "  dig @127.0.0.1 -p 5353 cdn.example.org                ask it\n"
    "Signals: SIGHUP reads the fleet file and the zones again, and opens the logs anew; SIGTERM and SIGINT "
    "stop.\n"
    "systemd: takes passed sockets (LISTEN_FDS) in place of those of -p and --listen; tells NOTIFY_SOCKET of "
    "ready, reload, stop, and of life with WATCHDOG_USEC.";

struct Flags {
  uint16_t port = 53;
  std::string domain, config = "cdn.textproto", control = "127.0.0.1:4303", name_server;
  std::vector<std::string> listen, server_addresses;
  uint64_t hold_ms = 0;
  int threads = 0;
  bool realtime = true;
  dns::TcpOptions tcp;
  bool insecure_control = false;
  std::string user, group;
  LogFlags log;
};

// Of a duration such as 500ms or 3s, in milliseconds.
CLI::AsNumberWithUnit InMilliseconds() {
  return CLI::AsNumberWithUnit(std::map<std::string, uint64_t>{{"ms", 1}, {"s", 1000}},
                               CLI::AsNumberWithUnit::CASE_SENSITIVE, "TIME");
}

void DeclareTcpLimits(CLI::App& app, dns::TcpOptions& tcp) {
  const auto add_count = [&](const char* name, size_t& count, const char* help) {
    app.add_option(name, count, help)
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str()
        ->group("Limits");
  };
  add_count("--tcp-connections", tcp.max_connections,
            "TCP connections; beyond, the one quiet longest is closed");
  add_count("--tcp-connections-per-client", tcp.max_connections_per_client, "The same for each client");
  add_count("--tcp-parked", tcp.max_parked_per_connection,
            "Queries of one TCP connection that may wait for a measurement; beyond, it is read no further");
  app.add_option_function<uint64_t>(
         "--tcp-idle-timeout", [&tcp](uint64_t ms) { tcp.idle_timeout = std::chrono::milliseconds(ms); },
         "A TCP connection idle for so long is closed [10s]")
      ->transform(InMilliseconds())
      ->check(CLI::Range(1, 86'400'000))
      ->group("Limits");
}

void Declare(CLI::App& app, Flags& flags) {
  app.footer(kExamples);
  app.add_option("-p,--port", flags.port, "DNS port, UDP and TCP")->required();
  app.add_option("-n,--name", flags.domain, "The domain to answer for [the fleet file's `domain`]");
  app.add_option("--config", flags.config, "The fleet file: replicas, limits, TLS")->capture_default_str();
  app.add_option("--listen", flags.listen,
                 "Addresses to listen on [the sockets that systemd passed; without any, 0.0.0.0 and ::]");
  app.add_option("--control", flags.control, "Control port (gRPC: Director, health, reflection)")
      ->capture_default_str();
  app.add_flag("--insecure-control", flags.insecure_control,
               "Allow the control port, and calls to the replicas', in plain text beyond loopback");
  app.add_option(
         "--hold", flags.hold_ms,
         "The longest that a query waits for a measurement, such as 500ms or 3s [the fleet file's, 500ms]")
      ->transform(InMilliseconds())
      ->check(CLI::Range(1, 60'000));
  app.add_option("--ns", flags.name_server,
                 "Name of this server, as the parent delegates to it [ns1.<domain>]");
  app.add_option("--ns-address", flags.server_addresses,
                 "Addresses of this server, for the name that --ns gives");
  app.add_option("--threads", flags.threads, "UDP threads per address [one per core]")
      ->check(CLI::Range(1, 256));
  app.add_flag_callback(
      "--no-realtime", [&flags] { flags.realtime = false; },
      "UDP threads wait their turn like all programs. Without this they go first (SCHED_FIFO) where "
      "permitted, "
      "by root or LimitRTPRIO=1, and as long as they use less than half of a core");
  AddUserFlags(
      app, flags.user, flags.group,
      "once the DNS ports are open. It must be able to read the fleet file and all that it names, and to "
      "write the state file's folder");
  DeclareTcpLimits(app, flags.tcp);
  AddLogFlags(app, flags.log);
}

absl::StatusOr<v1::FleetConfig> LoadFleet(const Flags& flags) {
  auto fleet = LoadFleetFile(flags.config);
  if (!fleet.ok()) return fleet.status();
  if (!flags.domain.empty()) fleet->set_domain(flags.domain);
  if (flags.hold_ms != 0) fleet->mutable_steering()->set_hold_ms(static_cast<uint32_t>(flags.hold_ms));
  return fleet;
}

absl::StatusOr<std::vector<PortPlan>> PortsFrom(const Flags& flags) {
  std::vector<IpAddress> listen, everywhere{IpAddress()};
  if (HasIpv6()) everywhere.push_back(IpAddress::V6(std::array<uint8_t, 16>{}));
  for (const auto& text : flags.listen) {
    const auto address = IpAddress::Parse(text);
    if (!address.ok()) return address.status();
    listen.push_back(*address);
  }
  const auto passed = TakePassedSockets();
  if (!passed.ok()) return passed.status();
  for (const PassedSocket& socket : *passed) LogInfo(LogModule::kMain, {}, "passed: {}", Describe(socket));
  return PlanPorts(listen, flags.port, everywhere, *passed);
}

absl::StatusOr<dns::DnsServerOptions> OptionsFrom(const Flags& flags) {
  dns::DnsServerOptions options{
      .load_fleet = [flags] { return LoadFleet(flags); },
      .taken = [log = flags.log](const v1::FleetConfig& fleet) { TakeLogLevels(log, fleet.log().level()); },
      .folder = std::filesystem::path(flags.config).parent_path(),
      .user = flags.user,
      .group = flags.group,
      .threads_per_address = flags.threads,
      .realtime = flags.realtime,
      .tcp = flags.tcp,
      .insecure_control = flags.insecure_control,
      .name_server = flags.name_server};
  auto ports = PortsFrom(flags);
  if (!ports.ok()) return ports.status();
  options.ports = *std::move(ports);
  for (const auto& text : flags.server_addresses) {
    const auto address = IpAddress::Parse(text);
    if (!address.ok()) return address.status();
    options.server_addresses.push_back(*address);
  }
  const auto control = IpEndpoint::Parse(flags.control);
  if (!control.ok()) return control.status();
  options.control = *control;
  return options;
}

int Run(int argc, char** argv) {
  Flags flags;
  CLI::App app(kAbout, kName);
  Declare(app, flags);
  if (const auto exit = ParseCommandLine(app, argc, argv)) return *exit;
  StartLogging(flags.log);
  RaiseDescriptorLimit();
  StopSignal stop;
  auto options = OptionsFrom(flags);
  if (!options.ok()) return Fail(kName, options.status());
  const auto server = dns::DnsServer::Start(*std::move(options));
  if (!server.ok()) return Fail(kName, server.status());
  LogInfo(LogModule::kMain, {{"port", flags.port}, {"control_port", (*server)->control_port()}},
          "answering on port {}, control port {}", flags.port, (*server)->control_port());
  const int signal = ServeUntilStopped(
      stop, fmt::format("answering on port {}", flags.port), [&] { return (*server)->Alive(); },
      [&] { return (*server)->Reload(); });
  LogInfo(LogModule::kMain, {{"signal", signal}}, "stopping on signal {}", signal);
  return 0;
}

}  // namespace
}  // namespace perigee

int main(int argc, char** argv) { return perigee::Run(argc, argv); }
