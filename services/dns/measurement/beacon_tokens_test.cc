#include "services/dns/measurement/beacon_tokens.h"

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;

const IpPrefix kResolver = *IpPrefix::Parse("198.18.7.0/24");
const IpPrefix kOther = *IpPrefix::Parse("198.18.8.0/24");

BeaconToken Token(size_t i) { return *BeaconToken::Parse(fmt::format("0123456789-{:08}", i)); }

class BeaconTokensTest : public testing::Test {
 protected:
  BeaconTokens tokens_;
  MonoTime now_{seconds(1000)};
};

TEST_F(BeaconTokensTest, TellsOnceWhoAsked) {
  EXPECT_FALSE(tokens_.Take(Token(1), now_));
  tokens_.Note(Token(1), kResolver, now_);
  tokens_.Note(Token(2), kOther, now_);
  EXPECT_EQ(tokens_.Take(Token(1), now_), kResolver);
  EXPECT_FALSE(tokens_.Take(Token(1), now_)) << "a token that somebody saw is worth nothing";
  EXPECT_EQ(tokens_.Take(Token(2), now_), kOther);
}

TEST_F(BeaconTokensTest, TheFirstWhoAsksCounts) {
  tokens_.Note(Token(1), kResolver, now_);
  tokens_.Note(Token(1), kOther, now_);
  EXPECT_EQ(tokens_.Take(Token(1), now_), kResolver);
}

TEST_F(BeaconTokensTest, ForgetsAfterAMinute) {
  tokens_.Note(Token(1), kResolver, now_);
  tokens_.Note(Token(2), kResolver, now_);
  EXPECT_TRUE(tokens_.Take(Token(1), now_ + kBeaconTokenLife));
  EXPECT_FALSE(tokens_.Take(Token(2), now_ + kBeaconTokenLife + seconds(1)));
  tokens_.Note(Token(3), kResolver, now_);
  tokens_.Note(Token(4), kResolver, now_ + kBeaconTokenLife + seconds(1));
  EXPECT_EQ(tokens_.size(), 1u) << "though nobody came for it";
}

TEST_F(BeaconTokensTest, AFloodMakesItForgetTheOldestAndNothingElse) {
  for (size_t i = 0; i <= kMaxBeaconTokens; ++i) tokens_.Note(Token(i), kResolver, now_);
  EXPECT_EQ(tokens_.size(), kMaxBeaconTokens);
  EXPECT_FALSE(tokens_.Take(Token(0), now_));
  EXPECT_TRUE(tokens_.Take(Token(1), now_));
}

TEST_F(BeaconTokensTest, OneThatIsAskedForAgainLivesAsLongAsANewOne) {
  tokens_.Note(Token(1), kResolver, now_);
  EXPECT_TRUE(tokens_.Take(Token(1), now_));
  tokens_.Note(Token(1), kOther, now_ + kBeaconTokenLife);
  tokens_.Note(Token(2), kOther, now_ + kBeaconTokenLife + seconds(1));
  EXPECT_EQ(tokens_.Take(Token(1), now_ + kBeaconTokenLife + seconds(1)), kOther);
}

}  // namespace
}  // namespace perigee::dns
