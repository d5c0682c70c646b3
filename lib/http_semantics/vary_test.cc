#include "lib/http_semantics/vary.h"

#include <gtest/gtest.h>

namespace perigee::http {
namespace {

TEST(Vary, NamesAreLowerCaseSortedAndUnique) {
  EXPECT_EQ(VaryNames({{"Vary", "B, a"}, {"vary", "A,c"}}), "a,b,c");
  EXPECT_EQ(VaryNames({}), "");
  EXPECT_EQ(VaryNames({{"Vary", "a, *"}}), std::nullopt);
  EXPECT_EQ(VaryNames({{"Vary", "a, X-forwarded-for"}}), std::nullopt);
}

struct VariantCase {
  const char* name;
  const char* vary;
  HeaderList a;
  HeaderList b;
  bool same;
};

TEST(Vary, SelectsByNormalisedValues) {
  const VariantCase cases[] = {
      {"fields not named", "x", {{"Y", "1"}}, {{"Y", "2"}}, true},
      {"other value", "x", {{"X", "1"}}, {{"X", "2"}}, false},
      {"missing is not empty", "x", {{"X", ""}}, {}, false},
      {"both missing", "x", {}, {}, true},
      {"lines combined", "x", {{"X", "1"}, {"X", "2"}}, {{"X", "1, 2"}}, true},
      {"space at commas of unknown fields", "x", {{"X", " 1, 2 "}}, {{"X", "1,2"}}, true},
      {"space inside a quoted string", "x", {{"X", "\"1, 2\""}}, {{"X", "\"1,2\""}}, false},
      {"case counts in unknown fields", "x", {{"X", "a"}}, {{"X", "A"}}, false},
      {"order of encodings",
       "accept-encoding",
       {{"Accept-Encoding", "gzip, br"}},
       {{"Accept-Encoding", "BR,gzip"}},
       true},
      {"order of languages",
       "accept-language",
       {{"Accept-Language", "en; q=0.5, de"}},
       {{"Accept-Language", "de,en;q=0.5"}},
       true},
      {"order of Accept", "accept", {{"Accept", "a/b, c/d"}}, {{"Accept", "c/d, a/b"}}, false},
      {"space in Accept", "accept", {{"Accept", "a/b, c/d"}}, {{"Accept", "a/b,c/d"}}, true},
      {"values do not run together", "x,y", {{"X", "1"}}, {{"Y", "1"}}, false},
  };
  for (const VariantCase& c : cases) {
    EXPECT_EQ(VariantKey(c.vary, c.a) == VariantKey(c.vary, c.b), c.same) << c.name;
  }
}

}  // namespace
}  // namespace perigee::http
