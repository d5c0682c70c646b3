#include "lib/base/beacon_token.h"

#include "gtest/gtest.h"

namespace perigee {
namespace {

TEST(BeaconToken, IsALabelWithoutCase) {
  const auto token = BeaconToken::Parse("3F2a-0123456789-Z");
  ASSERT_TRUE(token);
  EXPECT_EQ(token->text(), "3f2a-0123456789-z");
  EXPECT_EQ(token, BeaconToken::Parse("3f2A-0123456789-z"));
}

TEST(BeaconToken, IsNeitherShortNorLongNorAnythingElse) {
  EXPECT_FALSE(BeaconToken::Parse(std::string(BeaconToken::kMinSize - 1, 'a')));
  EXPECT_TRUE(BeaconToken::Parse(std::string(BeaconToken::kMinSize, 'a')));
  EXPECT_TRUE(BeaconToken::Parse(std::string(BeaconToken::kMaxSize, 'a')));
  EXPECT_FALSE(BeaconToken::Parse(std::string(BeaconToken::kMaxSize + 1, 'a')));
  for (const char* text : {"", "0123456789abcde.f", "0123456789abcde_f", "0123456789abcde f"}) {
    EXPECT_FALSE(BeaconToken::Parse(text)) << text;
  }
}

}  // namespace
}  // namespace perigee
