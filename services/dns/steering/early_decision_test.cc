#include "services/dns/steering/early_decision.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "services/dns/steering/choose.h"
#include "tests/world/world_description.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

ReplicaSet Set(std::initializer_list<int> ids) {
  ReplicaSet set;
  for (const int id : ids) set.Add(ToReplicaId(static_cast<size_t>(id)));
  return set;
}

const std::vector<Rtt> kControl = {milliseconds(10), milliseconds(50), milliseconds(100)};

TEST(DecidedAt, IsTheLastMomentAtWhichAnOutstandingReplicaCouldStillBeNearer) {
  const ReplicaDistances unknown(3);
  const FlightProgress progress{
      .best = ToReplicaId(0), .best_rtt = milliseconds(30), .outstanding = Set({1, 2})};
  EXPECT_EQ(DecidedAt(progress, kControl, unknown), milliseconds(100 + 30) + kControlSlack);
}

TEST(DecidedAt, CountsWhatTheProbersSpentThemselves) {
  const ReplicaDistances unknown(3);
  const FlightProgress progress{.best = ToReplicaId(0),
                                .best_rtt = milliseconds(30),
                                .overhead = milliseconds(60),
                                .outstanding = Set({1})};
  EXPECT_EQ(DecidedAt(progress, kControl, unknown), milliseconds(50 + 30 + 60) + kControlSlack);
}

TEST(DecidedAt, AReplicaTooFarFromTheBestIsOutAtOnce) {
  ReplicaDistances distances(3);
  distances.Set(ToReplicaId(0), ToReplicaId(1), milliseconds(66));
  distances.Set(ToReplicaId(2), ToReplicaId(0), milliseconds(65));
  FlightProgress progress{.best = ToReplicaId(0), .best_rtt = milliseconds(30), .outstanding = Set({1})};
  EXPECT_EQ(DecidedAt(progress, kControl, distances), Rtt::zero());
  progress.outstanding = Set({2});
  EXPECT_GT(DecidedAt(progress, kControl, distances), Rtt::zero()) << "65 < 2.2 * 30";
}

TEST(DecidedAt, IsUnknownWhileAControlRttIs) {
  const std::vector<Rtt> control = {milliseconds(10), Rtt::zero(), milliseconds(100)};
  ReplicaDistances distances(3);
  FlightProgress progress{.best = ToReplicaId(0), .best_rtt = milliseconds(30), .outstanding = Set({1, 2})};
  EXPECT_EQ(DecidedAt(progress, control, distances), std::nullopt);
  distances.Set(ToReplicaId(0), ToReplicaId(1), milliseconds(200));
  EXPECT_NE(DecidedAt(progress, control, distances), std::nullopt)
      << "its distance rules it out all the same";
}

TEST(DecidedAt, NobodyOutstandingIsDecided) {
  const FlightProgress progress{.best = ToReplicaId(0), .best_rtt = milliseconds(30)};
  EXPECT_EQ(DecidedAt(progress, kControl, ReplicaDistances(3)), Rtt::zero());
}

// The real matrix: 9 replicas, a director in Washington, and every client city (tests/world/earth.world).
class OnTheEarth : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = world::LoadWorld("tests/world/earth.world");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    world_.emplace(*std::move(loaded));
    replicas_ = world_->WithRole(world::Role::kReplica);
    director_ = world_->WithRole(world::Role::kDirector).at(0);
    distances_.emplace(replicas_.size());
    for (size_t a = 0; a < replicas_.size(); ++a) {
      control_.push_back(world_->Rtt(director_, replicas_[a]));
      for (size_t b = 0; b < a; ++b) {
        distances_->Set(ToReplicaId(a), ToReplicaId(b), world_->Rtt(replicas_[a], replicas_[b]));
      }
    }
  }

  struct Result {
    ReplicaId choice{};
    Rtt at{};
  };

  // Answers arrive control + RTT after the start; the decision falls at the first moment that settles it.
  Result Decide(world::HostId client, const ReplicaDistances& distances) const {
    std::vector<size_t> order(replicas_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const auto arrival = [&](size_t i) { return control_[i] + world_->Rtt(replicas_[i], client); };
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return arrival(a) < arrival(b); });

    std::vector<Sample> samples(replicas_.size());
    ReplicaSet outstanding = ReplicaSet::All(replicas_.size());
    for (size_t k = 0; k < order.size(); ++k) {
      samples[order[k]] = {world_->Rtt(replicas_[order[k]], client), Method::kIcmpEcho};
      outstanding.Remove(ToReplicaId(order[k]));
      const ReplicaId best = *Nearest(samples, ReplicaSet::All(replicas_.size()));
      const FlightProgress progress{best, samples[Index(best)].rtt, Rtt{}, outstanding};
      const Rtt settled = std::max(arrival(order[k]), *DecidedAt(progress, control_, distances));
      if (k + 1 == order.size() || settled < arrival(order[k + 1])) return {best, settled};
    }
    return {};
  }

  Result WaitForAll(world::HostId client) const {
    Result result;
    std::vector<Sample> samples(replicas_.size());
    for (size_t i = 0; i < replicas_.size(); ++i) {
      samples[i] = {world_->Rtt(replicas_[i], client), Method::kIcmpEcho};
      result.at = std::max(result.at, control_[i] + samples[i].rtt);
    }
    result.choice = *Nearest(samples, ReplicaSet::All(replicas_.size()));
    return result;
  }

  std::optional<world::World> world_;
  std::vector<world::HostId> replicas_;
  world::HostId director_{};
  std::vector<Rtt> control_;
  std::optional<ReplicaDistances> distances_;
};

std::string Summary(std::vector<Rtt> times) {
  std::sort(times.begin(), times.end());
  const auto ms = [](Rtt rtt) { return static_cast<double>(rtt.count()) / 1000; };
  const Rtt sum = std::accumulate(times.begin(), times.end(), Rtt{});
  return fmt::format("mean {:5.1f} ms, median {:5.1f} ms", ms(sum) / static_cast<double>(times.size()),
                     ms(times[times.size() / 2]));
}

TEST_F(OnTheEarth, TheEarlyDecisionIsThatOfWaitingForAllOnEveryRowAndSooner) {
  const ReplicaDistances unknown(replicas_.size());
  std::vector<Rtt> all, by_time, early;
  for (const world::HostId client : world_->WithRole(world::Role::kClient)) {
    const Result truth = WaitForAll(client);
    const Result time_only = Decide(client, unknown);
    const Result both = Decide(client, *distances_);
    EXPECT_EQ(time_only.choice, truth.choice) << world_->host(client).name;
    EXPECT_EQ(both.choice, truth.choice) << world_->host(client).name;
    EXPECT_LE(time_only.at, truth.at);
    EXPECT_LE(both.at, time_only.at);
    all.push_back(truth.at);
    by_time.push_back(time_only.at);
    early.push_back(both.at);
  }
  ASSERT_GE(all.size(), 48u);
  fmt::print(
      "{} clients, {} replicas, one choice\n  wait for all        {}\n  time alone          {}\n"
      "  time and triangle   {}\n",
      all.size(), replicas_.size(), Summary(all), Summary(by_time), Summary(early));
}

}  // namespace
}  // namespace perigee::dns
