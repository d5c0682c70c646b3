#include "lib/http_semantics/surrogate_tags.h"

#include "gtest/gtest.h"

namespace perigee::http {
namespace {

TEST(SurrogateTags, BothFieldsAreTakenOutAndTheirTagsSortedOnce) {
  HeaderList headers = {{"surrogate-key", "news  front\tnews"},
                        {"Vary", "Accept"},
                        {"Cache-Tag", "product-7, sale ,front"},
                        {"Surrogate-Key", "a,b"}};
  EXPECT_EQ(TakeSurrogateTags(&headers), "a,b front news product-7 sale");
  EXPECT_EQ(headers, (HeaderList{{"Vary", "Accept"}}));
  EXPECT_EQ(TakeSurrogateTags(&headers), "");
}

TEST(SurrogateTags, MoreThanTheLimitAreNone) {
  std::string many;
  for (size_t i = 0; i < kMaxTagsPerObject; ++i) many += "t" + std::to_string(i) + " ";
  HeaderList full = {{"Surrogate-Key", many}};
  EXPECT_EQ(SplitTags(TakeSurrogateTags(&full).value()).size(), kMaxTagsPerObject);
  HeaderList over = {{"Surrogate-Key", many + "more"}};
  EXPECT_EQ(TakeSurrogateTags(&over), std::nullopt);
  EXPECT_TRUE(over.empty()) << "a client sees none of it all the same";
}

TEST(SurrogateTags, ATagHasALimitAndIsVisibleAscii) {
  EXPECT_TRUE(IsTag(std::string(kMaxTagBytes, 'x')));
  EXPECT_FALSE(IsTag(std::string(kMaxTagBytes + 1, 'x')));
  EXPECT_FALSE(IsTag(""));
  EXPECT_FALSE(IsTag("a b"));
  EXPECT_FALSE(IsTag("\xc3\xa9"));
  HeaderList headers = {{"Cache-Tag", "good," + std::string(kMaxTagBytes + 1, 'x')}};
  EXPECT_EQ(TakeSurrogateTags(&headers), std::nullopt);
}

TEST(SurrogateTags, HasTagComparesWholeTags) {
  EXPECT_TRUE(HasTag("a ab abc", "ab"));
  EXPECT_TRUE(HasTag("a ab abc", "abc"));
  EXPECT_FALSE(HasTag("a ab abc", "b"));
  EXPECT_FALSE(HasTag("abc", "ab"));
  EXPECT_FALSE(HasTag("abc", ""));
  EXPECT_FALSE(HasTag("", "a"));
}

}  // namespace
}  // namespace perigee::http
