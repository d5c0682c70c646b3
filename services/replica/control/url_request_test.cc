#include "services/replica/control/url_request.h"

#include <gmock/gmock.h>

namespace perigee::replica {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kBase[] = "http://o";

std::string ErrorOf(const absl::Status& status) {
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

TEST(PathOfUrl, TakesWhatFollowsTheHost) {
  EXPECT_EQ(PathOfUrl("/a?b=c").value(), "/a?b=c");
  EXPECT_EQ(PathOfUrl("http://cdn.example.org/a?b=c").value(), "/a?b=c");
  EXPECT_EQ(PathOfUrl("HTTPS://cdn.example.org:8443/a/").value(), "/a/");
  EXPECT_EQ(PathOfUrl("http://cdn.example.org").value(), "/");
  EXPECT_EQ(PathOfUrl("http://cdn.example.org?x").value(), "/?x");
}

TEST(AuthorityOfUrl, IsHostAndPortWhereThereIsOne) {
  EXPECT_EQ(AuthorityOfUrl("/a://b"), "");
  EXPECT_EQ(AuthorityOfUrl("http://cdn.example.org:8080/a"), "cdn.example.org:8080");
  EXPECT_EQ(AuthorityOfUrl("HTTPS://cdn.example.org?x"), "cdn.example.org");
  EXPECT_EQ(AuthorityOfUrl("http://cdn.example.org"), "cdn.example.org");
}

TEST(PathOfUrl, SaysWhatIsWrong) {
  EXPECT_THAT(ErrorOf(PathOfUrl("").status()), HasSubstr("neither"));
  EXPECT_THAT(ErrorOf(PathOfUrl("cdn.example.org/a").status()), HasSubstr("http://HOST/PATH"));
  EXPECT_THAT(ErrorOf(PathOfUrl("http:///a").status()), HasSubstr("no host"));
  EXPECT_THAT(ErrorOf(PathOfUrl("/a#b").status()), HasSubstr("fragment"));
  EXPECT_THAT(ErrorOf(PathOfUrl("/a b").status()), HasSubstr("/a b: has spaces"));
  EXPECT_THAT(ErrorOf(PathOfUrl("/a\r\nX: y").status()), HasSubstr("/a\\r\\nX: y: has"));
  EXPECT_THAT(ErrorOf(PathOfUrl("/\xc3\xa9").status()), HasSubstr("/\\xc3\\xa9: has"));
  EXPECT_TRUE(PathOfUrl("/" + std::string(kMaxUrlBytes - 1, 'x')).ok());
  EXPECT_THAT(ErrorOf(PathOfUrl("/" + std::string(kMaxUrlBytes, 'x')).status()), HasSubstr("8192"));
}

TEST(SelectionFrom, NamesKeysPrefixesAndTags) {
  v1::PurgeRequest request;
  request.add_urls("http://cdn.example.org/a");
  request.add_prefixes("/img/");
  request.add_tags("news");
  request.set_everything(true);
  const PurgeSelection selection = SelectionFrom(request, kBase).value();
  EXPECT_THAT(selection.keys, ElementsAre("http://o/a"));
  EXPECT_THAT(selection.prefixes, ElementsAre("http://o/img/", ""));
  EXPECT_THAT(selection.tags, ElementsAre("news"));
}

TEST(Summary, NamesTheFirstAndCountsTheRest) {
  v1::PurgeRequest request;
  request.add_urls("/a");
  request.add_prefixes("/img/");
  EXPECT_EQ(Summary(request), "/a, prefix /img/");
  request.set_everything(true);
  request.add_tags("news");
  request.add_tags("front");
  EXPECT_EQ(Summary(request), "everything, /a, prefix /img/ and 2 more");
}

TEST(SelectionFrom, RefusesNothingTooMuchAndWhatIsNoTag) {
  v1::PurgeRequest request;
  EXPECT_THAT(ErrorOf(SelectionFrom(request, kBase).status()), HasSubstr("nothing to purge"));
  for (size_t i = 0; i < kMaxUrlsPerCall; ++i) request.add_urls("/a");
  EXPECT_TRUE(SelectionFrom(request, kBase).ok());
  request.add_tags("one");
  EXPECT_THAT(ErrorOf(SelectionFrom(request, kBase).status()), HasSubstr("more than 1000"));
  request.clear_urls();
  request.set_tags(0, "two tags");
  EXPECT_THAT(ErrorOf(SelectionFrom(request, kBase).status()), HasSubstr("two tags"));
  request.set_tags(0, "");
  EXPECT_THAT(ErrorOf(SelectionFrom(request, kBase).status()), HasSubstr("1 to 256"));
}

TEST(WarmJobFrom, HasItsLimits) {
  v1::WarmRequest request;
  EXPECT_THAT(ErrorOf(WarmJobFrom(request).status()), HasSubstr("nothing to warm"));
  request.add_urls("http://cdn.example.org/a");
  EXPECT_EQ(WarmJobFrom(request)->concurrency, kDefaultWarmConcurrency);
  EXPECT_THAT(WarmJobFrom(request)->paths, ElementsAre("/a"));
  request.set_concurrency(kMaxWarmConcurrency);
  EXPECT_EQ(WarmJobFrom(request)->concurrency, kMaxWarmConcurrency);
  request.set_concurrency(kMaxWarmConcurrency + 1);
  EXPECT_THAT(ErrorOf(WarmJobFrom(request).status()), HasSubstr("more than 32"));
  request.set_concurrency(1);
  request.set_accept_encoding("gzip, br");
  EXPECT_TRUE(WarmJobFrom(request).ok());
  request.set_accept_encoding("gzip\r\nX: y");
  EXPECT_THAT(ErrorOf(WarmJobFrom(request).status()), HasSubstr("accept_encoding"));
  request.set_accept_encoding(std::string(kMaxAcceptEncodingBytes + 1, 'x'));
  EXPECT_THAT(ErrorOf(WarmJobFrom(request).status()), HasSubstr("accept_encoding"));
  request.clear_accept_encoding();
  for (size_t i = 0; i < kMaxUrlsPerCall; ++i) request.add_urls("/a");
  EXPECT_THAT(ErrorOf(WarmJobFrom(request).status()), HasSubstr("more than 1000"));
}

}  // namespace
}  // namespace perigee::replica
