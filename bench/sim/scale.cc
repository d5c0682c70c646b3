#include "bench/sim/scale.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <utility>

#include "bench/sim/director.h"
#include "bench/sim/probers.h"
#include "fmt/format.h"

namespace perigee::sim {
namespace {

constexpr Rtt kControlOverhead{300};
constexpr Rtt kWithin = std::chrono::milliseconds(5);
constexpr double kWithinShare = 0.10;
// The first octets of the clients' addresses begin here; each home place has a /16.
constexpr size_t kFirstNetwork = 20 << 8;
constexpr size_t kNetworksOfAPlace = 256, kMaxHomes = 50'000;
// From one moment of the terrain to the next: longer than a row stays fresh.
constexpr auto kBetweenMoments = std::chrono::hours(2);
constexpr auto kAfterwards = std::chrono::seconds(10);

struct Inhabitant {
  uint32_t place = 0;
  uint32_t number = 0;  // of its /24
  Answers answers = Answers::kIcmp;
  uint8_t access = 0;
};

IpAddress AddressOf(uint32_t number) {
  const size_t network = (kFirstNetwork << 8) + number;
  const uint8_t bytes[] = {static_cast<uint8_t>(network >> 16), static_cast<uint8_t>(network >> 8),
                           static_cast<uint8_t>(network), 1};
  return IpAddress::V4(bytes);
}

uint32_t NumberOf(const IpAddress& address) {
  const auto bytes = address.bytes();
  return (uint32_t{bytes[0]} << 16 | uint32_t{bytes[1]} << 8 | bytes[2]) - (kFirstNetwork << 8);
}

// The first places of the terrain have the replicas, the others the clients.
std::vector<Inhabitant> Settle(const ScaleSetting& setting, Random& random) {
  const size_t homes = std::min(setting.terrain->places() - setting.replicas, kMaxHomes);
  std::uniform_real_distribution<double> share(0, 1);
  std::vector<uint16_t> given(homes, 0);
  std::vector<Inhabitant> inhabitants;
  for (size_t i = 0; i < setting.clients; ++i) {
    const size_t home = i % homes;
    if (given[home] == kNetworksOfAPlace) break;
    const bool strays = share(random) < setting.population.strays;
    Inhabitant one{.place = static_cast<uint32_t>(setting.replicas + (strays ? random() % homes : home)),
                   .number = static_cast<uint32_t>(home * kNetworksOfAPlace + given[home]++)};
    one.access = static_cast<uint8_t>(random() % setting.last_miles.accesses().size());
    if (share(random) < setting.population.icmp_silent) {
      one.answers = share(random) < setting.population.all_silent ? Answers::kNothing : Answers::kTcp;
    }
    inhabitants.push_back(one);
  }
  std::shuffle(inhabitants.begin(), inhabitants.end(), random);
  return inhabitants;
}

class ScaleProbers final : public Probers {
 public:
  ScaleProbers(const ScaleSetting& setting, const std::vector<Inhabitant>& inhabitants, const Clock& clock,
               Random& random)
      : setting_(setting), inhabitants_(inhabitants), clock_(clock), random_(random) {
    for (size_t i = 0; i < inhabitants.size(); ++i) {
      const uint32_t number = inhabitants[i].number;
      if (number >= by_number_.size()) by_number_.resize(number + 1);
      by_number_[number] = static_cast<uint32_t>(i);
    }
  }

  void Measure(uint64_t flight, dns::ReplicaId replica, const IpAddress& address, uint32_t probes,
               std::chrono::milliseconds) override {
    const Inhabitant& client = inhabitants_[by_number_[NumberOf(address)]];
    const ProbeResult result = Climb({.distance = Distance(client, Index(replica)),
                                      .answers = client.answers,
                                      .excess = Excess(client),
                                      .loss = setting_.loss},
                                     {.probes = probes}, random_);
    ++calls_;
    packets_ += result.packets;
    Arrive(clock_.Now() + Control(Index(replica)) + result.took,
           {flight, replica, SampleOf(result.measurement)});
  }

  Rtt Connect(const Inhabitant& client, size_t replica) {
    const auto& moments = Excess(client)[random_() % Excess(client).size()];
    return Distance(client, replica) + *std::min_element(moments.begin(), moments.end());
  }

