#include "lib/http_semantics/targeted.h"

#include <gmock/gmock.h>

#include "lib/http_semantics/freshness.h"

namespace perigee::http {
namespace {

using std::chrono::seconds;

CacheControl Cdn(std::string_view value) {
  return ParseResponseCacheControl({{"Cache-Control", "no-store"}, {"CDN-Cache-Control", value}});
}

TEST(Targeted, CdnCacheControlOverrulesCacheControl) {
  const CacheControl cc = Cdn("max-age=60, foo, private=\"A, b\", no-cache=(c \"d\");x=1, stale-if-error=9");
  EXPECT_TRUE(cc.targeted);
  EXPECT_EQ(cc.max_age, seconds(60));
  EXPECT_EQ(cc.stale_if_error, seconds(9));
  EXPECT_THAT(cc.private_fields, testing::ElementsAre("a", "b"));
  EXPECT_THAT(cc.no_cache_fields, testing::ElementsAre("c", "d"));
  EXPECT_FALSE(cc.no_store || cc.is_private || cc.no_cache);
  EXPECT_EQ(Cdn("max-age=99999999999").max_age, kMaxDelta);
  EXPECT_EQ(Cdn("max-age=-1").max_age, seconds(0));
  EXPECT_EQ(Cdn("max-age=1, max-age=2").max_age, seconds(2)) << "the last of a dictionary counts";
  EXPECT_TRUE(Cdn("no-cache, private, must-revalidate").no_cache);
  EXPECT_FALSE(Cdn("max-age=1, no-cache=?0").no_cache);
}

TEST(Targeted, WhatIsNoStructuredFieldIsIgnored) {
  for (const char* value : {"", "max-age=60, &&&", "MaX-aGe=60", "max-age = 60", "max-age=60,",
                            "max-age=1234567890123456", "max-age=60; 1", "max-age=60 no-store", "a=\"open",
                            "a=\"\\x\"", "a=(1", "a=(1\"b\")", "a=:x", "a=?2", "a=1.", "a=1.1234"}) {
    EXPECT_FALSE(Cdn(value).targeted) << value;
    EXPECT_TRUE(Cdn(value).no_store) << value;
  }
}

TEST(Targeted, AMemberOfTheWrongTypeAloneIsIgnored) {
  for (const char* value : {"max-age=\"60\"", "max-age=60.5", "max-age", "no-store=1", "private=1.5"}) {
    const CacheControl cc = Cdn(std::string(value) + ", s-maxage=9");
    EXPECT_TRUE(cc.targeted) << value;
    EXPECT_EQ(cc.s_maxage, seconds(9)) << value;
    EXPECT_EQ(cc.max_age, std::nullopt) << value;
    EXPECT_FALSE(cc.no_store || cc.is_private) << value;
  }
  EXPECT_FALSE(Cdn("max-age=60, max-age=x").targeted) << "the last of a dictionary counts";
  EXPECT_FALSE(Cdn("max-age=\"60\", no-store=1").targeted) << "nothing is left of it";
  EXPECT_TRUE(Cdn("none").targeted) << "an example of RFC 9213 §3.1";
  EXPECT_THAT(Cdn("private=A").private_fields, testing::ElementsAre("a"));
}

TEST(Targeted, EveryTypeOfStructuredFieldIsUnderstood) {
  for (const char* value : {"a=1.5", "a=*tok/en", "a=:aGk=:", "a=?1", "a=()", "a=(1 b;q \"c\");d=?0",
                            "*a.b-c_d", "a=\"q\\\"\\\\\"", "  a , b ", "a;b;c=1, d"}) {
    EXPECT_TRUE(Cdn(value).targeted) << value;
  }
}

TEST(Targeted, LinesOfOneFieldAreOneDictionary) {
  EXPECT_TRUE(
      ParseResponseCacheControl({{"CDN-Cache-Control", "max-age=60"}, {"CDN-Cache-Control", "no-store"}})
          .no_store);
}

TEST(Targeted, ExpiresHasNoSayBesideIt) {
  ResponseHead head;
  head.headers = {{"CDN-Cache-Control", "public"}, {"Expires", "Sun, 06 Nov 2094 08:49:37 GMT"}};
  EXPECT_EQ(FreshnessOf(head, {}).lifetime, seconds(0));
  head.headers.Set("CDN-Cache-Control", "max-age=60");
  EXPECT_EQ(FreshnessOf(head, {}).lifetime, seconds(60));
}

TEST(Targeted, SurrogateControlIsHeededUnlessItIsForAnother) {
  const auto surrogate = [](std::string_view value) {
    return ParseResponseCacheControl({{"Cache-Control", "max-age=1"}, {"Surrogate-Control", value}});
  };
  EXPECT_EQ(surrogate("max-age=60").max_age, seconds(60));
  EXPECT_EQ(surrogate("max-age=60+30").max_age, seconds(60));
  EXPECT_EQ(surrogate("max-age=60;perigee").max_age, seconds(60));
  EXPECT_EQ(surrogate("max-age=60;other, max-age=5").max_age, seconds(5));
  EXPECT_EQ(surrogate("max-age=60;other").max_age, seconds(1));
  EXPECT_TRUE(surrogate("no-store, content=\"ESI/1.0\"").no_store);
  EXPECT_EQ(
      ParseResponseCacheControl({{"CDN-Cache-Control", "max-age=2"}, {"Surrogate-Control", "max-age=9"}})
          .max_age,
      seconds(2));
}

}  // namespace
}  // namespace perigee::http
