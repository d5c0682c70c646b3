// What an answer costs before the kernel sees it: known clients' queries through the responder, the director
// and the map, as a listener calls them. Prints nanoseconds a query, the best of some rounds.
//
// usage: dns_answer_cost [CLIENTS]   networks that ask by turns; 1 by default
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "lib/dns_wire/testing/message.h"
#include "services/dns/director/steering_director.h"
#include "services/dns/measurement/testing_permit.h"
#include "services/dns/responder/responder.h"
#include "services/dns/responder/testing/desk.h"

namespace perigee::dns {
namespace {

constexpr int kRounds = 7, kQueries = 2'000'000;
constexpr size_t kReplicas = 3;
constexpr size_t kMaxPrefixes = 1 << 20;

std::vector<ReplicaInfo> Replicas() {
  std::vector<ReplicaInfo> replicas;
  for (size_t i = 0; i < kReplicas; ++i) {
    replicas.push_back({.name = "r", .ipv4 = IpAddress::Parse("192.0.2.1").value(), .ipv6 = {}});
  }
  return replicas;
}

// In an order that no cache foresees.
std::vector<IpAddress> Clients(size_t count) {
  std::vector<IpAddress> clients;
  for (uint32_t i = 0; i < count; ++i) {
    const std::array<uint8_t, 4> bytes = {static_cast<uint8_t>(1 + (i >> 16)), static_cast<uint8_t>(i >> 8),
                                          static_cast<uint8_t>(i), 7};
    clients.push_back(IpAddress::V4(bytes));
  }
  std::shuffle(clients.begin(), clients.end(), std::mt19937(1));
  return clients;
}

// A director that has measured the clients.
struct Direction {
  explicit Direction(const std::vector<IpAddress>& clients_known) {
    MapRow row{.decision = {ToReplicaId(1), Reason::kMeasuredBest},
               .rules = options.rules.Fingerprint(),
               .measured_at = clock.Now()};
    for (const IpAddress& client : clients_known) map.Put(ClientPrefix(client), row);
  }

  SystemClock clock;
  boost::asio::io_context loop;
  FleetState fleet{Replicas()};
  RttMap map{kReplicas, kMaxPrefixes, clock.Now()};
  ProberClient probers{{}};
  SteeringOptions options;
  KnownClients clients{map, fleet, options};
  OpenPermit permit;
  MeasurementLoop measurement{loop, FlightOptions{}, fleet, map, probers, clock, permit};
  SteeringDirector director{clients, fleet, measurement, options};
};

double NanosecondsPerQuery(Responder& responder, std::span<const uint8_t> query,
                           const std::vector<IpAddress>& clients, MonoTime now) {
  std::array<uint8_t, kEdnsUdpLimit> out;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kQueries; ++i) {
    const Asker asker{clients[static_cast<size_t>(i) % clients.size()], Transport::kUdp, now};
    if (responder.Answer(query, asker, out).action != Action::kSend) return -1;
  }
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() /
         kQueries;
}

int Run(size_t count) {
  const std::vector<IpAddress> clients = Clients(count);
  Direction direction(clients);
  testing::Desk desk(&direction.director);
  const auto responder = desk.NewResponder();
  const testing::Bytes query = testing::MakeQuery({.name = "cdn.example.org"});
  std::vector<double> costs;
  for (int i = 0; i < kRounds; ++i) {
    costs.push_back(NanosecondsPerQuery(*responder, query, clients, direction.clock.Now()));
  }
  const double best = *std::min_element(costs.begin(), costs.end());
  std::printf("%.1f ns\n", best);
  return best > 0 ? 0 : 1;
}

}  // namespace
}  // namespace perigee::dns

int main(int argc, char** argv) {
  return perigee::dns::Run(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1);
}
