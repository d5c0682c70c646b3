#include "lib/http_semantics/headers.h"

#include <gmock/gmock.h>

namespace perigee::http {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(HeaderList, KeepsOrderAndFindsWithoutCase) {
  const HeaderList list{{"Date", "x"}, {"X-A", "1"}, {"x-a", "2"}};
  EXPECT_EQ(list.text(), "Date: x\r\nX-A: 1\r\nx-a: 2\r\n");
  EXPECT_EQ(list.Get("x-A"), "1");
  EXPECT_THAT(list.Values("X-a"), ElementsAre("1", "2"));
  EXPECT_EQ(list.Combined("x-a"), "1, 2");
  EXPECT_EQ(list.Get("absent"), std::nullopt);
  EXPECT_EQ(list[1], (HeaderField{"X-A", "1"}));
}

TEST(HeaderList, SetReplacesEveryValue) {
  HeaderList list{{"A", "1"}, {"B", "2"}, {"a", "3"}};
  list.Set("A", "4");
  EXPECT_EQ(list.text(), "B: 2\r\nA: 4\r\n");
}

TEST(HeaderList, NeutralisesLineBreaksInValues) {
  HeaderList list;
  list.Add("A", "x\r\nEvil: 1");
  list.Add("B", std::string_view("a\0b", 3));
  EXPECT_EQ(list.text(), "A: x  Evil: 1\r\nB: a b\r\n");
}

TEST(HeaderList, ComesBackFromItsText) {
  const HeaderList list{{"A", "1: 2"}, {"Empty", ""}, {"B", "x"}};
  const auto back = HeaderList::FromText(list.text());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->Get("Empty"), "");
  EXPECT_EQ(back->Get("A"), "1: 2");
  EXPECT_EQ(back->Get("B"), "x");
  for (const char* bad : {"A", "A: 1", "A: 1\r\nB\r\n", "\r\n", "A 1\r\nB: 2\r\n"}) {
    EXPECT_FALSE(HeaderList::FromText(bad)) << bad;
  }
}

TEST(SplitList, FollowsTheListGrammar) {
  EXPECT_THAT(SplitList("a, b ,c"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(SplitList(" ,, a,\t, "), ElementsAre("a"));
  EXPECT_THAT(SplitList(R"(x="1,2", y="\",", z)"), ElementsAre(R"(x="1,2")", R"(y="\",")", "z"));
  EXPECT_THAT(SplitList(""), IsEmpty());
  EXPECT_THAT(SplitList(R"(a="never closed, b)"), ElementsAre(R"(a="never closed, b)"));
  EXPECT_THAT(SplitList("a\\"), ElementsAre("a\\"));
}

TEST(HeaderList, RemovesHopByHopFieldsAndThoseThatConnectionNames) {
  HeaderList list{
      {"Connection", "close, X-Private"}, {"x-private", "1"}, {"Keep-Alive", "5"},      {"TE", "trailers"},
      {"Transfer-Encoding", "chunked"},   {"Upgrade", "h2c"}, {"Trailer", "T"},         {"A", "kept"},
      {"connection", "x-Other"},          {"X-Other", "2"},   {"Proxy-Connection", "x"}};
  list.RemoveHopByHop();
  EXPECT_EQ(list.text(), "A: kept\r\n");
}

TEST(HeaderList, ConnectionCannotTakeAwayWhatForbidsSharing) {
  HeaderList list{
      {"Connection", "cache-control, vary, x"}, {"Cache-Control", "no-store"}, {"Vary", "*"}, {"X", "1"}};
  list.RemoveHopByHop();
  EXPECT_EQ(list.text(), "Cache-Control: no-store\r\nVary: *\r\n");
}

TEST(HeaderList, ListHasLooksAtElementsOfEveryLine) {
  const HeaderList list{{"Connection", "a, CLOSE"}, {"Connection", "b"}};
  EXPECT_TRUE(list.ListHas("connection", "close"));
  EXPECT_TRUE(list.ListHas("connection", "B"));
  EXPECT_FALSE(list.ListHas("connection", "clo"));
}

}  // namespace
}  // namespace perigee::http
