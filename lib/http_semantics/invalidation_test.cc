#include "lib/http_semantics/invalidation.h"

#include <gmock/gmock.h>

namespace perigee::http {
namespace {

struct ResolveCase {
  const char* reference;
  std::optional<std::string> expected;
};

TEST(Invalidation, ResolvesReferencesOfTheSameOrigin) {
  const ResolveCase cases[] = {
      {"/x?y", "/x?y"},
      {"x", "/a/x"},
      {"../x", "/x"},
      {"../../../x", "/x"},
      {"./", "/a/"},
      {"..", "/"},
      {"/c/./d/../e", "/c/e"},
      {"?z", "/a/b?z"},
      {"#f", "/a/b?q"},
      {"", "/a/b?q"},
      {"x#f", "/a/x"},
      {"http://Www.Example/x", "/x"},
      {"https://www.example", "/"},
      {"//origin:8080?z", "/?z"},
      {"http://www.example:80/x", "/x"},
      {"https://www.example:443/x", "/x"},
      {"http://origin/x", std::nullopt},
      {"http://other/x", std::nullopt},
      {"//other/x", std::nullopt},
      {"http://www.example@other/x", std::nullopt},
      {"http://www.example:81/x", std::nullopt},
      {"ftp://www.example/x", std::nullopt},
      {"mailto:a", std::nullopt},
      {"http:x", std::nullopt},
  };
  for (const ResolveCase& c : cases) {
    EXPECT_EQ(ResolvePath("/a/b?q", c.reference, {"www.example", "origin:8080"}), c.expected) << c.reference;
  }
}

TEST(Invalidation, TakesLocationAndContentLocation) {
  const HeaderList headers{{"Location", "/x"}, {"Content-Location", "y"}, {"Link", "/z"}};
  EXPECT_THAT(InvalidatedPaths("/a/b", headers, {}), testing::ElementsAre("/x", "/a/y"));
  EXPECT_THAT(InvalidatedPaths("/a/b", {{"Location", "/a/b"}}, {}), testing::IsEmpty());
  EXPECT_THAT(InvalidatedPaths("/a/b", {{"Location", "http://other/x"}}, {"a"}), testing::IsEmpty());
}

}  // namespace
}  // namespace perigee::http
