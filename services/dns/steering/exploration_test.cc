#include "services/dns/steering/exploration.h"

#include <map>
#include <vector>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const IpPrefix kClient = *IpPrefix::Parse("198.18.7.0/24");

class ExplorableTest : public testing::Test {
 protected:
  ReplicaSet Explorables() const {
    return Explorable({.given = ToReplicaId(0),
                       .own = own_,
                       .around = around_,
                       .usable = usable_,
                       .at_least = [this](ReplicaId, ReplicaId) { return apart_; }});
  }
  static Sample Heard(int ms) { return {milliseconds(ms), Method::kPassive}; }

  std::vector<Sample> own_{3}, around_{3};
  ReplicaSet usable_ = ReplicaSet::All(3);
  Rtt apart_{};
};

TEST_F(ExplorableTest, WhoIsKnownToBeMoreThanFiftyMillisecondsWorseIsNeverTried) {
  own_ = {Heard(20), Heard(70), Heard(71)};
  around_ = {Heard(20), Heard(20), Heard(20)};
  EXPECT_TRUE(Explorables().Contains(ToReplicaId(1)));
  EXPECT_FALSE(Explorables().Contains(ToReplicaId(2))) << "whatever the surroundings say";
}

TEST_F(ExplorableTest, TheSurroundingsSpeakWhereTheClientsOwnSamplesDoNot) {
  own_[0] = Heard(20);
  around_ = {Heard(30), Heard(80), Heard(81)};
  EXPECT_TRUE(Explorables().Contains(ToReplicaId(1)));
  EXPECT_FALSE(Explorables().Contains(ToReplicaId(2)));
}

TEST_F(ExplorableTest, OfWhomNothingIsKnownIsNotTried) {
  own_[0] = Heard(20);
  EXPECT_TRUE(Explorables().empty());
}

TEST_F(ExplorableTest, ReplicasSideBySideSpeakForEachOther) {
  own_[0] = Heard(20);
  apart_ = milliseconds(90);
  EXPECT_EQ(Explorables().size(), 2);
  apart_ = milliseconds(91);
  EXPECT_TRUE(Explorables().empty()) << "71 ms at the least, which is more than 50 worse";
}

TEST_F(ExplorableTest, WhoIsNotUsableAndTheGivenOneAreNotTried) {
  own_ = {Heard(20), Heard(21), Heard(22)};
  usable_.Remove(ToReplicaId(1));
  EXPECT_FALSE(Explorables().Contains(ToReplicaId(0)));
  EXPECT_FALSE(Explorables().Contains(ToReplicaId(1)));
  EXPECT_TRUE(Explorables().Contains(ToReplicaId(2)));
}

TEST(Exploration, TakesItsShareOfTheMoments) {
  int explored = 0;
  for (int i = 0; i < 100'000; ++i)
    explored += Explores(ExplorationDraw(kClient, MonoTime(seconds(i))), 0.02);
  EXPECT_NEAR(explored, 2000, 200);
  EXPECT_FALSE(Explores(0, 0)) << "off";
}

TEST(Exploration, IsTheSameForAllWhoAskWithinASecond) {
  EXPECT_EQ(ExplorationDraw(kClient, MonoTime(seconds(7))),
            ExplorationDraw(kClient, MonoTime(milliseconds(7999))));
}

TEST(Exploration, TriesAllThatMayBe) {
  std::map<size_t, int> tried;
  for (int i = 0; i < 3000; ++i) {
    const auto one = ExploredOf(ReplicaSet::All(3), ExplorationDraw(kClient, MonoTime(seconds(i))));
    ASSERT_TRUE(one);
    ++tried[Index(*one)];
  }
  for (const auto& [id, times] : tried) EXPECT_GT(times, 800) << id;
  EXPECT_EQ(tried.size(), 3u);
  EXPECT_FALSE(ExploredOf({}, 7));
}

}  // namespace
}  // namespace perigee::dns
