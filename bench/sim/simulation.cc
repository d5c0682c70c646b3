#include "bench/sim/simulation.h"

#include <algorithm>

#include "bench/sim/director.h"

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

class Simulation {
 public:
  Simulation(const Setting& setting, Random& random)
      : setting_(setting),
        fleet_(Infos(setting)),
        clients_(Populate(setting.geography, ClientPlaces(setting), setting.last_miles, setting.population,
                          random)),
        probers_(setting.geography, setting.last_miles, setting.director, setting.replicas, clients_,
                 setting.loss, clock_, random),
        director_(setting.flights, fleet_, probers_, clock_, 8 * clients_.size(), setting.exploration_share) {
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
      director_.RunUntil(std::max(clock_.Now(), start + setting_.until_asked_again * i));
      Connect(i == 1 ? &ClientStory::first : &ClientStory::again, story);
      Round(clock_.Now(), &ClientStory::again, story);
    }
    director_.RunUntil(clock_.Now() + std::chrono::seconds(10));
    for (size_t i = 0; i < clients_.size(); ++i) story.clients[i].measured = probers_.watched()[i];
    story.packets = probers_.packets();
    story.map_rows = director_.map_rows();
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
      director_.RunUntil(begin + setting_.between_queries * static_cast<int64_t>(i));
      director_.Ask(dns::KeyOf(clients_[i].address), &(story.clients[i].*which));
    }
  }

  // Each client fetches something from the replica that it was given.
  void Connect(std::optional<Answer> ClientStory::*which, const Story& story) {
    for (size_t i = 0; i < clients_.size(); ++i) {
      const std::optional<Answer>& answer = story.clients[i].*which;
      if (!answer) continue;
      director_.OnPassive(dns::ToReplicaId(answer->replica),
                          {ClientPrefix(clients_[i].address), probers_.Connect(i, answer->replica)});
    }
  }

  const Setting& setting_;
  FakeClock clock_;
  dns::FleetState fleet_;
  const std::vector<Client> clients_;
  SimulatedProbers probers_;
  Director director_;
};

}  // namespace

Story Simulate(const Setting& setting, Random& random) { return Simulation(setting, random).Run(); }

}  // namespace perigee::sim
