// What a purge promises: nothing old is found after it, whatever is under way, and after a crash.
#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "services/replica/cache/cache.h"
#include "services/replica/cache/cache_testing.h"
#include "services/replica/cache/catalogue.h"

namespace perigee::replica {
namespace {

const http::HeaderList kAny;

StoredResponse Tagged(std::string tags, uint64_t seed = 1, size_t size = 100) {
  StoredResponse response = MakeResponse(seed, size);
  response.head.tags = std::move(tags);
  return response;
}

class PurgeTest : public CacheTest {
 protected:
  bool IsFresh(Cache& cache, std::string_view key) {
    const FindResult found = cache.Find(key, kAny);
    return found.response && DecideReuse(*found.response, {}, clock_.WallNow()).serve();
  }
  bool Has(Cache& cache, std::string_view key) { return cache.Find(key, kAny).response != nullptr; }

  // The file as the process would leave it if it were killed now.
  std::unique_ptr<Cache> OpenAsAfterACrash() {
    CacheOptions options = options_;
    const std::string copies = folder_ / "crashed";
    std::filesystem::remove_all(copies);
    std::filesystem::create_directory(copies);
    options.path = copies + "/cache.sqlite";
    for (const char* suffix : {"", "-wal"}) {
      std::filesystem::copy_file(options_.path + suffix, options.path + suffix);
    }
    return *Cache::Open(options, clock_);
  }
};

TEST_F(PurgeTest, EachSelectorTakesWhatItMeansAndNothingElse) {
  options_.path.clear();
  const auto cache = OpenCache();
  const auto fill = [&] {
    cache->Insert("http://o/a", kAny, Tagged("one"));
    cache->Insert("http://o/a/b", kAny, Tagged("two"));
    cache->Insert("http://o/a?x", {{"X", "1"}}, MakeResponse(1, 10, {{"Vary", "X"}}));
    cache->Insert("http://o/a?x", {{"X", "2"}}, MakeResponse(2, 10, {{"Vary", "X"}}));
    cache->Insert("http://o/b", kAny, Tagged("one two"));
  };
  fill();
  EXPECT_EQ(cache->Purge({.keys = {"http://o/a"}}, PurgeKind::kHard), 1u);
  EXPECT_FALSE(Has(*cache, "http://o/a"));
  EXPECT_TRUE(Has(*cache, "http://o/a/b"));
  EXPECT_EQ(cache->Purge({.keys = {"http://o/a?x"}}, PurgeKind::kHard), 2u) << "every variant";
  fill();
  EXPECT_EQ(cache->Purge({.prefixes = {"http://o/a"}}, PurgeKind::kHard), 4u);
  EXPECT_TRUE(Has(*cache, "http://o/b"));
  fill();
  EXPECT_EQ(cache->Purge({.tags = {"one"}}, PurgeKind::kHard), 2u);
  EXPECT_TRUE(Has(*cache, "http://o/a/b"));
  fill();
  EXPECT_EQ(cache->Purge({.keys = {"http://o/b"}, .prefixes = {"http://o/b"}, .tags = {"one", "two"}},
                         PurgeKind::kHard),
            3u)
      << "each is counted once";
  EXPECT_EQ(cache->Purge({.prefixes = {""}}, PurgeKind::kHard), 2u);
  EXPECT_EQ(cache->Stats().objects, 0u);
  EXPECT_EQ(cache->Purge({.tags = {"one"}}, PurgeKind::kHard), 0u);
}

TEST_F(PurgeTest, ManyObjectsGoInSlices) {
  options_.path.clear();
  const auto cache = OpenCache();
  for (int i = 0; i < 1'000; ++i) cache->Insert("k" + std::to_string(i), kAny, Tagged("all"));
  EXPECT_EQ(cache->Purge({.tags = {"all"}}, PurgeKind::kHard), 1'000u);
  EXPECT_EQ(cache->Stats().objects, 0u);
}

TEST_F(PurgeTest, ASoftPurgeMakesStaleFromThatMoment) {
  const auto cache = OpenCache();
  cache->Insert("memory", kAny, Tagged("t"));
  clock_.Advance(std::chrono::seconds(20));
  EXPECT_TRUE(IsFresh(*cache, "memory"));
  EXPECT_EQ(cache->Purge({.tags = {"t"}}, PurgeKind::kSoft), 1u);
  const FindResult found = cache->Find("memory", kAny);
  ASSERT_TRUE(found.response);
  EXPECT_TRUE(IsIntact(*found.response));
  clock_.Advance(std::chrono::seconds(5));
  const auto decision = DecideReuse(*found.response, {}, clock_.WallNow());
  EXPECT_EQ(decision.reuse, http::Reuse::kRevalidate) << "it may be served when the origin is gone";
  EXPECT_EQ(decision.ttl, std::chrono::seconds(-5)) << "stale since the purge";
}

TEST_F(PurgeTest, WhatComesFromTheFutureIsNotFreshUntilThen) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, Tagged("t"));
  const StoredResponse& stored = *cache->Find("a", kAny).response;
  const WallTime came = stored.freshness.response_time;
  EXPECT_TRUE(DecideReuse(stored, {}, came).serve());
  EXPECT_TRUE(DecideReuse(stored, {}, came - kMaxClockStep).serve()) << "the clock was set right";
  const auto decision = DecideReuse(stored, {}, came - kMaxClockStep - std::chrono::seconds(1));
  EXPECT_EQ(decision.reuse, http::Reuse::kRevalidate);
  EXPECT_EQ(decision.ttl, std::chrono::seconds(0));
}

TEST_F(PurgeTest, ASoftPurgeHoldsThoughTheClockGoesBack) {
  auto cache = OpenCache();
  cache->Insert("a", kAny, Tagged("t"));
  const WallTime before = clock_.WallNow();
  clock_.Advance(std::chrono::hours(24));
  cache->Purge({.tags = {"t"}}, PurgeKind::kSoft);
  ASSERT_TRUE(cache->Flush().ok());
  const auto crashed = OpenAsAfterACrash();
  for (Cache* at : {cache.get(), crashed.get()})
    EXPECT_FALSE(DecideReuse(*at->Find("a", kAny).response, {}, before).serve());
}

TEST_F(PurgeTest, ASoftPurgeReachesWhatIsOnDiskAloneAndOutlivesACrash) {
  options_.memory_budget_bytes = 1'000;
  auto cache = OpenCache();
  cache->Insert("disk", kAny, Tagged("t", 1, 800));
  ASSERT_TRUE(cache->Flush().ok());
  cache->Insert("memory", kAny, Tagged("t", 2, 800));
  cache->Find("memory", kAny);
  cache->Insert("other", kAny, Tagged("", 3, 10));
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(cache->Purge({.tags = {"t"}}, PurgeKind::kSoft), 2u);
  ASSERT_TRUE(cache->Flush().ok());
  const auto crashed = OpenAsAfterACrash();
  for (Cache* at : {cache.get(), crashed.get()}) {
    EXPECT_FALSE(IsFresh(*at, "disk"));
    EXPECT_FALSE(IsFresh(*at, "memory"));
    EXPECT_TRUE(Has(*at, "disk"));
    EXPECT_TRUE(Has(*at, "memory"));
    EXPECT_TRUE(IsFresh(*at, "other"));
  }
}

TEST_F(PurgeTest, ASoftPurgeOfWhatSqliteHasNotYetIsWrittenWithIt) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, Tagged("t"));
  cache->Purge({.tags = {"t"}}, PurgeKind::kSoft);
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_FALSE(IsFresh(*cache, "a"));
  const auto crashed = OpenAsAfterACrash();
  EXPECT_TRUE(Has(*crashed, "a"));
  EXPECT_FALSE(IsFresh(*crashed, "a"));
}

