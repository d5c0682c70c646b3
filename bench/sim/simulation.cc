#include "bench/sim/simulation.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/dns/director/known_clients.h"

namespace perigee::sim {
namespace {

// Between the control RTT of the heartbeat and what a call takes.
constexpr Rtt kControlOverhead{300};

std::vector<dns::ReplicaInfo> Infos(const Setting& setting) {
  std::vector<dns::ReplicaInfo> infos;
  for (const size_t place : setting.replicas) {
    infos.push_back({.name = setting.geography.places()[place].name});
  }
  return infos;
}

class Director {
 public:
  Director(const Setting& setting, Random& random)
      : setting_(setting),
        fleet_(Infos(setting)),
        clients_(Populate(setting.geography, ClientPlaces(setting), setting.last_miles, setting.population,
                          random)),
        probers_(setting.geography, setting.last_miles, setting.director, setting.replicas, clients_,
                 setting.loss, clock_, random),
        map_(setting.replicas.size(), 2 * clients_.size() + 1024, MonoTime{}),
        known_(map_, fleet_, options_),
        board_(setting.flights, fleet_, map_, probers_, clock_,
               [](const IpAddress&, MonoTime) { return absl::OkStatus(); }) {
    if (setting.liar) probers_.Lie(dns::ToReplicaId(*setting.liar));
    const auto& replicas = setting.replicas;
    for (size_t i = 0; i < replicas.size(); ++i) {
      const auto id = dns::ToReplicaId(i);
      fleet_.SetControlRtt(id, setting.geography.Between(setting.director, replicas[i]) + kControlOverhead);
      for (size_t j = 0; j < replicas.size(); ++j) {
        if (i != j) fleet_.SetDistance(id, dns::ToReplicaId(j), DistanceAsMeasured(i, j));
      }
    }
  }

  Story Run() {
    Story story;
    for (const Client& client : clients_) story.clients.push_back({.client = client});
    const MonoTime start = clock_.Now();
    Round(start, &ClientStory::first, story);
    for (int i = 1; i < setting_.rounds; ++i) {
      RunUntil(std::max(clock_.Now(), start + setting_.until_asked_again * i));
      Connect(i == 1 ? &ClientStory::first : &ClientStory::again, story);
      Round(clock_.Now(), &ClientStory::again, story);
    }
    RunUntil(clock_.Now() + std::chrono::seconds(10));
    for (size_t i = 0; i < clients_.size(); ++i) story.clients[i].measured = probers_.watched()[i];
    story.packets = probers_.packets();
    story.map_rows = map_.size();
    return story;
  }

 private:
  Rtt DistanceAsMeasured(size_t from, size_t to) const {
    if (setting_.liar == from) return kLie;
    return setting_.geography.Between(setting_.replicas[from], setting_.replicas[to]);
  }

  static std::vector<size_t> ClientPlaces(const Setting& setting) {
    std::vector<size_t> places;
    for (size_t i = 0; i < setting.geography.places().size(); ++i) places.push_back(i);
    return places;
  }

  void Round(MonoTime begin, std::optional<Answer> ClientStory::*which, Story& story) {
    for (size_t i = 0; i < clients_.size(); ++i) {
      RunUntil(begin + setting_.between_queries * static_cast<int64_t>(i));
      Ask(dns::KeyOf(clients_[i].address), &(story.clients[i].*which));
    }
  }

  // Each client fetches something from the replica that it was given.
  void Connect(std::optional<Answer> ClientStory::*which, const Story& story) {
    for (size_t i = 0; i < clients_.size(); ++i) {
      const std::optional<Answer>& answer = story.clients[i].*which;
      if (!answer) continue;
      const dns::PassiveRtt rtt{ClientPrefix(clients_[i].address), probers_.Connect(i, answer->replica)};
      board_.OnPassive(dns::ToReplicaId(answer->replica), {&rtt, 1});
    }
  }

  // As the responder does it.
  void Ask(const dns::ClientKey& client, std::optional<Answer>* answer) {
    const MonoTime asked = clock_.Now();
    dns::KnownClient known;
    if (known_.Find(client, asked, &known)) {
      *answer = {Index(known.decision.replica), known.decision.reason, Rtt{}};
      if (known.stale && known_.AskRefresh(client, asked)) board_.Refresh(client);
      return;
    }
    board_.Park(client, [this, asked, answer](const dns::FlightOutcome* outcome) {
      if (outcome == nullptr) return;
      *answer = {Index(outcome->decision.replica), outcome->decision.reason,
                 std::chrono::duration_cast<Rtt>(clock_.Now() - asked)};
    });
  }

  void RunUntil(MonoTime until) {
    while (true) {
      const MonoTime due = board_.next_due().value_or(MonoTime::max());
      const MonoTime next = std::min(due, probers_.next());
      if (next > until) break;
      clock_.Advance(std::max(MonoTime::duration{}, next - clock_.Now()));
      if (due <= probers_.next()) {
        board_.OnTime();
      } else {
        const auto arrival = probers_.Take();
        board_.OnAnswer(arrival.flight, arrival.replica, arrival.sample);
      }
    }
    clock_.Advance(until - clock_.Now());
  }

  const Setting& setting_;
  FakeClock clock_;
  dns::FleetState fleet_;
  const std::vector<Client> clients_;
  SimulatedProbers probers_;
  dns::RttMap map_;
  const dns::SteeringOptions options_;
  const dns::KnownClients known_;
  dns::FlightBoard board_;
};

}  // namespace

Story Simulate(const Setting& setting, Random& random) { return Director(setting, random).Run(); }

}  // namespace perigee::sim
