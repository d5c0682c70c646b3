// cdnctl: the operator's one command. Every subcommand is one call on a control port, shown as a table.
#include <cstdio>
#include <string>

#include "lib/config/fleet.h"
#include "lib/program/program.h"
#include "lib/rpc/control.h"
#include "tools/cdnctl/commands.h"

namespace perigee {
namespace {

constexpr char kName[] = "cdnctl";

int Run(int argc, char** argv) {
  CLI::App app("Looks at and steers a Perigee CDN through the control port of its director.", kName);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  cdnctl status                                 the fleet, as the director sees it\n"
      "  cdnctl explain 198.51.100.7                   why this client gets its replica\n"
      "  cdnctl --director 192.0.2.1:4303 status       a director on another host\n"
      "  cdnctl config check --config cdn.textproto    is the fleet file right?");

  std::string director = "127.0.0.1:4303", config = "cdn.textproto", client;
  app.add_option("--director", director, "Control port of the director, address:port")->capture_default_str();
  app.add_option("--config", config, "Fleet file; its control section names the TLS files")
      ->capture_default_str();
  CLI::App* status = app.add_subcommand("status", "Every replica: health and control round-trip time");
  CLI::App* explain =
      app.add_subcommand("explain", "Every replica's RTT to a client, and why one was chosen");
  explain->add_option("client", client, "The client's IPv4 or IPv6 address")->required();
  CLI::App* config_app = app.add_subcommand("config", "The fleet file");
  config_app->require_subcommand(1);
  CLI::App* check = config_app->add_subcommand("check", "Says what is wrong with it, as file:line:column");
  for (CLI::App* sub : {status, explain, config_app, check}) sub->fallthrough();
  if (const auto exit = ParseCommandLine(app, argc, argv)) return *exit;

  auto fleet = LoadFleetFile(config);
  if (*check) {
    if (!fleet.ok()) return Fail(kName, fleet.status());
    std::printf("%s: good; %d replica(s)\n", config.c_str(), fleet->replica_size());
    return 0;
  }
  // Without a fleet file there is no TLS to speak, which is all that it is needed for here.
  if (absl::IsNotFound(fleet.status())) fleet = DefaultFleet();
  if (!fleet.ok()) return Fail(kName, fleet.status());
  const auto endpoint = IpEndpoint::Parse(director);
  if (!endpoint.ok()) return Fail(kName, endpoint.status());
  const auto credentials = ChannelCredentialsFor({.ca_file = fleet->control().ca_file(),
                                                  .certificate_file = fleet->control().certificate_file(),
                                                  .key_file = fleet->control().key_file()});
  if (!credentials.ok()) return Fail(kName, credentials.status());
  const auto stub = v1::Director::NewStub(ControlChannel(*endpoint, *credentials));
  const auto table = *status ? cdnctl::Status(*stub) : cdnctl::Explain(*stub, client);
  if (!table.ok()) return Fail(kName, table.status());
  std::fputs(table->c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace perigee

int main(int argc, char** argv) { return perigee::Run(argc, argv); }
