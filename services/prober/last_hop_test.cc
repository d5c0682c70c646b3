#include "services/prober/last_hop.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

HopReply Reply(uint8_t ttl, std::string_view from, int ms) {
  return {ttl, *IpAddress::Parse(from), milliseconds(ms)};
}

TEST(HopsToTry, OfAStrangerAreNearlyAllAndNoMoreThanTheLimit) {
  const auto hops = HopsToTry(std::nullopt);
  EXPECT_EQ(hops.size(), kMaxHopProbes);
  EXPECT_EQ(hops.front(), kFirstHop);
  EXPECT_EQ(hops.back(), kMaxHop);
  EXPECT_TRUE(std::is_sorted(hops.begin(), hops.end()));
}

TEST(HopsToTry, OfAKnownClientAreAroundItsLastHop) {
  EXPECT_THAT(HopsToTry(9), ElementsAre(7, 8, 9, 10));
  EXPECT_THAT(HopsToTry(2), ElementsAre(2, 3));
  EXPECT_THAT(HopsToTry(kMaxHop), ElementsAre(19, 20, 21));
}

TEST(HopReplies, TheFarthestIsOfTheHighestTimeToLiveThatWasAnswered) {
  HopReplies replies;
  EXPECT_FALSE(replies.Farthest());
  replies.Add(Reply(7, "198.18.0.7", 30));
  replies.Add(Reply(5, "198.18.0.5", 40));
  EXPECT_EQ(replies.Farthest()->ttl, 7);
  EXPECT_EQ(replies.Farthest()->rtt, milliseconds(30)) << "though a nearer one took longer";
}

TEST(HopReplies, ARouterThatAnswersForAllBehindItIsWhereItAnsweredFirst) {
  HopReplies replies;
  replies.Add(Reply(9, "198.18.0.6", 12));  // it lets nothing through, and says so
  replies.Add(Reply(6, "198.18.0.6", 11));
  replies.Add(Reply(7, "198.18.0.6", 15));
  EXPECT_EQ(replies.Farthest()->ttl, 6);
  EXPECT_EQ(replies.Farthest()->rtt, milliseconds(11)) << "the least of its answers";
}

TEST(HopReplies, PatienceGrowsWithTheFarthestAnswer) {
  HopReplies replies;
  EXPECT_EQ(replies.Patience(), kHopPatience);
  replies.Add(Reply(3, "198.18.0.3", 20));
  EXPECT_EQ(replies.Patience(), kHopPatience);
  replies.Add(Reply(4, "198.18.0.4", 200));
  EXPECT_EQ(replies.Patience(), milliseconds(300));
}

}  // namespace
}  // namespace perigee