  Rtt Distance(const Inhabitant& client, size_t replica) const {
    return setting_.terrain->Between(replica, client.place, moment_);
  }
  // The director stands beside the first replica.
  Rtt Control(size_t replica) const {
    return replica == 0 ? Rtt(1000) : setting_.terrain->Between(0, replica, moment_);
  }
  void SetMoment(size_t moment) { moment_ = moment; }
  uint64_t calls() const { return calls_; }
  uint64_t packets() const { return packets_; }

 private:
  std::span<const LastMiles::Excess> Excess(const Inhabitant& client) const {
    return setting_.last_miles.accesses()[client.access].excess;
  }

  const ScaleSetting& setting_;
  const std::vector<Inhabitant>& inhabitants_;
  const Clock& clock_;
  Random& random_;
  std::vector<uint32_t> by_number_;
  size_t moment_ = 0;
  uint64_t calls_ = 0, packets_ = 0;
};

std::vector<dns::ReplicaInfo> InfosOf(const ScaleSetting& setting) {
  std::vector<dns::ReplicaInfo> infos;
  for (size_t i = 0; i < setting.replicas; ++i) {
    infos.push_back({.name = fmt::format("r{}", i)});
    if (setting.located) infos.back().location = setting.terrain->LocationOf(i);
  }
  return infos;
}

class AtScale {
 public:
  explicit AtScale(const ScaleSetting& setting)
      : setting_(setting),
        random_(setting.seed),
        inhabitants_(Settle(setting, random_)),
        fleet_(InfosOf(setting)),
        probers_(setting, inhabitants_, clock_, random_),
        director_(setting.flights, fleet_, probers_, clock_, 2 * inhabitants_.size() + 1024),
        answers_(inhabitants_.size()),
        nearest_(setting.terrain->places()) {}

  ScaleFigures Run() {
    const auto began = std::chrono::steady_clock::now();
    for (size_t moment = 0; moment < setting_.terrain->moments(); ++moment) Live(moment);
    figures_.clients = inhabitants_.size();
    figures_.calls = probers_.calls();
    figures_.packets = probers_.packets();
    figures_.map_rows = director_.map_rows();
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    figures_.peak_memory_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
    figures_.took =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    return std::move(figures_);
  }

 private:
  using Phase = Regrets ScaleFigures::Group::*;

  void Live(size_t moment) {
    probers_.SetMoment(moment);
    Survey(moment);
    FindNearest(moment);
    if (moment == 0) JudgeOthers();
    const MonoTime begin = clock_.Now();
    for (int round = 0; round < setting_.rounds; ++round) {
      director_.RunUntil(std::max(clock_.Now(), begin + setting_.until_asked_again * round));
      AskAll();
      if (round == 0) Judge(moment == 0 ? &ScaleFigures::Group::stranger : &ScaleFigures::Group::remembered);
      if (round == setting_.rounds - 1) Judge(&ScaleFigures::Group::known);
      ConnectAll();
    }
    director_.RunUntil(clock_.Now() + kBetweenMoments);
  }

  void Survey(size_t moment) {
    for (size_t i = 0; i < setting_.replicas; ++i) {
      const auto id = dns::ToReplicaId(i);
      fleet_.SetControlRtt(id, probers_.Control(i) + kControlOverhead);
      for (const dns::ReplicaId to : fleet_.landmarks()) {
        if (to != id) fleet_.SetDistance(id, to, setting_.terrain->Between(i, Index(to), moment));
      }
    }
  }

  void FindNearest(size_t moment) {
    for (size_t place = setting_.replicas; place < nearest_.size(); ++place) {
      nearest_[place] = Rtt::max();
      for (size_t i = 0; i < setting_.replicas; ++i) {
        nearest_[place] = std::min(nearest_[place], setting_.terrain->Between(i, place, moment));
      }
    }
  }

  void AskAll() {
    const MonoTime begin = clock_.Now();
    for (size_t i = 0; i < inhabitants_.size(); ++i) {
      director_.RunUntil(begin + setting_.between_queries * static_cast<int64_t>(i));
      director_.Ask(dns::KeyOf(AddressOf(inhabitants_[i].number)), &answers_[i]);
    }
    director_.RunUntil(clock_.Now() + kAfterwards);
  }

  ScaleFigures::Group& GroupOf(const Inhabitant& client) {
    return client.answers == Answers::kNothing ? figures_.silent : figures_.answering;
  }

