#include "services/prober/last_hop.h"

#include <array>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class HopSearchTest : public testing::Test {
 protected:
  static MonoTime At(int ms) { return MonoTime(std::chrono::hours(1)) + milliseconds(ms); }
  // An answer by a router of its own, on its way as long as it took; the search began at At(0).
  void Reply(uint8_t ttl, int ms, int at = -1) {
    search_.OnReply({ttl, IpAddress::V4(std::array<uint8_t, 4>{198, 18, 0, ttl}), milliseconds(ms)},
                    At(at < 0 ? ms : at));
  }
  HopSearch search_;
};

TEST_F(HopSearchTest, OfAStrangerEveryThirdHopIsTriedAtOnce) {
  EXPECT_FALSE(search_.started());
  EXPECT_THAT(search_.Start(At(0)), ElementsAre(2, 5, 8, 11, 14, 17));
  EXPECT_TRUE(search_.started());
}

TEST_F(HopSearchTest, OfAKnownClientOnlyThoseAroundItsLastHop) {
  EXPECT_THAT(HopSearch(9).Start(At(0)), ElementsAre(8, 9, 10));
  EXPECT_THAT(HopSearch(1).Start(At(0)), ElementsAre(1, 2));
  EXPECT_THAT(HopSearch(kMaxHop).Start(At(0)), ElementsAre(18, 19));
}

TEST_F(HopSearchTest, AfterAPauseTheHopsBetweenFollow) {
  search_.Start(At(0));
  EXPECT_FALSE(search_.NextDue()) << "nothing has answered";
  Reply(2, 5);
  Reply(5, 10);
  EXPECT_THAT(search_.Next(At(29)), IsEmpty());
  EXPECT_EQ(search_.NextDue(), At(30));
  EXPECT_THAT(search_.Next(At(30)), ElementsAre(6, 7));
  EXPECT_FALSE(search_.NextDue()) << "once";
  Reply(7, 12, 52);
  EXPECT_FALSE(search_.NextDue()) << "the eighth was tried";
  EXPECT_EQ(search_.Farthest()->ttl, 7);
  EXPECT_EQ(search_.OverAt(), At(0) + kHopPatience);
}

TEST_F(HopSearchTest, AnAnswerFromBeyondAnOceanIsFollowedToo) {
  search_.Start(At(0));
  Reply(2, 1);
  EXPECT_THAT(search_.Next(At(31)), ElementsAre(3, 4));
  Reply(5, 150);
  EXPECT_THAT(search_.Next(At(180)), ElementsAre(6, 7));
  EXPECT_EQ(search_.OverAt(), At(180 + 150) + kHopPause) << "what has just been sent is waited for";
  Reply(8, 152, 182);
  EXPECT_FALSE(search_.NextDue()) << "no more than kMaxHopProbes in all";
}

TEST_F(HopSearchTest, TheLastOnesAreNotBeyondTheMost) {
  search_.Start(At(0));
  Reply(17, 20);
  EXPECT_THAT(search_.Next(At(50)), ElementsAre(18, 19));
}

TEST_F(HopSearchTest, AKnownClientWhoseNextHopIsDarkCostsNoMore) {
  HopSearch known(9);
  known.Start(At(0));
  known.OnReply({9, *IpAddress::Parse("198.18.0.9"), milliseconds(21)}, At(21));
  EXPECT_FALSE(known.NextDue());
}

TEST_F(HopSearchTest, AFarHopIsWaitedForLonger) {
  search_.Start(At(0));
  EXPECT_EQ(search_.OverAt(), At(0) + kHopPatience) << "when nothing answers";
  Reply(3, 200);
  EXPECT_GE(search_.OverAt(), At(300));
}

TEST_F(HopSearchTest, TheFarthestIsOfTheHighestTimeToLiveThatWasAnswered) {
  search_.Start(At(0));
  EXPECT_FALSE(search_.Farthest());
  Reply(9, 30);
  Reply(6, 40);
  EXPECT_EQ(search_.Farthest()->ttl, 9);
  EXPECT_EQ(search_.Farthest()->rtt, milliseconds(30)) << "though a nearer one took longer";
}

TEST_F(HopSearchTest, ARouterThatAnswersForAllBehindItIsWhereItAnsweredFirst) {
  search_.Start(At(0));
  const IpAddress router = *IpAddress::Parse("198.18.0.6");
  search_.OnReply({9, router, milliseconds(12)}, At(12));  // it lets nothing through, and says so
  search_.OnReply({6, router, milliseconds(11)}, At(12));
  search_.OnReply({12, router, milliseconds(15)}, At(15));
  EXPECT_EQ(search_.Farthest()->ttl, 6);
  EXPECT_EQ(search_.Farthest()->rtt, milliseconds(11)) << "the least of its answers";
}

}  // namespace
}  // namespace perigee
