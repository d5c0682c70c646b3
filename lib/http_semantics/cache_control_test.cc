#include "lib/http_semantics/cache_control.h"

#include <gmock/gmock.h>

namespace perigee::http {
namespace {

using std::chrono::seconds;

CacheControl Parse(std::string_view value) { return ParseCacheControl(HeaderList{{"Cache-Control", value}}); }

TEST(CacheControl, MaxAgeForms) {
  const std::pair<const char*, std::optional<seconds>> cases[] = {
      {"max-age=60", seconds(60)},
      {"MAX-AGE=60", seconds(60)},
      {"max-age=\"60\"", seconds(60)},
      {"max-age=0060", seconds(60)},
      {"foo, max-age=60, bar=\"a, max-age=1\"", seconds(60)},
      {"extension=\"max-age=1\", max-age=60", seconds(60)},
      {"max-age=60, max-age=1", seconds(60)},
      {"max-age=99999999999999999999999", kMaxDelta},
      {"max-age=2147483649", kMaxDelta},
      {"max-age=-1", seconds(0)},
      {"max-age=1.5", seconds(0)},
      {"max-age=a60", seconds(0)},
      {"max-age=60a", seconds(0)},
      {"max-age='60'", seconds(0)},
      {"max-age= 60", seconds(0)},
      {"max-age", seconds(0)},
      {"max-age =60", std::nullopt},
      {"xmax-age=60", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& [value, expected] : cases) EXPECT_EQ(Parse(value).max_age, expected) << value;
}

TEST(CacheControl, FlagsFromSeveralLines) {
  const CacheControl cc = ParseCacheControl(HeaderList{{"Cache-Control", "no-store, Public"},
                                                       {"cache-control", "must-revalidate,proxy-revalidate"},
                                                       {"Cache-Control", "must-understand, only-if-cached"}});
  EXPECT_TRUE(cc.no_store && cc.is_public && cc.must_revalidate && cc.proxy_revalidate &&
              cc.must_understand && cc.only_if_cached);
  EXPECT_FALSE(cc.no_cache || cc.is_private);
}

TEST(CacheControl, NoCacheAndPrivateWithFieldNamesConcernTheseAlone) {
  const CacheControl cc = Parse("no-cache=\"Set-Cookie, X-A\", private=x-b");
  EXPECT_FALSE(cc.no_cache);
  EXPECT_FALSE(cc.is_private);
  EXPECT_THAT(cc.no_cache_fields, testing::ElementsAre("set-cookie", "x-a"));
  EXPECT_THAT(cc.private_fields, testing::ElementsAre("x-b"));
  EXPECT_TRUE(Parse("no-cache=\"\"").no_cache);
  EXPECT_TRUE(Parse("private").is_private);
}

TEST(CacheControl, MaxStaleWithoutArgumentAcceptsAnything) {
  EXPECT_EQ(Parse("max-stale").max_stale, seconds::max());
  EXPECT_EQ(Parse("max-stale=5").max_stale, seconds(5));
  EXPECT_EQ(Parse("max-stale=x").max_stale, std::nullopt);
  EXPECT_EQ(Parse("min-fresh=5").min_fresh, seconds(5));
  EXPECT_EQ(Parse("min-fresh").min_fresh, std::nullopt);
}

TEST(CacheControl, PragmaCountsOnlyWithoutCacheControl) {
  EXPECT_TRUE(ParseRequestCacheControl(HeaderList{{"Pragma", "no-cache"}}).no_cache);
  EXPECT_FALSE(
      ParseRequestCacheControl(HeaderList{{"Pragma", "no-cache"}, {"Cache-Control", "max-age=1"}}).no_cache);
  EXPECT_FALSE(ParseRequestCacheControl(HeaderList{{"Pragma", "other"}}).no_cache);
}

}  // namespace
}  // namespace perigee::http
