#include "services/replica/cache/purge.h"

#include "gtest/gtest.h"

namespace perigee::replica {
namespace {

TEST(PurgeSelection, MatchesKeysPrefixesAndTags) {
  const PurgeSelection selection{.keys = {"k"}, .prefixes = {"http://o/img/"}, .tags = {"news"}};
  EXPECT_TRUE(selection.Matches("k", ""));
  EXPECT_FALSE(selection.Matches("k2", ""));
  EXPECT_TRUE(selection.Matches("http://o/img/a", ""));
  EXPECT_FALSE(selection.Matches("http://o/im", ""));
  EXPECT_TRUE(selection.Matches("x", "front news"));
  EXPECT_FALSE(selection.Matches("x", "newsroom"));
  EXPECT_TRUE(PurgeSelection{.prefixes = {""}}.Matches("", ""));
}

TEST(PurgeLog, ConcernsWhatBeganBeforeAPurgeThatMeansIt) {
  PurgeLog log(10);
  const uint64_t before = log.generation();
  log.Add({.keys = {"k"}, .prefixes = {"http://o/img/"}, .tags = {"news"}});
  const uint64_t after = log.generation();
  EXPECT_TRUE(log.Concerns(before, "k", ""));
  EXPECT_TRUE(log.Concerns(before, "http://o/img/a", ""));
  EXPECT_TRUE(log.Concerns(before, "http://o/img/", ""));
  EXPECT_TRUE(log.Concerns(before, "x", "front news"));
  EXPECT_FALSE(log.Concerns(before, "http://o/im", "front"));
  EXPECT_FALSE(log.Concerns(before, "news", "k")) << "a key is no tag";
  EXPECT_FALSE(log.Concerns(after, "k", "news"));
  EXPECT_FALSE(log.Concerns(kAfterEveryPurge, "k", "news"));
  log.Add({.prefixes = {""}});
  EXPECT_TRUE(log.Concerns(after, "anything", ""));
}

TEST(PurgeLog, WhoBeganBeforeWhatIsForgottenCountsAsConcerned) {
  PurgeLog log(2);
  const uint64_t first = log.generation();
  log.Add({.keys = {"a"}});
  const uint64_t second = log.generation();
  log.Add({.keys = {"b", "c"}});
  const uint64_t third = log.generation();
  EXPECT_TRUE(log.Concerns(first, "z", "")) << "the purge of a is forgotten";
  EXPECT_FALSE(log.Concerns(second, "z", ""));
  EXPECT_TRUE(log.Concerns(second, "b", ""));
  log.Add({.keys = {"d", "e", "f"}});
  EXPECT_TRUE(log.Concerns(third, "z", "")) << "one call may be more than is kept";
  EXPECT_FALSE(log.Concerns(log.generation(), "d", ""));
}

}  // namespace
}  // namespace perigee::replica