TEST_F(PurgeTest, ValidationEndsASoftPurgeAlsoOnDisk) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, Tagged("t"));
  ASSERT_TRUE(cache->Flush().ok());
  cache->Purge({.tags = {"t"}}, PurgeKind::kSoft);
  const auto stale = cache->Find("a", kAny).response;
  http::ResponseHead merged = stale->head;
  merged.tags = "u";
  cache->Refresh("a", kAny, stale, merged, cache->PurgeGeneration());
  EXPECT_TRUE(IsFresh(*cache, "a"));
  ASSERT_TRUE(cache->Flush().ok());
  const auto crashed = OpenAsAfterACrash();
  EXPECT_TRUE(IsFresh(*crashed, "a"));
  for (Cache* at : {cache.get(), crashed.get()}) {
    EXPECT_EQ(at->Purge({.tags = {"t"}}, PurgeKind::kHard), 0u) << "the 304 brought another tag";
    EXPECT_EQ(at->Purge({.tags = {"u"}}, PurgeKind::kHard), 1u);
  }
}

TEST_F(PurgeTest, WhatWasAskedForBeforeIsNotStoredAfter) {
  options_.path.clear();
  const auto cache = OpenCache();
  const uint64_t before = cache->PurgeGeneration();
  cache->Insert("a", kAny, Tagged("t", 1));
  const auto old = cache->Find("a", kAny).response;
  for (const PurgeKind kind : {PurgeKind::kHard, PurgeKind::kSoft}) {
    cache->Purge({.tags = {"t"}}, kind);
    EXPECT_EQ(cache->Insert("a", kAny, Tagged("t", 2), before), InsertResult::kPurged);
    EXPECT_EQ(cache->Insert("b", kAny, Tagged("u", 2), before), InsertResult::kStored) << "not meant";
    cache->Refresh("a", kAny, old, old->head, before);
    EXPECT_FALSE(IsFresh(*cache, "a"));
    EXPECT_EQ(cache->Insert("a", kAny, Tagged("t", 3), cache->PurgeGeneration()), InsertResult::kStored);
    EXPECT_EQ(cache->Insert("a", kAny, Tagged("t", 2), before), InsertResult::kPurged);
    EXPECT_EQ(*cache->Find("a", kAny).response->body, BodyOf(3, 100)) << "the newer one stays";
  }
}

