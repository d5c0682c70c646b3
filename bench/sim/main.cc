// Runs one simulation and prints each client's story as a line of JSON, for bench/sim/run.py to read.
#include <CLI/CLI.hpp>

#include "bench/sim/replay.h"
#include "bench/sim/report.h"
#include "bench/sim/scale.h"
#include "bench/sim/simulation.h"
#include "fmt/format.h"

namespace perigee::sim {
namespace {

// As many as there are clients.
constexpr size_t kMaxFlights = 1'000'000;
// From one stranger's query to the next one's, at scale.
constexpr std::chrono::milliseconds kBetweenManyQueries{2};

struct Flags {
  std::string geography, last_miles, director, liar, replay;
  std::vector<std::string> replicas, accesses;
  uint64_t seed = 1;
  uint64_t hold_ms = 500;
  Setting setting;
  // At scale.
  std::string hosts;
  size_t places = 0;
  bool unlocated = false;
  ScaleSetting scale;
};

void Declare(CLI::App& app, Flags& flags) {
  Setting& s = flags.setting;
  flags.setting.flights.refinement_probes = 5;
  app.add_option("--replay", flags.replay, "a measurement log, in place of all that is made up");
  app.add_option("--geography", flags.geography, "places and RTTs between them; see geography.h");
  app.add_option("--last-miles", flags.last_miles, "what last miles add; see last_mile.txt");
  app.add_option("--access", flags.accesses, "a kind of last mile; with several, clients are spread evenly");
  app.add_option("--director", flags.director, "the director's place");
  app.add_option("--replica", flags.replicas, "a replica's place; may be repeated");
  app.add_option("--lying", flags.liar, "a replica that says it is near to everybody");
  app.add_option("--seed", flags.seed)->capture_default_str();
  app.add_option("--clients", s.population.per_place, "clients at each place")->capture_default_str();
  app.add_option("--icmp-silent", s.population.icmp_silent, "share of clients that ignore pings")
      ->capture_default_str();
  app.add_option("--all-silent", s.population.all_silent, "share of those that answer TCP neither")
      ->capture_default_str();
  app.add_option("--edge-answers", s.population.edge_answers,
                 "share of those before whom their network's last router answers")
      ->capture_default_str();
  app.add_option("--some-hop-answers", s.population.some_hop_answers,
                 "share of those before whom some hop answers, anywhere on each path")
      ->capture_default_str();
  app.add_option("--strays", s.population.strays, "share of clients with another place's numbers")
      ->capture_default_str();
  app.add_option("--loss", s.loss, "share of probes lost")->capture_default_str();
  app.add_option("--hold-ms", flags.hold_ms, "how long a query is held")->capture_default_str();
  app.add_option("--rounds", s.rounds, "how often each client asks")
      ->check(CLI::Range(2, 100))
      ->capture_default_str();
  app.add_option("--exploration", s.exploration_share, "share of answers that explore")
      ->capture_default_str();
  app.add_option("--max-asked", s.flights.max_asked, "replicas that measure one client")
      ->capture_default_str();
  app.add_option("--hosts", flags.hosts, "at scale, among hosts that measured each other; see terrain.h");
  app.add_option("--sphere", flags.places, "at scale, clients at so many places of a made-up sphere");
  app.add_option("--scale-replicas", flags.scale.replicas)->capture_default_str();
  app.add_option("--scale-clients", flags.scale.clients)->capture_default_str();
  app.add_flag("--unlocated", flags.unlocated, "at scale, the fleet file does not say where replicas are");
  app.add_option("--refinement-probes", s.flights.refinement_probes, "1: no refinement")
      ->capture_default_str();
}

absl::StatusOr<size_t> PlaceOf(const Geography& geography, const std::string& name) {
  const auto place = geography.Find(name);
  if (!place) return absl::InvalidArgumentError(fmt::format("no place '{}'", name));
  return *place;
}

absl::Status Prepare(Flags& flags) {
  Setting& setting = flags.setting;
  auto geography = Geography::Read(flags.geography);
  if (!geography.ok()) return geography.status();
  auto last_miles = LastMiles::Read(flags.last_miles, flags.accesses);
  if (!last_miles.ok()) return last_miles.status();
  setting.geography = *std::move(geography);
  setting.last_miles = *std::move(last_miles);
  const auto director = PlaceOf(setting.geography, flags.director);
  if (!director.ok()) return director.status();
  setting.director = *director;
  for (const std::string& name : flags.replicas) {
    const auto place = PlaceOf(setting.geography, name);
    if (!place.ok()) return place.status();
    if (name == flags.liar) setting.liar = setting.replicas.size();
    setting.replicas.push_back(*place);
  }
  if (!flags.liar.empty() && !setting.liar) {
    return absl::InvalidArgumentError(fmt::format("--lying: no replica '{}'", flags.liar));
  }
  if (setting.replicas.size() > dns::kMaxReplicas) {
    return absl::InvalidArgumentError(fmt::format("more than {} replicas", dns::kMaxReplicas));
  }
  return absl::OkStatus();
}

Report ReportOf(const Setting& setting, const Story& story) {
  constexpr std::string_view kAnswers[] = {"icmp", "tcp", "edge", "some-hop", "nothing"};
  Report report{.packets = story.packets, .map_rows = story.map_rows, .clients = {}};
  for (const ClientStory& c : story.clients) {
    ClientReport client{.name = setting.geography.places()[c.client.place].name,
                        .answers = std::string(kAnswers[static_cast<size_t>(c.client.answers)])};
    for (const size_t replica : setting.replicas) {
      client.truth.push_back(setting.geography.Between(replica, c.client.place));
      client.kilometres.push_back(setting.geography.Kilometres(replica, c.client.place));
    }
    client.samples = c.measured.samples;
    client.first_answer = c.measured.first_answer;
    client.last_answer = c.measured.last_answer;
    client.first = c.first;
    client.again = c.again;
    report.clients.push_back(std::move(client));
  }
  return report;
}

absl::StatusOr<Report> Run(Flags& flags) {
  if (!flags.replay.empty()) {
    const auto recording = Recording::Read(flags.replay);
    if (!recording.ok()) return recording.status();
    return Replay(*recording, flags.setting.flights);
  }
  if (const absl::Status status = Prepare(flags); !status.ok()) return status;
  Random random(flags.seed);
  return ReportOf(flags.setting, Simulate(flags.setting, random));
}

absl::StatusOr<ScaleFigures> RunAtScale(Flags& flags) {
  ScaleSetting& scale = flags.scale;
  static_cast<CommonSetting&>(scale) = flags.setting;
  scale.between_queries = kBetweenManyQueries;
  auto last_miles = LastMiles::Read(flags.last_miles, flags.accesses);
  if (!last_miles.ok()) return last_miles.status();
  scale.last_miles = *std::move(last_miles);
  absl::StatusOr<std::unique_ptr<Terrain>> terrain =
      flags.hosts.empty() ? MakeSphere(scale.replicas + flags.places, flags.seed) : ReadHosts(flags.hosts);
  if (!terrain.ok()) return terrain.status();
  if (scale.replicas == 0 || scale.replicas > dns::kMaxReplicas || scale.replicas >= (*terrain)->places()) {
    return absl::InvalidArgumentError(fmt::format("{} replicas are none, or too many", scale.replicas));
  }
  scale.terrain = terrain->get();
  scale.located = !flags.unlocated;
  scale.seed = flags.seed;
  return SimulateAtScale(scale);
}

int Main(int argc, char** argv) {
  CLI::App app("Simulates a director and its fleet; bench/sim/run.py makes a table of it.");
  Flags flags;
  Declare(app, flags);
  CLI11_PARSE(app, argc, argv);
  flags.setting.flights.hold = std::chrono::milliseconds(flags.hold_ms);
  flags.setting.flights.max_flights = kMaxFlights;
  if (!flags.hosts.empty() || flags.places > 0) {
    auto figures = RunAtScale(flags);
    if (!figures.ok()) {
      fmt::print(stderr, "sim: {}\n", std::string(figures.status().message()));
      return 2;
    }
    fmt::print("{}\n", ToJson(*std::move(figures)));
    return 0;
  }
  const auto report = Run(flags);
  if (!report.ok()) {
    fmt::print(stderr, "sim: {}\n", std::string(report.status().message()));
    return 2;
  }
  Print(*report);
  return 0;
}

}  // namespace
}  // namespace perigee::sim

int main(int argc, char** argv) { return perigee::sim::Main(argc, argv); }
