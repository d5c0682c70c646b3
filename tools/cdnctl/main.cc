// cdnctl: the operator's one command. Every subcommand is a call on control ports, shown as a table.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "google/protobuf/text_format.h"
#include "lib/config/fleet.h"
#include "lib/config/fleet_parts.h"
#include "lib/program/program.h"
#include "lib/rpc/control.h"
#include "tools/cdnctl/commands.h"
#include "tools/cdnctl/keys_commands.h"
#include "tools/cdnctl/replica_commands.h"
#include "tools/cdnctl/top.h"

namespace perigee {
namespace {

using cdnctl::Format;
using cdnctl::Report;

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
    "  cdnctl top                                    requests, hits and health, every two seconds\n"
    "  cdnctl reload                                 read the fleet file and the zone files again\n"
    "  cdnctl keys init                              an authority, for `keys issue` to make certificates\n"
    "  cdnctl --director 192.0.2.1:4303 status       a director on another host\n"
    "  cdnctl config check --config cdn.textproto    is the fleet file right?\n"
    "  cdnctl status --json | jq .director.replicas  for programs: proto/perigee/v1/cdnctl.proto\n"
    "Exit status: 0; 1 when it was not done; 2 when the command line or a file is wrong; 3 when some "
    "replicas "
    "did as told and others did not, or were not reached.";

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
  std::string director = "127.0.0.1:4303", config = DefaultFleetFile(), identity, client, replica;
  bool json = false;
  double interval_s = 2;
  uint64_t count = 0;

  Format format() const { return json ? Format::kJson : Format::kTable; }
};

// The fleet file is needed for its TLS files and its replicas; what asks the director can do without both.
absl::StatusOr<v1::FleetConfig> FleetOf(const Flags& flags, bool required) {
  auto fleet = LoadFleetFile(flags.config);
  if (absl::IsNotFound(fleet.status()) && !required) fleet = DefaultFleet();
  if (!fleet.ok() || flags.identity.empty()) return fleet;
  const std::filesystem::path own = flags.identity;
  fleet->mutable_control()->set_ca_file((own / "ca.pem").string());
  fleet->mutable_control()->set_certificate_file((own / "cert.pem").string());
  fleet->mutable_control()->set_key_file((own / "key.pem").string());
  return fleet;
}

absl::StatusOr<Report> CheckConfig(const Flags& flags) {
  const auto fleet = LoadFleetFile(flags.config);
  if (!fleet.ok()) return fleet.status();
  if (flags.json) {
    v1::ConfigReport report;
    report.set_file(flags.config);
    report.set_replicas(static_cast<uint32_t>(fleet->replica_size()));
    return Report{cdnctl::ToJson(report)};
  }
  return Report{flags.config + ": good; " + std::to_string(fleet->replica_size()) + " replica(s)\n"};
}

absl::StatusOr<Report> ShowConfig(const Flags& flags) {
  const auto fleet = LoadFleetFile(flags.config);
  if (!fleet.ok()) return fleet.status();
  if (flags.json) return Report{cdnctl::ToJson(*fleet)};
  Report report;
  google::protobuf::TextFormat::PrintToString(*fleet, &report.text);
  return report;
}

absl::StatusOr<CallerCredentials> CredentialsOf(const v1::FleetConfig& fleet) {
  return CallerCredentials::For(SecurityFrom(fleet.control(), /*insecure=*/false));
}

absl::StatusOr<Report> MeasureClient(const Flags& flags) {
  const auto fleet = FleetOf(flags, /*required=*/true);
  if (!fleet.ok()) return fleet.status();
  const auto credentials = CredentialsOf(*fleet);
  if (!credentials.ok()) return credentials.status();
  std::vector<cdnctl::Prober> probers;
  for (const auto& replica : fleet->replica()) {
    probers.push_back(
        {replica.name(), v1::Prober::NewStub(ControlChannel(ProberEndpoint(replica), *credentials))});
  }
  return cdnctl::Measure(probers, flags.client, flags.format());
}

using AskOfDirector =
    std::function<absl::StatusOr<Report>(v1::Director::StubInterface&, const std::vector<cdnctl::Replica>&)>;

absl::StatusOr<Report> AskDirector(const Flags& flags, const AskOfDirector& ask) {
  const auto fleet = FleetOf(flags, /*required=*/false);
  if (!fleet.ok()) return fleet.status();
  const auto credentials = CredentialsOf(*fleet);
  if (!credentials.ok()) return credentials.status();
  const auto replicas = cdnctl::ReplicasOf(*fleet);
  if (!replicas.ok()) return replicas.status();
  const auto endpoint = IpEndpoint::Parse(flags.director);
  if (!endpoint.ok()) return endpoint.status();
  const auto stub = v1::Director::NewStub(ControlChannel(*endpoint, *credentials));
  return ask(*stub, *replicas);
}

absl::StatusOr<Report> AskReplicas(const Flags& flags, const cdnctl::ReplicaCommands& commands) {
  const auto fleet = FleetOf(flags, /*required=*/true);
  if (!fleet.ok()) return fleet.status();
  return commands.Run(*fleet, flags.format());
}

absl::StatusOr<Report> ShowTop(const Flags& flags, v1::Director::StubInterface& director,
                               const std::vector<cdnctl::Replica>& replicas) {
  const cdnctl::TopOptions options{
      .interval = std::chrono::milliseconds(static_cast<int64_t>(flags.interval_s * 1000)),
      .count = flags.count,
      .format = flags.format(),
      .clears_screen = !flags.json && ::isatty(STDOUT_FILENO) == 1};
  if (absl::Status status = cdnctl::Top(director, replicas, options); !status.ok()) return status;
  return Report{};
}

void DeclareFlags(CLI::App& app, Flags& flags) {
  app.add_option("--director", flags.director, "Control port of the director, address:port")
      ->capture_default_str();
  app.add_option("--config", flags.config,
                 "The fleet file: replicas, probers and TLS [cdn.textproto here, else in /etc/perigee]");
  app.add_option(
         "--identity", flags.identity,
         "A folder with ca.pem, cert.pem and key.pem to show who you are, as `keys issue` makes it [the "
         "fleet file's control section]")
      ->envname("PERIGEE_IDENTITY");
  app.add_flag("--json", flags.json, "Print JSON, for programs");
}

CLI::App* Add(CLI::App& to, const char* name, const char* help) {
  CLI::App* command = to.add_subcommand(name, help);
  command->fallthrough();
  return command;
}

// All subcommands, in the order of --help.
struct Commands {
  Commands(CLI::App& app, Flags& flags);

