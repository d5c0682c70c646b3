// Map, board and known clients together on a fake clock, with a fleet that is never at rest. Seeded: a
// failure repeats itself.
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/dns/director/known_clients.h"
#include "services/dns/measurement/flight_board.h"
#include "services/dns/measurement/testing_permit.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kFleet = 64;
constexpr size_t kClients = 10'000;
constexpr int kQueries = 60'000;

std::vector<ReplicaInfo> Infos() {
  std::vector<ReplicaInfo> infos;
  for (size_t i = 0; i < kFleet; ++i) infos.push_back({.name = "r" + std::to_string(i)});
  return infos;
}

ClientKey NthClient(size_t n) {
  const uint8_t bytes[4] = {20, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n), 9};
  return KeyOf(IpAddress::V4(bytes));
}

bool NearerByEnough(const Sample& left, const Sample& taken) {
  const auto share = std::chrono::duration_cast<Rtt>(left.rtt * kHysteresisShare);
  return left.rtt - taken.rtt > std::max(kHysteresisFloor, share);
}

// Replicas and clients stand on a circle of 200 ms; each measurement adds up to 4 ms of its own.
class Simulation : public ProberCalls {
 public:
  Simulation(uint32_t seed, bool band) : random_(seed), last_home_(kClients) {
    options_.rules.band = band;
    options_.ages.soft = seconds(60);
    clients_.emplace(map_, fleet_, options_);
    board_.emplace(FlightOptions{.rules = options_.rules}, fleet_, map_, *this, clock_, permit_);
    for (size_t i = 0; i < kFleet; ++i) fleet_.SetControlRtt(ToReplicaId(i), milliseconds(20));
  }

  void Run() {
    for (int i = 0; i < kQueries; ++i) {
      if (i % 20 == 0) Churn();
      Query(random_() % kClients);
      Pass(milliseconds(random_() % 20));
    }
    Pass(seconds(10));
    EXPECT_EQ(answered_, asked_);
    EXPECT_EQ(board_->flights(), 0u);
    EXPECT_GT(from_map_, kQueries / 2);
    EXPECT_GT(away_, 100) << "the churn was no test";
    EXPECT_GT(moved_, 0) << "hysteresis was no test";
  }

  void Measure(uint64_t flight, ReplicaId replica, const IpAddress& client, uint32_t, milliseconds) override {
    const auto bytes = client.bytes();
    const size_t n = size_t{bytes[1]} << 8 | bytes[2];
    const double apart =
        std::abs(static_cast<double>(Index(replica)) / kFleet - static_cast<double>(n) / kClients);
    const Rtt rtt(static_cast<int>(5000 + 200'000 * std::min(apart, 1 - apart)) +
                  static_cast<int>(random_() % 4000));
    const uint32_t fate = random_() % 20;
    const Sample sample = fate == 0   ? Sample{}
                          : fate == 1 ? Sample{Rtt{}, Method::kSilent}
                                      : Sample{rtt, Method::kIcmpEcho};
    arrivals_.insert({clock_.Now() + milliseconds(20) + rtt, {flight, replica, sample}});
  }

 private:
  struct Arrival {
    uint64_t flight;
    ReplicaId replica;
    Sample sample;
  };

  void Churn() {
    const ReplicaId id = ToReplicaId(random_() % kFleet);
    switch (random_() % 4) {
      case 0:
        return fleet_.SetUp(Part::kServer, id, random_() % 2 == 0);
      case 1:
        return fleet_.SetUp(Part::kProber, id, random_() % 3 != 0);
      case 2:
        return fleet_.SetOverloaded(id, random_() % 3 == 0);
      default:  // now and then a whole region goes, or all
        const bool up = random_() % 100 != 0;
        for (size_t i = 0; i < kFleet; ++i) fleet_.SetUp(Part::kServer, ToReplicaId(i), up);
    }
  }

  void Query(size_t n) {
    const ClientKey client = NthClient(n);
    ++asked_;
    KnownClient known;
    if (!clients_->Find(client, clock_.Now(), &known)) {
      return board_->Park(client, [this, n](const FlightOutcome* outcome) {
        ASSERT_NE(outcome, nullptr);
        Check(n, outcome->decision);
      });
    }
    ++from_map_;
    Check(n, known.decision);
    KnownClient again;
    MapRow row;
    EXPECT_TRUE(clients_->Find(client, clock_.Now(), &again, &row));
    EXPECT_EQ(again.decision.replica, known.decision.replica) << "the short look and the long one agree";
    EXPECT_EQ(again.decision.reason, known.decision.reason);
    if (known.stale && clients_->AskRefresh(client, clock_.Now())) board_->Refresh(client);
  }

  void Check(size_t n, const Decision& given) {
    ++answered_;
    const ReplicaSet usable = Usable(kFleet, fleet_.healthy(), fleet_.overloaded());
    EXPECT_TRUE(usable.Contains(given.replica)) << Word(given.reason);
    EXPECT_EQ(given.reason == Reason::kAllDown, fleet_.healthy().empty());
    MapRow row;
    const bool known = map_.Find(NthClient(n).prefix, &row);
    const auto before = std::exchange(last_home_[n], std::nullopt);
    const bool settled = known && row.decision.reason != Reason::kHashed;
    if (settled && before && *before != given.replica && usable.Contains(*before)) {
      ++moved_;
      const Sample& left = row.samples[Index(*before)];
      EXPECT_TRUE(!left.measured() || NearerByEnough(left, Best(row)))
          << n << ": " << left.rtt.count() << " left for " << row.samples[Index(given.replica)].rtt.count();
    }
    if (settled && row.decision.replica == given.replica) last_home_[n] = given.replica;
    away_ += settled && row.decision.replica != given.replica;
  }

  static Sample Best(const MapRow& row) {
    return row.samples[Index(*Nearest({row.samples.data(), kFleet}, ReplicaSet::All(kFleet)))];
  }

  // Answers arrive and time-outs fall in their order.
  void Pass(std::chrono::nanoseconds time) {
    const MonoTime until = clock_.Now() + time;
    while (true) {
      const auto due = board_->next_due();
      const MonoTime arrival = arrivals_.empty() ? MonoTime::max() : arrivals_.begin()->first;
      const MonoTime next = std::min(due.value_or(MonoTime::max()), arrival);
      if (next > until) break;
      clock_.Advance(std::max(MonoTime::duration{}, next - clock_.Now()));
      if (next != arrival) {
        board_->OnTime();
        continue;
      }
      const Arrival a = arrivals_.extract(arrivals_.begin()).mapped();
      board_->OnAnswer(a.flight, a.replica, a.sample);
    }
    clock_.Advance(until - clock_.Now());
  }

  std::mt19937 random_;
  FakeClock clock_;
  FleetState fleet_{Infos()};
  RttMap map_{kFleet, 100'000, MonoTime{}};
  SteeringOptions options_;
  std::optional<KnownClients> clients_;
  OpenPermit permit_;
  std::optional<FlightBoard> board_;
  std::multimap<MonoTime, Arrival> arrivals_;
  std::vector<std::optional<ReplicaId>> last_home_;  // the home of those who were given it last
  int asked_ = 0, answered_ = 0, from_map_ = 0, away_ = 0, moved_ = 0;
};

TEST(SteeringSimulation, EveryClientGetsAUsableReplicaAndLeavesItOnlyForOneNearerByEnough) {
  Simulation(1, /*band=*/false).Run();
}

TEST(SteeringSimulation, TheSameHoldsWithTheBand) { Simulation(2, /*band=*/true).Run(); }

}  // namespace
}  // namespace perigee::dns
