#include "services/dns/steering/contradiction.h"

#include <vector>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

constexpr auto kMs = Rtt(1000);

Sample Ping(int ms) { return {ms * kMs, Method::kIcmpEcho}; }

// Four replicas in a row, 100 ms from one to the next.
class WhoIsTooNearTest : public testing::Test {
 protected:
  WhoIsTooNearTest() : distances_(4) {
    for (size_t i = 0; i < 4; ++i) {
      for (size_t j = 0; j < i; ++j) {
        distances_.Set(ToReplicaId(i), ToReplicaId(j), 100 * static_cast<int>(i - j) * kMs);
      }
    }
  }
  ReplicaDistances distances_;
};

TEST_F(WhoIsTooNearTest, NobodyWhenAllAgree) {
  EXPECT_EQ(WhoIsTooNear(std::vector{Ping(10), Ping(100), Ping(200), Ping(300)}, distances_), std::nullopt);
}

TEST_F(WhoIsTooNearTest, DetoursAreNoContradiction) {
  // 10 and 60 for replicas that are 100 apart, and alike.
  EXPECT_EQ(WhoIsTooNear(std::vector{Ping(10), Ping(60), Ping(110), Ping(160)}, distances_), std::nullopt);
}

TEST_F(WhoIsTooNearTest, TheOneThatIsNearToEverybody) {
  const std::vector<Sample> samples{Ping(10), Ping(100), Ping(200), Ping(1)};
  EXPECT_EQ(WhoIsTooNear(samples, distances_), std::nullopt) << "one pair says nothing";
  EXPECT_EQ(WhoIsTooNear(std::vector{Ping(10), Ping(60), Ping(160), Ping(1)}, distances_), ToReplicaId(3));
  EXPECT_EQ(WhoIsTooNear(std::vector{Ping(1), Ping(70), Ping(20), Ping(30)}, distances_), ToReplicaId(0));
}

TEST_F(WhoIsTooNearTest, NobodyWhenTheClientIsAtManyPlaces) {
  EXPECT_EQ(WhoIsTooNear(std::vector{Ping(1), Ping(1), Ping(1), Ping(1)}, distances_), std::nullopt);
}

TEST_F(WhoIsTooNearTest, OnlyProbesCount) {
  std::vector<Sample> samples{Ping(10), Ping(60), Ping(160), Ping(1)};
  samples[3].method = Method::kPassive;
  EXPECT_EQ(WhoIsTooNear(samples, distances_), std::nullopt);
  samples[3] = {{}, Method::kSilent};
  EXPECT_EQ(WhoIsTooNear(samples, distances_), std::nullopt);
}

TEST_F(WhoIsTooNearTest, UnknownDistancesSayNothing) {
  EXPECT_EQ(WhoIsTooNear(std::vector{Ping(10), Ping(60), Ping(160), Ping(1)}, ReplicaDistances(4)),
            std::nullopt);
}

}  // namespace
}  // namespace perigee::dns
