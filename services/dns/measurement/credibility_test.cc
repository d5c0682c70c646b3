#include "services/dns/measurement/credibility.h"

#include <array>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

constexpr ReplicaId kLiar = ReplicaId{3};

// Four replicas, each 100 ms from all others, the last of which is called near to all clients.
class CredibilityTest : public testing::Test {
 protected:
  CredibilityTest() {
    for (size_t i = 0; i < 4; ++i) {
      for (size_t j = 0; j < 4; ++j) {
        if (i != j) fleet_.SetDistance(ToReplicaId(i), ToReplicaId(j), milliseconds(100));
      }
    }
  }
  void Weigh(int clients, milliseconds liars_rtt) {
    std::array<Sample, 4> samples;
    for (size_t i = 0; i < 4; ++i)
      samples[i] = {milliseconds(20 + 10 * static_cast<int>(i)), Method::kIcmpEcho};
    samples[Index(kLiar)].rtt = liars_rtt;
    for (int i = 0; i < clients; ++i) credibility_.Weigh(samples);
  }
  void Lie(int clients) { Weigh(clients, milliseconds(1)); }
  void TellTheTruth(int clients) { Weigh(clients, milliseconds(120)); }
  bool distrusted() const { return fleet_.distrusted().Contains(kLiar); }

  FleetState fleet_{{{.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "liar"}}};
  MeasurementCounters counters_;
  FakeClock clock_;
  DistanceView distances_{fleet_, clock_};
  Credibility credibility_{fleet_, distances_, counters_};
};

TEST_F(CredibilityTest, WhoIsTooNearForManyClientsIsDistrustedAndNobodyElseIs) {
  Lie(8);
  EXPECT_FALSE(distrusted());
  Lie(8);
  EXPECT_TRUE(distrusted());
  EXPECT_EQ(fleet_.distrusted().size(), 1);
  EXPECT_EQ(counters_.contradictions.value(), 16u);
}

TEST_F(CredibilityTest, OneClientInTenIsNoReason) {
  for (int i = 0; i < 100; ++i) {
    TellTheTruth(9);
    Lie(1);
  }
  EXPECT_FALSE(distrusted());
}

TEST_F(CredibilityTest, WhoTellsTheTruthIsBelievedAgain) {
  Lie(100);
  TellTheTruth(100);
  EXPECT_TRUE(distrusted());
  TellTheTruth(200);
  EXPECT_FALSE(distrusted());
}

TEST_F(CredibilityTest, ANewGenerationForgetsNoDistrust) {
  Lie(100);
  FleetState next({{.name = "liar"}, {.name = "a"}, {.name = "b"}}, &fleet_);
  const ReplicaId liar{0};
  EXPECT_TRUE(next.distrusted().Contains(liar));
  DistanceView distances(next, clock_);
  Credibility credibility(next, distances, counters_);
  std::array<Sample, 3> samples;
  samples.fill({milliseconds(60), Method::kIcmpEcho});
  credibility.Weigh(samples);
  EXPECT_TRUE(next.distrusted().Contains(liar)) << "one true word";
}

TEST_F(CredibilityTest, ItsOwnWordOnDistancesHelpsNoLiar) {
  for (size_t i = 0; i < 3; ++i) fleet_.SetDistance(kLiar, ToReplicaId(i), milliseconds(1));
  Lie(16);
  EXPECT_TRUE(distrusted());
}

}  // namespace
}  // namespace perigee::dns
