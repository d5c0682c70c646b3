// cdnctl: the operator's one command. Every subcommand is a call on control ports, shown as a table.
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "lib/config/fleet.h"
#include "lib/config/fleet_parts.h"
#include "lib/program/program.h"
#include "lib/rpc/control.h"
#include "tools/cdnctl/commands.h"
#include "tools/cdnctl/replica_commands.h"

namespace perigee {
namespace {

constexpr char kName[] = "cdnctl";
constexpr char kAbout[] = "Looks into a Perigee CDN through the control ports of its programs.";
constexpr char kExamples[] =
    "Examples:\n"
    "  cdnctl status                                 the fleet, as the director sees it\n"
    "  cdnctl explain 198.51.100.7                   why this client gets its replica\n"
    "  cdnctl measure 198.51.100.7                   how far it is from every replica, now\n"
    "  cdnctl drain dublin                           send its clients elsewhere, for maintenance\n"
    "  cdnctl undrain dublin                         and let its health decide again\n"
    "  cdnctl purge http://cdn.example.org/a         remove it from every replica's cache\n"
    "  cdnctl purge --tag product-7                  and what the origin tagged so\n"
    "  cdnctl warm --file urls.txt                   fetch these into every replica's cache\n"
    "  cdnctl stats                                  what every replica serves and stores\n"
    "  cdnctl reload                                 read the fleet file and the zone files again\n"
    "  cdnctl --director 192.0.2.1:4303 status       a director on another host\n"
    "  cdnctl config check --config cdn.textproto    is the fleet file right?";

// The one in the working directory, else the one that the package installs.
std::string DefaultFleetFile() {
  constexpr char kHere[] = "cdn.textproto";
  constexpr char kInstalled[] = "/etc/perigee/cdn.textproto";
  std::error_code ignored;
  const bool only_installed =
      !std::filesystem::exists(kHere, ignored) && std::filesystem::exists(kInstalled, ignored);
  return only_installed ? kInstalled : kHere;
}

struct Flags {
  std::string director = "127.0.0.1:4303", config = DefaultFleetFile(), client, replica;
};

// The fleet file is needed for its TLS files and its probers; what asks the director can do without both.
absl::StatusOr<v1::FleetConfig> FleetOf(const Flags& flags, bool required) {
  auto fleet = LoadFleetFile(flags.config);
  if (absl::IsNotFound(fleet.status()) && !required) return DefaultFleet();
  return fleet;
}

absl::StatusOr<std::string> CheckConfig(const Flags& flags) {
  const auto fleet = LoadFleetFile(flags.config);
  if (!fleet.ok()) return fleet.status();
  return flags.config + ": good; " + std::to_string(fleet->replica_size()) + " replica(s)\n";
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const v1::FleetConfig& fleet) {
  return ChannelCredentialsFor(SecurityFrom(fleet.control(), /*insecure=*/false));
}

absl::StatusOr<std::string> MeasureClient(const Flags& flags) {
  const auto fleet = FleetOf(flags, /*required=*/true);
  if (!fleet.ok()) return fleet.status();
  const auto credentials = CredentialsOf(*fleet);
  if (!credentials.ok()) return credentials.status();
  std::vector<cdnctl::Prober> probers;
  for (const auto& replica : fleet->replica()) {
    probers.push_back(
        {replica.name(), v1::Prober::NewStub(ControlChannel(ProberEndpoint(replica), *credentials))});
  }
  return cdnctl::Measure(probers, flags.client);
}

using Ask = std::function<absl::StatusOr<std::string>(v1::Director::StubInterface&)>;

absl::StatusOr<std::string> AskDirector(const Flags& flags, const Ask& ask) {
  const auto fleet = FleetOf(flags, /*required=*/false);
  if (!fleet.ok()) return fleet.status();
  const auto credentials = CredentialsOf(*fleet);
  if (!credentials.ok()) return credentials.status();
  const auto endpoint = IpEndpoint::Parse(flags.director);
  if (!endpoint.ok()) return endpoint.status();
  const auto stub = v1::Director::NewStub(ControlChannel(*endpoint, *credentials));
  return ask(*stub);
}

int AskReplicas(const Flags& flags, const cdnctl::ReplicaCommands& commands) {
  const auto fleet = FleetOf(flags, /*required=*/true);
  if (!fleet.ok()) return Fail(kName, fleet.status());
  const auto report = commands.Run(*fleet);
  if (!report.ok()) return Fail(kName, report.status());
  std::fputs(report->text.c_str(), stdout);
  return report->all_well ? 0 : 1;
}

int Run(int argc, char** argv) {
  Flags flags;
  CLI::App app(kAbout, kName);
  app.footer(kExamples);
  app.require_subcommand(0, 1);
  app.fallthrough();
  app.add_option("--director", flags.director, "Control port of the director, address:port")
      ->capture_default_str();
  app.add_option("--config", flags.config,
                 "The fleet file: replicas, probers and TLS [cdn.textproto here, else in /etc/perigee]");
  const auto add = [](CLI::App& to, const char* name, const char* help) {
    CLI::App* command = to.add_subcommand(name, help);
    command->fallthrough();
    return command;
  };
  const CLI::App* status =
      add(app, "status", "Every replica: health, control round-trip time, known distances");
  CLI::App* explain =
      add(app, "explain", "Every replica's RTT to a client as remembered, and why one was chosen");
  CLI::App* measure = add(app, "measure", "Every replica's RTT to a client, measured now");
  for (CLI::App* command : {explain, measure}) {
    command->add_option("client", flags.client, "The client's IPv4 or IPv6 address")->required();
  }
  cdnctl::ReplicaCommands replica_commands(app);
  const auto set_state = [&](const char* name, const char* help) {
    CLI::App* command = add(app, name, help);
    command->add_option("replica", flags.replica, "The replica's name in the fleet file");
    return command;
  };
  CLI::App* drain = set_state(
      "drain", "Sends no clients to a replica, until `undrain`; those connected are served to their end");
  CLI::App* undrain =
      set_state("undrain", "Lets a replica's health decide again: ends `drain` and `force-up`");
  const CLI::App* force_up =
      set_state("force-up", "Sends clients to a replica whatever its health says, until `undrain`");
  replica_commands.AddDirect(drain, undrain, &flags.replica);
  add(app, "reload", "Reads the fleet file and the zone files again; a bad file changes nothing");
  CLI::App* config = add(app, "config", "The fleet file");
  config->require_subcommand(1);
  add(*config, "check", "Says what is wrong with it, as file:line:column");
  if (const auto exit = ParseCommandLine(app, argc, argv)) return *exit;
  if (app.get_subcommands().empty()) return Fail(kName, absl::InvalidArgumentError("no command; try --help"));

  if (replica_commands.asked()) return AskReplicas(flags, replica_commands);
  if ((*drain || *undrain || *force_up) && flags.replica.empty())
    return Fail(kName, absl::InvalidArgumentError("which replica? name it as the fleet file does"));

  const Ask ask = [&](v1::Director::StubInterface& director) {
    if (*status) return cdnctl::Status(director);
    if (*explain) return cdnctl::Explain(director, flags.client);
    if (*drain) return cdnctl::SetState(director, flags.replica, v1::OPERATOR_STATE_DRAIN);
    if (*undrain) return cdnctl::SetState(director, flags.replica, v1::OPERATOR_STATE_AUTO);
    if (*force_up) return cdnctl::SetState(director, flags.replica, v1::OPERATOR_STATE_FORCE_UP);
    return cdnctl::Reload(director);
  };
  const auto text = *config ? CheckConfig(flags) : *measure ? MeasureClient(flags) : AskDirector(flags, ask);
  if (!text.ok()) return Fail(kName, text.status());
  std::fputs(text->c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace perigee

int main(int argc, char** argv) { return perigee::Run(argc, argv); }
