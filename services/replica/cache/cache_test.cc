#include "services/replica/cache/cache.h"

#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "services/replica/cache/cache_testing.h"

namespace perigee::replica {
namespace {

const http::HeaderList kAny;

TEST_F(CacheTest, FindsWhatWasInserted) {
  const auto cache = OpenCache();
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kUriMiss);
  EXPECT_EQ(cache->Insert("a", kAny, MakeResponse(1, 100)), InsertResult::kStored);
  const FindResult found = cache->Find("a", kAny);
  ASSERT_EQ(found.lookup, Lookup::kMemory);
  EXPECT_TRUE(IsIntact(*found.response));
  EXPECT_EQ(found.response->freshness.lifetime, std::chrono::seconds(60));
}

TEST_F(CacheTest, WhatMemoryCannotHoldIsFoundWhileBeingWrittenAndAfterwards) {
  options_.memory_budget_bytes = 1'000;
  const auto cache = OpenCache();
  const size_t size = size_t{3} * 256 * 1024 + 17;  // several chunks, the last one short
  ASSERT_EQ(cache->Insert("a", kAny, MakeResponse(1, size)), InsertResult::kStored);
  EXPECT_TRUE(IsIntact(*cache->Find("a", kAny).response));
  ASSERT_TRUE(cache->Flush().ok());
  const FindResult found = cache->Find("a", kAny);
  ASSERT_EQ(found.lookup, Lookup::kDisk);
  EXPECT_EQ(found.response->body->size(), size);
  EXPECT_TRUE(IsIntact(*found.response));
  EXPECT_EQ(found.response->freshness.lifetime, std::chrono::seconds(60));
  EXPECT_EQ(cache->Stats().pending_bytes, 0u);
  EXPECT_EQ(cache->Stats().memory_bytes, 0u);
}

TEST_F(CacheTest, WhatIsFoundOnDiskIsInMemoryTheNextTime) {
  { ASSERT_EQ(OpenCache()->Insert("a", kAny, MakeResponse(1, 100)), InsertResult::kStored); }
  const auto cache = OpenCache();
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kDisk);
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kMemory);
}

TEST_F(CacheTest, SelectsTheVariantThatTheRequestAsksFor) {
  const auto cache = OpenCache();
  const http::HeaderList gzip{{"Accept-Encoding", "gzip"}};
  const http::HeaderList brotli{{"Accept-Encoding", "br"}};
  cache->Insert("a", gzip, MakeResponse(1, 10, {{"Vary", "Accept-Encoding"}}));
  EXPECT_EQ(cache->Find("a", brotli).lookup, Lookup::kVaryMiss);
  cache->Insert("a", brotli, MakeResponse(2, 10, {{"Vary", "Accept-Encoding"}}));
  EXPECT_EQ(cache->Find("a", gzip).response->head.headers.Get("X-Seed"), "1");
  EXPECT_EQ(cache->Find("a", brotli).response->head.headers.Get("X-Seed"), "2");
  EXPECT_EQ(cache->Insert("a", gzip, MakeResponse(3, 10, {{"Vary", "*"}})), InsertResult::kVaryStar);
  EXPECT_EQ(cache->Stats().objects, 2u);
  EXPECT_EQ(cache->Erase("a"), 2u);
  EXPECT_EQ(cache->Find("a", gzip).lookup, Lookup::kUriMiss);
  EXPECT_EQ(cache->Stats().bytes, 0u);
}

TEST_F(CacheTest, TheNewestOfSeveralMatchingVariantsWins) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 10, {{"Vary", "X"}}));
  cache->Insert("a", kAny, MakeResponse(2, 10));
  EXPECT_EQ(cache->Find("a", kAny).response->head.headers.Get("X-Seed"), "2");
  cache->Insert("a", kAny, MakeResponse(3, 10, {{"Vary", "X"}}));
  EXPECT_EQ(cache->Find("a", kAny).response->head.headers.Get("X-Seed"), "3");
}

TEST_F(CacheTest, ErasesAllThatARequestSelectsAndNoMore) {
  const auto cache = OpenCache();
  const http::HeaderList other{{"X", "1"}};
  cache->Insert("a", other, MakeResponse(1, 10, {{"Vary", "X"}}));
  cache->Insert("a", kAny, MakeResponse(2, 10, {{"Vary", "X"}}));
  cache->Insert("a", kAny, MakeResponse(3, 10));
  EXPECT_EQ(cache->EraseSelected("a", kAny), 2u) << "no older one comes back";
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kVaryMiss);
  EXPECT_EQ(cache->Find("a", other).response->head.headers.Get("X-Seed"), "1");
}