  bool sets_state() const { return *drain || *undrain || *force_up; }
  v1::OperatorState state() const {
    if (*drain) return v1::OPERATOR_STATE_DRAIN;
    return *force_up ? v1::OPERATOR_STATE_FORCE_UP : v1::OPERATOR_STATE_AUTO;
  }

  CLI::App *status, *top, *explain, *measure, *drain, *undrain, *force_up, *reload;
  cdnctl::ReplicaCommands replicas;
  CLI::App *config, *config_check, *config_show;
  cdnctl::KeysCommands keys;
};

Commands::Commands(CLI::App& app, Flags& flags)
    : status(Add(app, "status", "Every replica: health, control round-trip time, load, hit ratio, version")),
      top(Add(app, "top", "The fleet at work: requests, hits and clients, again and again")),
      explain(Add(app, "explain", "Every replica's RTT to a client as remembered, and why one was chosen")),
      measure(Add(app, "measure", "Every replica's RTT to a client, measured now")),
      drain(Add(app, "drain",
                "Sends no clients to a replica, until `undrain`; those connected are served to their end")),
      undrain(Add(app, "undrain", "Lets a replica's health decide again: ends `drain` and `force-up`")),
      force_up(Add(app, "force-up", "Sends clients to a replica whatever its health says, until `undrain`")),
      reload(Add(app, "reload", "Reads the fleet file and the zone files again; a bad file changes nothing")),
      replicas(app),
      config(Add(app, "config", "The fleet file")),
      config_check(Add(*config, "check", "Says what is wrong with it, as file:line:column")),
      config_show(Add(*config, "show", "Prints it as it is understood, with the defaults filled in")),
      keys(app) {
  for (CLI::App* command : {explain, measure})
    command->add_option("client", flags.client, "The client's IPv4 or IPv6 address")->required();
  for (CLI::App* command : {drain, undrain, force_up})
    command->add_option("replica", flags.replica, "The replica's name in the fleet file");
  replicas.AddDirect(drain, undrain, &flags.replica);
  config->require_subcommand(1);
  top->add_option("--interval", flags.interval_s, "Seconds between two reports")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  top->add_option("--count", flags.count, "How many reports; 0 is without end")->capture_default_str();
}

absl::StatusOr<Report> RunCommand(const Commands& command, const Flags& flags) {
  const Format format = flags.format();
  if (*command.config_check) return CheckConfig(flags);
  if (*command.config_show) return ShowConfig(flags);
  if (command.keys.asked()) return command.keys.Run(format, ::isatty(STDOUT_FILENO) == 1);
  if (command.replicas.asked()) return AskReplicas(flags, command.replicas);
  if (*command.measure) return MeasureClient(flags);
  if (command.sets_state() && flags.replica.empty())
    return absl::InvalidArgumentError("which replica? name it as the fleet file does");
  return AskDirector(flags, [&](auto& director, const auto& replicas) -> absl::StatusOr<Report> {
    if (*command.status) return cdnctl::Status(director, replicas, format);
    if (*command.top) return ShowTop(flags, director, replicas);
    if (*command.explain) return cdnctl::Explain(director, flags.client, format);
    if (command.sets_state()) return cdnctl::SetState(director, flags.replica, command.state(), format);
    return cdnctl::Reload(director, format);
  });
}

int Run(int argc, char** argv) {
  Flags flags;
  CLI::App app(kAbout, kName);
  app.footer(kExamples);
  app.require_subcommand(0, 1);
  app.fallthrough();
  DeclareFlags(app, flags);
  Commands commands(app, flags);
  if (const auto exit = ParseCommandLine(app, argc, argv)) return *exit;
  if (app.get_subcommands().empty()) return Fail(kName, absl::InvalidArgumentError("no command; try --help"));
  const auto report = RunCommand(commands, flags);
  if (!report.ok()) return Fail(kName, report.status());
  std::fputs(report->text.c_str(), stdout);
  return static_cast<int>(report->obeyed);
}

}  // namespace
}  // namespace perigee

int main(int argc, char** argv) { return perigee::Run(argc, argv); }