TEST_F(PurgeTest, MoreSelectorsThanAreRememberedKeepOutAllThatBeganBefore) {
  options_.path.clear();
  const auto cache = OpenCache();
  const uint64_t before = cache->PurgeGeneration();
  PurgeSelection selection;
  for (size_t i = 0; i < kMaxRememberedPurges; ++i) selection.keys.push_back("k" + std::to_string(i));
  cache->Purge(selection, PurgeKind::kHard);
  EXPECT_EQ(cache->Insert("a", kAny, MakeResponse(1, 10), before), InsertResult::kStored);
  cache->Purge({.keys = {"one more"}}, PurgeKind::kHard);
  EXPECT_EQ(cache->Insert("b", kAny, MakeResponse(1, 10), before), InsertResult::kPurged);
}

TEST_F(PurgeTest, WhatHasBadTagsIsNotStored) {
  const auto cache = OpenCache();
  StoredResponse response = MakeResponse(1, 10);
  response.head.bad_tags = true;
  EXPECT_EQ(cache->Insert("a", kAny, response), InsertResult::kBadTags);
  cache->Insert("a", kAny, MakeResponse(1, 10));
  const auto old = cache->Find("a", kAny).response;
  cache->Refresh("a", kAny, old, response.head);
  EXPECT_FALSE(Has(*cache, "a"));
}

TEST_F(PurgeTest, AHardPurgeOutlivesACrashOnceFlushed) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, Tagged("t"));
  cache->Insert("b", kAny, Tagged("u"));
  ASSERT_TRUE(cache->Flush().ok());
  cache->Purge({.tags = {"t"}}, PurgeKind::kHard);
  ASSERT_TRUE(cache->Flush().ok());
  const auto crashed = OpenAsAfterACrash();
  EXPECT_FALSE(Has(*crashed, "a"));
  EXPECT_TRUE(Has(*crashed, "b"));
  EXPECT_EQ(crashed->Purge({.tags = {"u"}}, PurgeKind::kHard), 1u) << "tags are loaded too";
  EXPECT_EQ(crashed->Purge({.prefixes = {""}}, PurgeKind::kHard), 0u);
}

TEST_F(PurgeTest, TheBudgetHoldsWithTags) {
  options_.budget_bytes = 2'000;
  const auto cache = OpenCache();
  for (int i = 0; i < 20; ++i) {
    cache->Insert("k" + std::to_string(i), kAny, Tagged(std::string(200, 'x'), 1, 300));
    EXPECT_LE(cache->Stats().bytes, 2'000u);
  }
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(BytesInFile(), cache->Stats().bytes);
}

TEST(Catalogue, KeepsNoTagWithoutObjects) {
  Catalogue catalogue;
  const std::string key = "k";
  Entry entry;
  entry.id = 1;
  entry.key = &key;
  entry.tags = "a b";
  catalogue.Add(entry);
  EXPECT_EQ(catalogue.tags(), 2u);
  catalogue.Remove(entry);
  EXPECT_EQ(catalogue.tags(), 0u);
  EXPECT_TRUE(catalogue.Select({.prefixes = {""}}).empty());
}

// The origin's version only grows. A fetch notes the generation, then asks the origin, then stores; a purge
// follows each change of the origin. Nobody may find a version older than the last purge that had returned
// when the look-up began.
TEST_F(PurgeTest, NothingOldIsFoundAfterAPurgeHoweverManyFetchesAreUnderWay) {
  const auto cache = OpenCache();
  std::atomic<uint64_t> origin{1};
  std::atomic<uint64_t> purged{1};
  std::atomic<bool> stop{false};
  std::atomic<int> old_found{0};
  std::atomic<int> found{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const uint64_t asked_at = cache->PurgeGeneration();
        const uint64_t version = origin;
        std::this_thread::yield();
        cache->Insert("k", kAny, Tagged("t", version, 50), asked_at);
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) {
      const uint64_t at_least = purged;
      const FindResult result = cache->Find("k", kAny);
      if (!result.response) continue;
      ++found;
      const uint64_t version = std::stoull(std::string(*result.response->head.headers.Get("X-Seed")));
      if (version < at_least) ++old_found;
    }
  });
  const PurgeSelection selections[] = {
      {.keys = {"k"}}, {.prefixes = {"k"}}, {.tags = {"t"}}, {.prefixes = {""}}};
  for (uint64_t version = 2; version < 2'000 || found == 0; ++version) {
    origin = version;
    cache->Purge(selections[version % 4], PurgeKind::kHard);
    purged = version;
    std::this_thread::yield();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(old_found, 0);
}

}  // namespace
}  // namespace perigee::replica