TEST_F(CacheTest, OneKeyHasABoundedNumberOfVariants) {
  const auto cache = OpenCache();
  for (size_t i = 0; i < kMaxVariantsPerKey + 3; ++i) {
    cache->Insert("a", {{"X", std::to_string(i)}}, MakeResponse(i, 10, {{"Vary", "X"}}));
  }
  EXPECT_EQ(cache->Stats().objects, kMaxVariantsPerKey);
  EXPECT_EQ(cache->Find("a", {{"X", "2"}}).lookup, Lookup::kVaryMiss) << "the first ones stored went";
  EXPECT_EQ(cache->Find("a", {{"X", "3"}}).lookup, Lookup::kMemory);
}

TEST_F(CacheTest, ReplacesTheSameVariant) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 100));
  ASSERT_TRUE(cache->Flush().ok());
  cache->Insert("a", kAny, MakeResponse(2, 50));
  EXPECT_EQ(cache->Stats().objects, 1u);
  EXPECT_EQ(cache->Find("a", kAny).response->body->size(), 50u);
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(ObjectsInFile(), 1);
  EXPECT_EQ(BytesInFile(), cache->Stats().bytes);
}

TEST_F(CacheTest, AnObjectLargerThanTheBudgetIsRefusedAndTakesItsPredecessorAlong) {
  options_.budget_bytes = 1'000;
  const auto cache = OpenCache();
  cache->Insert("b", kAny, MakeResponse(1, 100));
  cache->Insert("a", kAny, MakeResponse(2, 100));
  EXPECT_EQ(cache->Insert("a", kAny, MakeResponse(3, 1'000)), InsertResult::kTooLarge);
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kUriMiss);
  EXPECT_EQ(cache->Find("b", kAny).lookup, Lookup::kMemory);
  EXPECT_EQ(cache->Stats().inserts_refused, 1u);
}

TEST_F(CacheTest, AnObjectAsLargeAsTheBudgetIsStored) {
  StoredResponse response = MakeResponse(1, 100);
  options_.budget_bytes = 1 + 2 + response.head.headers.text().size() + 100;  // "a", "OK"
  const auto cache = OpenCache();
  EXPECT_EQ(cache->Insert("a", kAny, std::move(response)), InsertResult::kStored);
  EXPECT_EQ(cache->Stats().bytes, cache->Stats().budget_bytes);
}

TEST_F(CacheTest, FewestHitsGoFirstAndTiesInTheOrderOfStoring) {
  options_.budget_bytes = 3 * 1'100;
  const auto cache = OpenCache();
  for (const char* key : {"a", "b", "c"}) cache->Insert(key, kAny, MakeResponse(1, 1'000));
  cache->Find("a", kAny);
  cache->Insert("d", kAny, MakeResponse(1, 1'000));  // b goes: no hits, and stored before c
  EXPECT_EQ(cache->Find("b", kAny).lookup, Lookup::kUriMiss);
  cache->Find("d", kAny);
  cache->Insert("e", kAny, MakeResponse(1, 1'000));  // c goes
  EXPECT_EQ(cache->Find("c", kAny).lookup, Lookup::kUriMiss);
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kMemory);
  EXPECT_EQ(cache->Stats().evictions, 2u);
}

TEST_F(CacheTest, RefusesWhatWouldWaitForTheDiskBeyondTheLimit) {
  options_.max_pending_bytes = 500;
  const auto cache = OpenCache();
  EXPECT_EQ(cache->Insert("a", kAny, MakeResponse(1, 501)), InsertResult::kBusy);
  EXPECT_EQ(cache->Insert("a", kAny, MakeResponse(1, 100)), InsertResult::kStored);
}

TEST_F(CacheTest, RefreshGivesANewHeadAndKeepsBodyAndHits) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 100));
  ASSERT_TRUE(cache->Flush().ok());
  const auto old = cache->Find("a", kAny).response;
  http::ResponseHead merged = old->head;
  merged.headers.Set("Cache-Control", "max-age=99");
  merged.headers.Add("X-Long", std::string(200, 'x'));
  const auto fresh = cache->Refresh("a", kAny, old, merged);
  EXPECT_EQ(fresh->freshness.lifetime, std::chrono::seconds(99));
  EXPECT_EQ(fresh->body, old->body);
  EXPECT_EQ(cache->Find("a", kAny).response, fresh);
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(BytesInFile(), cache->Stats().bytes);
  EXPECT_EQ(*OpenFile().QueryNumber("SELECT hits FROM object"), 2);
}

TEST_F(CacheTest, RefreshedHeadIsFoundThoughMemoryCannotHoldIt) {
  options_.memory_budget_bytes = 10;
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 100));
  for (const bool flushed : {false, true}) {
    if (flushed) {
      ASSERT_TRUE(cache->Flush().ok());
    }
    const auto old = cache->Find("a", kAny).response;
    http::ResponseHead merged = old->head;
    merged.headers.Set("X-Round", flushed ? "2" : "1");
    cache->Refresh("a", kAny, old, merged);
    EXPECT_EQ(cache->Find("a", kAny).response->head.headers.Get("X-Round"), flushed ? "2" : "1");
  }
  ASSERT_TRUE(cache->Flush().ok());
  const FindResult found = cache->Find("a", kAny);
  EXPECT_EQ(found.lookup, Lookup::kDisk);
  EXPECT_EQ(found.response->head.headers.Get("X-Round"), "2");
}

TEST_F(CacheTest, ARefreshDuringTheCommitOfTheOldHeadIsNotLost) {
  options_.memory_budget_bytes = 10;
  const auto cache = OpenCache();
  for (int round = 0; round < 1'000; ++round) {
    cache->Insert("a", kAny, MakeResponse(1, 20'000));
    for (const std::string& step : {std::string("x"), std::to_string(round)}) {
      const auto old = cache->Find("a", kAny).response;
      ASSERT_NE(old, nullptr) << round;
      http::ResponseHead merged = old->head;
      merged.headers.Set("X-Round", step);
      cache->Refresh("a", kAny, old, merged);
      ASSERT_EQ(cache->Find("a", kAny).response->head.headers.Get("X-Round"), step) << round;
    }
    ASSERT_TRUE(round % 3 != 0 || cache->Flush().ok());
    ASSERT_EQ(cache->Find("a", kAny).response->head.headers.Get("X-Round"), std::to_string(round));
  }
}

TEST_F(CacheTest, RefreshDoesNotBringBackWhatIsGone) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 100));
  const auto old = cache->Find("a", kAny).response;
  cache->Erase("a");
  EXPECT_NE(cache->Refresh("a", kAny, old, old->head), nullptr);
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kUriMiss);
}

