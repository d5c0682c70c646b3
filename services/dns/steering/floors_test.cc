#include "services/dns/steering/floors.h"

#include <array>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

// Four replicas on a line, 100 ms from one to the next.
ReplicaDistances OnALine() {
  ReplicaDistances distances(4);
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < i; ++j) distances.Set(ToReplicaId(i), ToReplicaId(j), milliseconds(100 * (i - j)));
  }
  return distances;
}

Sample Floor(int ms) { return {milliseconds(ms), Method::kLastHop}; }

class AgreeingFloorsTest : public testing::Test {
 protected:
  bool Agree(const std::array<Sample, 4>& samples) { return AgreeingFloors(samples, distances_, out_); }
  const ReplicaDistances distances_ = OnALine();
  std::array<Sample, 4> out_{};
};

TEST_F(AgreeingFloorsTest, FloorsOfOnePlaceAgree) {
  EXPECT_TRUE(Agree({Floor(10), Floor(90), Floor(190), Floor(290)}));
  for (const Sample& sample : out_) EXPECT_TRUE(sample.is_floor());
}

TEST_F(AgreeingFloorsTest, APathThatIsDarkFromTheStartIsLeftOut) {
  EXPECT_TRUE(Agree({Floor(10), Floor(90), Floor(190), Floor(1)}));
  EXPECT_FALSE(out_[3].is_floor()) << "the client cannot be beside both ends";
  EXPECT_TRUE(out_[0].is_floor());
}

TEST_F(AgreeingFloorsTest, PathsThatAreAllDarkSayNothing) {
  EXPECT_FALSE(Agree({Floor(1), Floor(1), Floor(1), Floor(1)}));
  for (const Sample& sample : out_) EXPECT_FALSE(sample.is_floor());
}

TEST_F(AgreeingFloorsTest, WhereMuchIsDarkTheRestSaysNothing) {
  EXPECT_FALSE(Agree({Floor(10), Floor(1), Floor(190), Floor(1)})) << "two of four contradict the others";
}

TEST_F(AgreeingFloorsTest, TwoAreNotEnough) {
  EXPECT_FALSE(Agree({Floor(10), Floor(90), Sample{Rtt{}, Method::kSilent}, Sample{}}));
  EXPECT_FALSE(out_[0].is_floor());
}

TEST_F(AgreeingFloorsTest, ASmallFleetAgreesAsAWhole) {
  const std::array<Sample, 2> both = {Floor(10), Floor(90)}, one = {Floor(10), Sample{}};
  std::array<Sample, 2> out;
  EXPECT_TRUE(AgreeingFloors(both, ReplicaDistances(2), out));
  EXPECT_FALSE(AgreeingFloors(one, ReplicaDistances(2), out));
}

TEST_F(AgreeingFloorsTest, AMeasurementIsAWitnessAndNoFloor) {
  EXPECT_TRUE(Agree({Floor(10), Floor(90), Sample{milliseconds(195), Method::kPassive}, Sample{}}));
  EXPECT_FALSE(out_[2].timed());
  EXPECT_TRUE(Agree({Floor(10), Floor(90), Floor(1), Sample{milliseconds(120), Method::kPassive}}));
  EXPECT_FALSE(out_[0].is_floor()) << "not 10 ms from the first and 120 ms from the fourth";
  EXPECT_TRUE(out_[2].is_floor());
}

TEST(FloorsRefute, ALongerFloorTellsThatTheClientIsElsewhere) {
  const std::array<Sample, 2> around = {Sample{milliseconds(40), Method::kIcmpEcho}, Sample{}};
  const auto refute = [&](int first_ms, int second_ms) {
    return FloorsRefute(std::array<Sample, 2>{Floor(first_ms), Floor(second_ms)}, around);
  };
  EXPECT_FALSE(refute(45, 300)) << "nothing is known of the second";
  EXPECT_FALSE(refute(1, 1)) << "the paths may be dark";
  EXPECT_TRUE(refute(80, 1));
  const std::array<Sample, 2> measured = {Sample{milliseconds(80), Method::kPassive}, Sample{}};
  EXPECT_FALSE(FloorsRefute(measured, around)) << "a last mile may do that";
}

TEST_F(AgreeingFloorsTest, WithoutAnyThereIsNoAgreement) {
  EXPECT_FALSE(AgreeingFloors({}, ReplicaDistances(0), {}));
  EXPECT_FALSE(Agree({}));
}

}  // namespace
}  // namespace perigee::dns
