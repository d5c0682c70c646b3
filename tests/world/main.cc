// world: an Internet on one machine, for tests and demos. README.md in this folder says how to use it.
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "lib/program/program.h"
#include "tests/world/commands.h"

namespace {

using perigee::world::CheckOptions;
using perigee::world::UpOptions;

struct Options {
  UpOptions up;
  CheckOptions check;
  std::string description, a, b;
  std::vector<std::string> set;
};

void AddUp(CLI::App& app, UpOptions& up) {
  CLI::App* command =
      app.add_subcommand("up", "Bring a world up; it runs until SIGTERM, SIGINT or world down");
  command->add_option("--description", up.description, "Description file, such as tests/world/earth.world")
      ->required();
  command->add_option("--select", up.select, "Just these hosts, or all of these roles")->delimiter(',');
  command->add_option("--seed", up.seed, "Of loss and jitter")->capture_default_str();
  command->add_option("--ready-fd", up.ready_fd, "Descriptor to which to write the ready line too");
  command->add_option("--ready-file", up.ready_file, "File to which to write the ready line too");
}

void AddCheck(CLI::App& app, CheckOptions& check) {
  CLI::App* command =
      app.add_subcommand("check", "Measure every pair's RTT at once; exit 1 if the mean is off");
  command
      ->add_option_function<int>(
          "--seconds", [&check](int seconds) { check.duration = std::chrono::seconds(seconds); },
          "How long (3)")
      ->check(CLI::Range(1, 3600));
  command->add_option("--rate", check.echoes_per_pair_per_second, "Echoes per pair and second, at most")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

void AddQueries(CLI::App& app, Options& options) {
  CLI::App* hosts = app.add_subcommand("hosts", "List the running world's hosts, or a description's");
  hosts->add_option("--description", options.description, "Description file");
  CLI::App* rtt = app.add_subcommand("rtt", "The RTT of two hosts in ms");
  rtt->add_option("a", options.a, "Host")->required();
  rtt->add_option("b", options.b, "Host")->required();
  rtt->add_option("--description", options.description, "Description file");
}

void AddControl(CLI::App& app, Options& options) {
  app.add_subcommand("down", "Stop the running world and remove what any earlier one has left");
  app.add_subcommand("stats", "What became of the running world's packets");
  CLI::App* set = app.add_subcommand(
      "set",
      "Change the running world: icmp HOST block|allow, link HOST [HOST] cut|restore, loss HOST [HOST] 5%, "
      "rtt HOST HOST 120ms, jitter HOST 0.5ms, rate HOST 100mbit|unlimited");
  set->add_option("words", options.set, "KNOB HOST [HOST] VALUE")->required();
  app.add_subcommand("exec", "Run a command in a host: world exec HOST -- COMMAND [ARGUMENT…]")
      ->prefix_command();
}

int Run(CLI::App& app, const Options& options) {
  namespace world = perigee::world;
  if (app.got_subcommand("up")) return world::Up(options.up);
  if (app.got_subcommand("down")) return world::Down();
  if (app.got_subcommand("check")) return world::Check(options.check);
  if (app.got_subcommand("hosts")) return world::Hosts(options.description);
  if (app.got_subcommand("rtt")) return world::PrintRtt(options.a, options.b, options.description);
  if (app.got_subcommand("stats")) return world::Request("stats");
  if (app.got_subcommand("set")) return world::Request(fmt::format("set {}", fmt::join(options.set, " ")));
  return world::Exec(app.get_subcommand("exec")->remaining());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("An Internet on one machine: emulated hosts with the delays of real cities", "world");
  app.require_subcommand(1);
  Options options;
  AddUp(app, options.up);
  AddCheck(app, options.check);
  AddQueries(app, options);
  AddControl(app, options);
  if (const auto exit_code = perigee::ParseCommandLine(app, argc, argv)) return *exit_code;
  return Run(app, options);
}