  void Judge(Phase phase) {
    for (size_t i = 0; i < inhabitants_.size(); ++i) {
      const Inhabitant& client = inhabitants_[i];
      if (!answers_[i]) continue;
      (GroupOf(client).*phase).Add(probers_.Distance(client, answers_[i]->replica), nearest_[client.place]);
      if (phase == &ScaleFigures::Group::stranger) {
        GroupOf(client).answer_ms.push_back(static_cast<float>(answers_[i]->took.count()) / 1000);
      }
    }
  }

  // What other strategies would have given.
  void JudgeOthers() {
    std::vector<std::optional<size_t>> by_place(nearest_.size());
    for (const Inhabitant& client : inhabitants_) {
      auto& near = by_place[client.place];
      if (!near) near = NearestByPlace(client.place);
      auto& group = GroupOf(client);
      const Rtt best = nearest_[client.place];
      if (near) group.geography.Add(probers_.Distance(client, *near), best);
      group.random.Add(probers_.Distance(client, random_() % setting_.replicas), best);
    }
  }

  std::optional<size_t> NearestByPlace(size_t place) const {
    const auto at = setting_.terrain->LocationOf(place);
    if (!at) return std::nullopt;
    std::optional<size_t> near;
    Rtt least{};
    for (size_t i = 0; i < setting_.replicas; ++i) {
      const Rtt rtt = dns::LeastRtt(*at, *setting_.terrain->LocationOf(i));
      if (!near || rtt < least) near = i, least = rtt;
    }
    return near;
  }

  void ConnectAll() {
    for (size_t i = 0; i < inhabitants_.size(); ++i) {
      if (!answers_[i]) continue;
      const size_t replica = answers_[i]->replica;
      director_.OnPassive(dns::ToReplicaId(replica), {ClientPrefix(AddressOf(inhabitants_[i].number)),
                                                      probers_.Connect(inhabitants_[i], replica)});
    }
  }

  const ScaleSetting& setting_;
  Random random_;
  FakeClock clock_;
  const std::vector<Inhabitant> inhabitants_;
  dns::FleetState fleet_;
  ScaleProbers probers_;
  Director director_;
  std::vector<std::optional<Answer>> answers_;  // the last ones
  std::vector<Rtt> nearest_;                    // by place, at this moment
  ScaleFigures figures_;
};

float Quantile(std::vector<float>& values, double share) {
  if (values.empty()) return NAN;
  const auto at = values.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

std::string ToJson(Regrets& regrets) {
  double sum = 0;
  for (const float ms : regrets.ms) sum += ms;
  const auto n = static_cast<double>(regrets.ms.size());
  return fmt::format(R"({{"n":{},"within":{:.3f},"p50":{:.3f},"p90":{:.3f},"p99":{:.3f},"mean":{:.3f}}})",
                     regrets.ms.size(), 100 * static_cast<double>(regrets.within) / n,
                     Quantile(regrets.ms, 0.5), Quantile(regrets.ms, 0.9), Quantile(regrets.ms, 0.99),
                     sum / n);
}

std::string ToJson(ScaleFigures::Group& group) {
  std::vector<std::string> phases;
  const auto add = [&phases](const char* name, Regrets& regrets) {
    if (!regrets.ms.empty()) phases.push_back(fmt::format(R"("{}":{})", name, ToJson(regrets)));
  };
  add("random", group.random);
  add("geography", group.geography);
  add("Perigee, stranger", group.stranger);
  add("Perigee, remembered", group.remembered);
  add("Perigee, known", group.known);
  return fmt::format(R"({{"answer_p50":{:.1f},"answer_p90":{:.1f},"phases":{{{}}}}})",
                     Quantile(group.answer_ms, 0.5), Quantile(group.answer_ms, 0.9), fmt::join(phases, ","));
}

}  // namespace

void Regrets::Add(Rtt had, Rtt best) {
  const Rtt cost = had - best;
  ms.push_back(static_cast<float>(cost.count()) / 1000);
  within += cost <= std::max(kWithin, std::chrono::duration_cast<Rtt>(kWithinShare * best));
}

ScaleFigures SimulateAtScale(const ScaleSetting& setting) { return AtScale(setting).Run(); }

std::string ToJson(ScaleFigures f) {
  return fmt::format(
      R"({{"clients":{},"calls":{},"packets":{},"map_rows":{},"peak_memory_bytes":{},"took_ms":{},)"
      R"("answering":{},"silent":{}}})",
      f.clients, f.calls, f.packets, f.map_rows, f.peak_memory_bytes, f.took.count(), ToJson(f.answering),
      ToJson(f.silent));
}

}  // namespace perigee::sim