TEST_F(CacheTest, RefreshWithAnotherVaryMovesTheVariant) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 100));
  const auto old = cache->Find("a", kAny).response;
  http::ResponseHead merged = old->head;
  merged.headers.Add("Vary", "X");
  cache->Refresh("a", {{"X", "1"}}, old, merged);
  EXPECT_EQ(cache->Find("a", {{"X", "2"}}).lookup, Lookup::kVaryMiss);
  EXPECT_EQ(cache->Find("a", {{"X", "1"}}).lookup, Lookup::kMemory);
  EXPECT_EQ(cache->Stats().objects, 1u);
}

TEST_F(CacheTest, RefusesToOpenWithoutABudget) {
  options_.budget_bytes = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(Cache::Open(options_, clock_).status()));
}

TEST_F(CacheTest, RunsInMemoryAloneWithoutAPath) {
  options_.path.clear();
  options_.memory_budget_bytes = 2'500;
  const auto cache = OpenCache();
  for (int i = 0; i < 5; ++i) cache->Insert(std::to_string(i), kAny, MakeResponse(1, 1'000));
  EXPECT_EQ(cache->Stats().objects, 2u) << "what leaves memory has nowhere else to be";
  EXPECT_EQ(cache->Find("4", kAny).lookup, Lookup::kMemory);
  EXPECT_TRUE(cache->Flush().ok());
  EXPECT_FALSE(cache->Stats().disk_ok);
}

// The rules of the cache in their simplest form: what is stored after each operation, and in what order it
// goes.
class Model {
 public:
  explicit Model(uint64_t budget) : budget_(budget) {}

  void Insert(const std::string& key, uint64_t bytes) {
    Erase(key);
    if (bytes > budget_) return;
    MakeRoom(bytes);
    objects_[key] = {bytes, 0, next_++};
  }
  void Resize(const std::string& key, uint64_t bytes) {
    Object object = objects_.at(key);
    objects_.erase(key);
    if (bytes > budget_) return;
    object.bytes = bytes;
    MakeRoom(bytes);
    objects_[key] = object;
  }
  bool Find(const std::string& key) {
    const auto it = objects_.find(key);
    if (it == objects_.end()) return false;
    ++it->second.hits;
    return true;
  }
  void Erase(const std::string& key) { objects_.erase(key); }
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const auto& [key, object] : objects_) sum += object.bytes;
    return sum;
  }
  size_t size() const { return objects_.size(); }

 private:
  struct Object {
    uint64_t bytes;
    uint64_t hits;
    uint64_t order;
  };
  void MakeRoom(uint64_t bytes) {
    while (this->bytes() + bytes > budget_) {
      objects_.erase(std::min_element(objects_.begin(), objects_.end(), [](const auto& a, const auto& b) {
        return std::pair(a.second.hits, a.second.order) < std::pair(b.second.hits, b.second.order);
      }));
    }
  }
  const uint64_t budget_;
  uint64_t next_ = 0;
  std::map<std::string, Object> objects_;
};

