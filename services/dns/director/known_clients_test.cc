#include "services/dns/director/known_clients.h"

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ClientKey kClient = KeyOf(*IpAddress::Parse("198.18.7.7"));

class KnownClientsTest : public testing::Test {
 protected:
  void Put(Reason reason = Reason::kMeasuredBest) {
    MapRow row{.decision = {ToReplicaId(1), reason}, .measured_at = clock_.Now()};
    if (reason != Reason::kHashed) {
      for (int i = 0; i < 3; ++i)
        row.samples[static_cast<size_t>(i)] = {milliseconds(30 - 10 * (i == 1)), Method::kIcmpEcho};
    }
    row.rules = options_.rules.Fingerprint();
    map_.Put(kClient.prefix, row);
  }

  FakeClock clock_;
  FleetState fleet_{{{.name = "a"}, {.name = "b"}, {.name = "c"}}};
  RttMap map_{3, 1000, clock_.Now()};
  SteeringOptions options_{.ages = {.soft = seconds(3600), .hard = seconds(86'400)}};
  KnownClients clients_{map_, fleet_, options_};
  KnownClient known_;
};

TEST_F(KnownClientsTest, AStrangerIsUnknown) { EXPECT_FALSE(clients_.Find(kClient, clock_.Now(), &known_)); }

TEST_F(KnownClientsTest, AnswersFromTheMapUntilTheHardAgeAndIsStaleFromTheSoftAge) {
  Put();
  ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
  EXPECT_EQ(known_.decision.replica, ToReplicaId(1));
  EXPECT_FALSE(known_.stale);
  clock_.Advance(seconds(3601));
  ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
  EXPECT_TRUE(known_.stale);
  EXPECT_EQ(known_.age, seconds(3601));
  clock_.Advance(seconds(86'400));
  EXPECT_FALSE(clients_.Find(kClient, clock_.Now(), &known_));
}

TEST_F(KnownClientsTest, ALostReplicaGivesItsClientsToTheNextNearest) {
  Put();
  fleet_.SetUp(Part::kServer, ToReplicaId(1), false);
  ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
  EXPECT_NE(known_.decision.replica, ToReplicaId(1));
  EXPECT_EQ(known_.decision.reason, Reason::kMeasuredBest);
}

TEST_F(KnownClientsTest, ALostProberKeepsItsReplicasClients) {
  Put();
  fleet_.SetUp(Part::kProber, ToReplicaId(1), false);
  ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
  EXPECT_EQ(known_.decision.replica, ToReplicaId(1));
}

TEST_F(KnownClientsTest, AClientThatNobodyMeasuredIsTriedAgainAfterAMinute) {
  for (const Reason reason : {Reason::kHashed, Reason::kNeighbour, Reason::kGeography, Reason::kLeastFloor}) {
    Put(reason);
    clock_.Advance(seconds(60));
    ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
    EXPECT_FALSE(known_.stale) << Word(reason);
    clock_.Advance(seconds(1));
    ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
    EXPECT_TRUE(known_.stale) << Word(reason);
  }
}

TEST_F(KnownClientsTest, ClientsFollowADrainAndAnOverloadAtOnceAndComeBackAfterIt) {
  Put();
  fleet_.SetOverloaded(ToReplicaId(1), true);
  ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
  EXPECT_EQ(known_.decision.replica, ToReplicaId(0));
  EXPECT_EQ(known_.decision.reason, Reason::kShed);
  EXPECT_EQ(known_.sample.rtt, milliseconds(30));
  fleet_.SetUp(Part::kServer, ToReplicaId(0), false);
  ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
  EXPECT_EQ(known_.decision.replica, ToReplicaId(2));
  fleet_.SetUp(Part::kServer, ToReplicaId(0), true);
  fleet_.SetOverloaded(ToReplicaId(1), false);
  ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
  EXPECT_EQ(known_.decision.replica, ToReplicaId(1));
  EXPECT_EQ(known_.decision.reason, Reason::kMeasuredBest);
}

TEST_F(KnownClientsTest, ClientsFollowOtherWeightsAndTheBandWithTheirNextQuery) {
  Put(Reason::kHashed);  // by the weights of before
  SteeringOptions heavy = options_;
  heavy.rules.weights = {10'000, 1, 1};
  const KnownClients reloaded(map_, fleet_, heavy);
  ASSERT_TRUE(reloaded.Find(kClient, clock_.Now(), &known_));
  EXPECT_EQ(known_.decision.replica, ToReplicaId(0));

  Put();
  ASSERT_TRUE(reloaded.Find(kClient, clock_.Now(), &known_));
  EXPECT_EQ(known_.decision.replica, ToReplicaId(1)) << "the nearest is so whatever it weighs";
  heavy.rules.band = true;
  MapRow near{.decision = {ToReplicaId(1), Reason::kMeasuredBest}, .measured_at = clock_.Now()};
  near.samples.assign(kWholeFleet, {milliseconds(20), Method::kIcmpEcho});
  map_.Put(kClient.prefix, near);
  const KnownClients banded(map_, fleet_, heavy);
  ASSERT_TRUE(banded.Find(kClient, clock_.Now(), &known_));
  EXPECT_EQ(known_.decision.replica, ToReplicaId(0));
  EXPECT_EQ(known_.decision.reason, Reason::kBand);
}

TEST_F(KnownClientsTest, ExploresOnlyWhenItIsToldTo) {
  Put();
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(seconds(1));
    ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
    EXPECT_EQ(known_.decision.replica, ToReplicaId(1));
  }
  options_.exploration_share = 1;
  ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
  EXPECT_NE(known_.decision.replica, ToReplicaId(1));
  EXPECT_EQ(known_.decision.reason, Reason::kExploration);
  EXPECT_EQ(known_.sample.rtt, milliseconds(30));
}

TEST_F(KnownClientsTest, ExploresNoReplicaThatIsDownOverloadedOrKnownToBeMuchFarther) {
  MapRow row{.decision = {ToReplicaId(1), Reason::kMeasuredBest}, .measured_at = clock_.Now()};
  row.samples[0] = {milliseconds(80), Method::kPassive};
  row.samples[1] = {milliseconds(20), Method::kPassive};
  row.samples[2] = {milliseconds(30), Method::kPassive};
  map_.Put(kClient.prefix, row);
  options_.exploration_share = 1;
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(seconds(1));
    ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
    EXPECT_EQ(known_.decision.replica, ToReplicaId(2)) << "60 ms farther, or the client's own";
  }
  fleet_.SetOverloaded(ToReplicaId(2), true);
  ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
  EXPECT_EQ(known_.decision.reason, Reason::kMeasuredBest) << "nobody to explore";
}

TEST_F(KnownClientsTest, ExplainedClientsAndOverridesAreNotExplored) {
  Put();
  options_.exploration_share = 1;
  MapRow row;
  ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_, &row));
  EXPECT_EQ(known_.decision.reason, Reason::kMeasuredBest);
  EXPECT_EQ(clients_.Explorables(kClient, known_.decision, {row.samples.data(), 3}).size(), 2);
  EXPECT_TRUE(
      clients_.Explorables(kClient, {ToReplicaId(1), Reason::kOverride}, {row.samples.data(), 3}).empty());
}

TEST_F(KnownClientsTest, AResolverWithTheReplicaOfItsClientsIsNoSilentOneAndDoesNotExplore) {
  Put(Reason::kClientele);
  options_.exploration_share = 1;
  clock_.Advance(seconds(61));
  ASSERT_TRUE(clients_.Find(kClient, clock_.Now(), &known_));
  EXPECT_EQ(known_.decision.reason, Reason::kClientele);
  EXPECT_FALSE(known_.stale);
}

TEST_F(KnownClientsTest, AStrangerCanBeGivenWhatIsUpWithoutAMeasurement) {
  fleet_.SetUp(Part::kServer, ToReplicaId(1), false);
  fleet_.SetUp(Part::kServer, ToReplicaId(2), false);
  const KnownClient stranger = clients_.Stranger(kClient);
  EXPECT_EQ(stranger.decision.replica, ToReplicaId(0));
  EXPECT_EQ(stranger.decision.reason, Reason::kHashed);
}

}  // namespace
}  // namespace perigee::dns
