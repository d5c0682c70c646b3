#include "bench/sim/probers.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace perigee::sim {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSilentAfter{1500}, kEchoPatience{1000};
constexpr Rtt kHaltTakes{1000};
// What a router takes at most to write an error, which is not its trade.
constexpr double kRouterTakesUs = 2000;

// The last mile's moods, one probe after the other.
class Moods {
 public:
  Moods(std::span<const LastMiles::Excess> excess, Random& random) : excess_(excess), random_(random) {}
  Rtt Next() {
    if (used_ == triple_.size()) {
      triple_ = excess_[random_() % excess_.size()];
      used_ = 0;
    }
    return triple_[used_++];
  }

 private:
  std::span<const LastMiles::Excess> excess_;
  Random& random_;
  LastMiles::Excess triple_{};
  size_t used_ = triple_.size();
};

}  // namespace

dns::Sample SampleOf(const Measurement& measurement) {
  if (measurement.method == ProbeMethod::kSilent) return {Rtt{}, dns::Method::kSilent};
  const Rtt least = *std::min_element(measurement.rtts.begin(), measurement.rtts.end());
  switch (measurement.method) {
    case ProbeMethod::kIcmpEcho:
      return {least, dns::Method::kIcmpEcho};
    case ProbeMethod::kLastHop:
      return {least, dns::Method::kLastHop};
    default:
      return {least, dns::Method::kTcpSyn};
  }
}

ProbeResult Climb(const Target& target, const LadderPlan& plan, Random& random) {
  const uint32_t probes = plan.probes;
  const MonoTime start{};
  Ladder ladder(plan, start, start + kSilentAfter + kEchoSpacing * (probes - 1));
  Moods moods(target.excess, random);
  std::uniform_real_distribution<double> share(0, 1);
  const auto lost = [&] { return share(random) < target.loss; };

  std::vector<Rtt> echoes;
  MonoTime icmp_end = start + kEchoSpacing * (probes - 1) + kEchoPatience;
  if (target.answers == Answers::kIcmp) {
    MonoTime all_in = start;
    for (uint32_t i = 0; i < probes; ++i) {
      const Rtt rtt = target.distance + moods.Next();
      if (lost()) continue;
      echoes.push_back(rtt);
      all_in = std::max(all_in, start + kEchoSpacing * i + rtt);
    }
    if (echoes.size() == probes) icmp_end = all_in;
  }
  std::optional<MonoTime> icmp_due = icmp_end, tcp_due, hop_due;
  Rtt handshake{}, floor{};
  bool traced = false;
  MonoTime now = start;
  while (!ladder.result()) {
    now = ladder.wake();
    if (icmp_due) now = std::min(now, *icmp_due);
    if (tcp_due) now = std::min(now, *tcp_due);
    if (hop_due) now = std::min(now, *hop_due);
    Ladder::Actions actions;
    if (icmp_due == now) {
      icmp_due.reset();
      actions = ladder.OnIcmpEnd(probes, echoes, now);
    } else if (tcp_due == now) {
      tcp_due.reset();
      actions = ladder.OnTcpAnswer(handshake, now);
    } else if (hop_due == now) {
      hop_due.reset();
      actions = ladder.OnHopReply({.ttl = kMaxHop - 2, .from = {}, .rtt = floor}, now);
    } else {
      actions = ladder.OnTimer(now);
    }
    if (actions.halt_icmp && icmp_due) icmp_due = now + kHaltTakes;
    if (actions.start_tcp && target.answers == Answers::kTcp && !lost()) {
      handshake = target.distance + moods.Next();
      tcp_due = now + handshake;
    }
    if (actions.hops.empty()) continue;
    if (!traced && target.floor > Rtt::zero() && !lost()) {
      floor = target.floor + Rtt(static_cast<int64_t>(share(random) * kRouterTakesUs));
      hop_due = now + floor;
    }
    traced = true;
    ladder.OnHopsSent(static_cast<uint32_t>(actions.hops.size()), now);
  }
  return {*ladder.result(), std::chrono::duration_cast<Rtt>(now - start), ladder.packets_sent()};
}

SimulatedProbers::SimulatedProbers(const Geography& geography, const LastMiles& last_miles, size_t director,
                                   std::vector<size_t> replicas, const std::vector<Client>& clients,
                                   double loss, const Clock& clock, Random& random)
    : geography_(geography),
      last_miles_(last_miles),
      director_(director),
      replicas_(std::move(replicas)),
      clients_(clients),
      loss_(loss),
      clock_(clock),
      random_(random),
      watched_(clients.size()) {
  for (size_t i = 0; i < replicas_.size(); ++i) memories_.emplace_back(clients_.size());
  for (size_t i = 0; i < clients_.size(); ++i) by_address_[clients_[i].address] = i;
}

// Of each path always the same.
Rtt SimulatedProbers::FloorOf(size_t client, dns::ReplicaId replica) const {
  const Answers answers = clients_[client].answers;
  const Rtt distance = geography_.Between(replicas_[Index(replica)], clients_[client].place);
  if (answers == Answers::kEdge) return distance;
  if (answers != Answers::kSomeHop) return {};
  Random path(client * dns::kMaxReplicas + Index(replica));
  return std::max(Rtt(1),
                  std::chrono::duration_cast<Rtt>(distance * std::uniform_real_distribution(0.0, 1.0)(path)));
}

void SimulatedProbers::Measure(uint64_t flight, dns::ReplicaId replica, const IpAddress& address,
                               uint32_t probes, milliseconds) {
  const size_t number = by_address_.at(address);
  const Client& client = clients_[number];
  const size_t place = replicas_[Index(replica)];
  RungMemory& memory = memories_[Index(replica)];
  const ProbeResult result = liar_ == replica
                                 ? ProbeResult{{ProbeMethod::kIcmpEcho, {kLie}, probes}, kLie, probes}
                                 : Climb({.distance = geography_.Between(place, client.place),
                                          .answers = client.answers,
                                          .floor = FloorOf(number, replica),
                                          .excess = last_miles_.accesses()[client.access].excess,
                                          .loss = loss_},
                                         memory.PlanFor(address, {.probes = probes}), random_);
  memory.Learn(address, result.measurement);
  packets_ += result.packets;
  const Rtt took = geography_.Between(director_, place) + result.took;
  const dns::Sample sample = SampleOf(result.measurement);
  Arrive(clock_.Now() + took, {flight, replica, sample});

  Watched& watched = watched_[number];
  if (watched.samples.empty()) watched.samples.resize(replicas_.size());
  if (dns::Sample& first = watched.samples[Index(replica)];
      probes == 1 && first.method == dns::Method::kUnknown) {
    first = sample;
    watched.last_answer = std::max(watched.last_answer, took);
    if (sample.measured() && (watched.first_answer == Rtt{} || took < watched.first_answer)) {
      watched.first_answer = took;
    }
  }
}

Rtt SimulatedProbers::Connect(size_t client, size_t replica) {
  const auto& excess = last_miles_.accesses()[clients_[client].access].excess;
  const auto& moments = excess[random_() % excess.size()];
  return geography_.Between(replicas_[replica], clients_[client].place) +
         *std::min_element(moments.begin(), moments.end());
}

}  // namespace perigee::sim