TEST_F(CacheTest, AgreesWithTheModelAndKeepsItsBudgetsOverRandomOperations) {
  options_.eviction = Eviction::kLfu;
  options_.budget_bytes = 40'000;
  options_.memory_budget_bytes = 9'000;
  auto cache = OpenCache();
  Model model(options_.budget_bytes);
  std::mt19937_64 rng(20'261'124);
  const auto weight = [](const std::string& key, const StoredResponse& response) {
    return key.size() + 2 + response.head.headers.text().size() + response.body->size();
  };
  for (int step = 0; step < 100'000; ++step) {
    const std::string key = "key" + std::to_string(std::min(rng() % 60, rng() % 60));
    const unsigned kind = rng() % 20;
    if (kind < 6) {
      StoredResponse response = MakeResponse(rng() % 1'000, rng() % 50 == 0 ? 50'000 : rng() % 3'000);
      model.Insert(key, weight(key, response));
      cache->Insert(key, kAny, std::move(response));
    } else if (kind < 18) {
      const FindResult found = cache->Find(key, kAny);
      ASSERT_EQ(found.response != nullptr, model.Find(key)) << step;
      ASSERT_TRUE(!found.response || IsIntact(*found.response)) << step;
      if (found.response && kind == 17) {
        http::ResponseHead merged = found.response->head;
        merged.headers.Set("X-Pad", std::string(rng() % 500, 'p'));
        const auto fresh = cache->Refresh(key, kAny, found.response, merged);
        model.Resize(key, weight(key, *fresh));
      }
    } else if (kind == 18) {
      cache->Erase(key);
      model.Erase(key);
    }
    const CacheStats stats = cache->Stats();
    ASSERT_EQ(stats.bytes, model.bytes()) << step;
    ASSERT_EQ(stats.objects, model.size()) << step;
    ASSERT_LE(stats.bytes, options_.budget_bytes);
    ASSERT_LE(stats.memory_bytes, options_.memory_budget_bytes);
    if (step % 5'000 == 0) {
      ASSERT_TRUE(cache->Flush().ok());
      ASSERT_EQ(BytesInFile(), stats.bytes) << step;
      ASSERT_EQ(ObjectsInFile(), static_cast<int64_t>(stats.objects)) << step;
    }
    if (step % 20'000 == 0) {  // hits and order outlive the process
      cache.reset();
      cache = OpenCache();
    }
  }
}

TEST_F(CacheTest, ThreadsSeeWholeObjectsAndNeverMoreThanTheBudgets) {
  options_.budget_bytes = 200'000;
  options_.memory_budget_bytes = 60'000;
  const auto cache = OpenCache();
  std::atomic<int> broken = 0;
  std::atomic<int> running = 4;
  const auto work = [&](uint64_t seed) {
    std::mt19937_64 rng(seed);
    for (int i = 0; i < 4'000; ++i) {
      const std::string key = std::to_string(rng() % 100);
      const FindResult found = cache->Find(key, kAny);
      if (!found.response) {
        cache->Insert(key, kAny, MakeResponse(rng() % 1'000, rng() % 10'000));
      } else {
        broken += !IsIntact(*found.response);
        if (rng() % 10 == 0) cache->Refresh(key, kAny, found.response, found.response->head);
        if (rng() % 20 == 0) cache->Erase(key);
      }
    }
    --running;
  };
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed) threads.emplace_back(work, seed);
  while (running > 0) {
    const CacheStats stats = cache->Stats();
    EXPECT_LE(stats.bytes, options_.budget_bytes);
    EXPECT_LE(stats.memory_bytes, options_.memory_budget_bytes);
    EXPECT_LE(BytesInFile(), options_.budget_bytes) << "every commit keeps the budget";
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(broken, 0);
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(BytesInFile(), cache->Stats().bytes);
  EXPECT_EQ(cache->Stats().disk_errors, 0u);
}

}  // namespace
}  // namespace perigee::replica
