// Large bodies: written to SQLite while they come, read from there chunk by chunk.
#include "services/replica/cache/large_body.h"

#include <gmock/gmock.h>

#include <atomic>

#include "services/replica/cache/cache_testing.h"

namespace perigee::replica {
namespace {

const http::HeaderList kAny;
constexpr size_t kSize = 5 * kChunkBytes + 17;

class LargeBodyTest : public CacheTest {
 protected:
  std::unique_ptr<BodyWriter> Begin(Cache& cache) {
    return cache.BeginBody(kSize, [this](uint64_t written, bool failed) {
      written_ = written;
      failed_ = failed;
    });
  }
  // Stores BodyOf(seed, kSize) under `key`.
  InsertResult Put(Cache& cache, std::string_view key, uint64_t seed, uint64_t asked_at = kAfterEveryPurge) {
    const auto writer = Begin(cache);
    EXPECT_TRUE(writer->Append(BodyOf(seed, kSize)));
    EXPECT_TRUE(writer->End());
    EXPECT_TRUE(cache.Flush().ok());
    EXPECT_EQ(written_, kSize);
    return writer->Finish(key, kAny, MakeResponse(seed, 0).head, asked_at);
  }
  static std::string BodyFrom(const DiskBody& body) {
    std::string whole, chunk;
    for (uint64_t number = 0; whole.size() < kSize && body.ReadChunk(number, &chunk).ok(); ++number) {
      whole += chunk;
    }
    return whole;
  }
  int64_t ChunksInFile() const { return *OpenFile().QueryNumber("SELECT count(*) FROM chunk"); }
  void Damage(const char* sql) {
    auto file = *sqlite::Database::Open(options_.path, sqlite::Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(file.Execute(sql).ok());
  }

  std::atomic<uint64_t> written_{0};
  std::atomic<bool> failed_{false};
};

TEST_F(LargeBodyTest, IsFoundOnceFinishedAndAfterARestart) {
  {
    const auto cache = OpenCache();
    ASSERT_EQ(Put(*cache, "a", 1), InsertResult::kStored);
    const FindResult at_once = cache->Find("a", kAny);
    ASSERT_TRUE(at_once.response);
    EXPECT_FALSE(at_once.response->body);
    EXPECT_EQ(at_once.response->body_bytes, kSize);
    EXPECT_EQ(BodyFrom(*at_once.response->disk_body), BodyOf(1, kSize));
    ASSERT_TRUE(cache->Flush().ok());
    EXPECT_EQ(BytesInFile(), cache->Stats().bytes);
    EXPECT_EQ(cache->Stats().memory_objects, 0u);
    EXPECT_EQ(cache->Stats().pending_bytes, 0u);
  }
  const auto cache = OpenCache();
  const FindResult found = cache->Find("a", kAny);
  ASSERT_EQ(found.lookup, Lookup::kDisk);
  EXPECT_EQ(found.response->head.headers.Get("X-Seed"), "1");
  EXPECT_EQ(BodyFrom(*found.response->disk_body), BodyOf(1, kSize));
}

TEST_F(LargeBodyTest, WhatIsHalfWrittenIsNoObjectAndGoes) {
  const auto cache = OpenCache();
  auto writer = Begin(*cache);
  ASSERT_TRUE(writer->Append(BodyOf(1, 3 * kChunkBytes)));
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(written_, 3 * kChunkBytes);
  EXPECT_EQ(cache->Stats().bytes, 3 * kChunkBytes) << "it counts";
  EXPECT_EQ(cache->Stats().objects, 0u);
  EXPECT_EQ(ChunksInFile(), 3);
  writer.reset();
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(ChunksInFile(), 0);
  EXPECT_EQ(cache->Stats().bytes, 0u);
}

TEST_F(LargeBodyTest, WhatACrashLeftLooseIsErasedAtTheNextStart) {
  {
    const auto cache = OpenCache();
    ASSERT_EQ(Put(*cache, "a", 1), InsertResult::kStored);
    const auto writer = Begin(*cache);
    ASSERT_TRUE(writer->Append(BodyOf(2, 2 * kChunkBytes)));
    ASSERT_TRUE(cache->Flush().ok());
    std::filesystem::copy_file(options_.path, options_.path + ".crashed");
    std::filesystem::copy_file(options_.path + "-wal", options_.path + ".crashed-wal");
  }
  options_.path += ".crashed";
  const auto cache = OpenCache();
  EXPECT_EQ(ChunksInFile(), 6);
  EXPECT_EQ(cache->Stats().bytes, BytesInFile());
  EXPECT_EQ(BodyFrom(*cache->Find("a", kAny).response->disk_body), BodyOf(1, kSize));
}

TEST_F(LargeBodyTest, AReaderGetsTheRestOfWhatIsReplacedOrPurgedMeanwhile) {
  const auto cache = OpenCache();
  ASSERT_EQ(Put(*cache, "a", 1), InsertResult::kStored);
  auto old = cache->Find("a", kAny).response;
  ASSERT_EQ(Put(*cache, "a", 2), InsertResult::kStored);
  auto replaced = cache->Find("a", kAny).response;
  EXPECT_EQ(cache->Purge({.keys = {"a"}}, PurgeKind::kHard), 1u);
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kUriMiss);
  EXPECT_EQ(ObjectsInFile(), 0) << "not even after a crash";
  EXPECT_EQ(cache->Stats().bytes, 2 * kSize) << "what is still read counts";
  EXPECT_EQ(BodyFrom(*old->disk_body), BodyOf(1, kSize));
  EXPECT_EQ(BodyFrom(*replaced->disk_body), BodyOf(2, kSize));
  old.reset();
  replaced.reset();
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(cache->Stats().bytes, 0u);
  EXPECT_EQ(ChunksInFile(), 0);
}

TEST_F(LargeBodyTest, ReadersKeepHalfTheBudgetAtMost) {
  options_.budget_bytes = 3 * kSize;
  const auto cache = OpenCache();
  ASSERT_EQ(Put(*cache, "a", 1), InsertResult::kStored);
  ASSERT_EQ(Put(*cache, "b", 2), InsertResult::kStored);
  ASSERT_TRUE(cache->Flush().ok());
  const auto a = cache->Find("a", kAny).response;
  const auto b = cache->Find("b", kAny).response;
  cache->Erase("a");
  cache->Erase("b");
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(BodyFrom(*a->disk_body), BodyOf(1, kSize));
  std::string chunk;
  EXPECT_TRUE(absl::IsNotFound(b->disk_body->ReadChunk(0, &chunk))) << "an error, never other bytes";
  EXPECT_EQ(cache->Stats().bytes, kSize);
  EXPECT_EQ(cache->Stats().disk_errors, 0u);
}

TEST_F(LargeBodyTest, TheBudgetHoldsWhileItIsWrittenAndWhatDoesNotFitIsRefused) {
  options_.budget_bytes = kSize + 1'000;
  const auto cache = OpenCache();
  for (int i = 0; i < 5; ++i) cache->Insert(std::to_string(i), kAny, MakeResponse(1, 200'000));
  const auto writer = Begin(*cache);
  const std::string body = BodyOf(1, kSize);
  for (size_t at = 0; at < body.size(); at += 100'000) {
    ASSERT_TRUE(writer->Append(std::string_view(body).substr(at, 100'000)));
    ASSERT_TRUE(cache->Flush().ok());
    EXPECT_LE(cache->Stats().bytes, options_.budget_bytes);
    EXPECT_LE(BytesInFile(), options_.budget_bytes);
  }
  EXPECT_EQ(cache->Insert("x", kAny, MakeResponse(1, 300'000)), InsertResult::kTooLarge)
      << "what is being written is not evicted";
  EXPECT_EQ(Begin(*cache), nullptr);
  ASSERT_TRUE(writer->End());
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(writer->Finish("a", kAny, MakeResponse(1, 0).head, kAfterEveryPurge), InsertResult::kStored);
  EXPECT_EQ(cache->Stats().objects, 1u);
}

TEST_F(LargeBodyTest, AnEndlessBodyIsGivenUpAtTheBudget) {
  options_.budget_bytes = 10 * kChunkBytes;
  const auto cache = OpenCache();
  const auto writer = Begin(*cache);
  const std::string chunk = BodyOf(1, kChunkBytes);
  int taken = 0;
  while (taken < 100 && writer->Append(chunk)) ++taken;
  EXPECT_EQ(taken, 10);
}

TEST_F(LargeBodyTest, WhatAPurgeMeantIsNotStored) {
  const auto cache = OpenCache();
  const uint64_t before = cache->PurgeGeneration();
  cache->Purge({.prefixes = {""}}, PurgeKind::kHard);
  EXPECT_EQ(Put(*cache, "a", 1, before), InsertResult::kPurged);
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(ChunksInFile(), 0);
}

TEST_F(LargeBodyTest, ADamagedChunkIsNeverGivenAndEndsItsObject) {
  const auto cache = OpenCache();
  ASSERT_EQ(Put(*cache, "a", 1), InsertResult::kStored);
  ASSERT_TRUE(cache->Flush().ok());
  Damage(
      "UPDATE chunk SET data = substr(data, 1, 999) || x'00' || substr(data, 1001) WHERE id % 1048576 = 2");
  const auto found = cache->Find("a", kAny).response;
  std::string chunk;
  ASSERT_TRUE(found->disk_body->ReadChunk(1, &chunk).ok());
  EXPECT_TRUE(absl::IsDataLoss(found->disk_body->ReadChunk(2, &chunk)));
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kUriMiss);
  EXPECT_EQ(cache->Stats().disk_errors, 1u);
}

TEST_F(LargeBodyTest, AChunkInAnothersPlaceIsDamage) {
  const auto cache = OpenCache();
  ASSERT_EQ(Put(*cache, "a", 1), InsertResult::kStored);
  ASSERT_TRUE(cache->Flush().ok());
  Damage("UPDATE chunk SET data = (SELECT data FROM chunk WHERE id % 1048576 = 1) WHERE id % 1048576 = 0");
  std::string chunk;
  const auto found = cache->Find("a", kAny).response;
  EXPECT_TRUE(absl::IsDataLoss(found->disk_body->ReadChunk(0, &chunk)));
}

TEST_F(LargeBodyTest, ASmallObjectThatIsDamagedIsAMiss) {
  options_.memory_budget_bytes = 10;
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 10'000));
  ASSERT_TRUE(cache->Flush().ok());
  Damage("UPDATE chunk SET data = substr(data, 1, 999) || x'00' || substr(data, 1001)");
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kUriMiss);
  EXPECT_EQ(cache->Stats().objects, 0u);
  EXPECT_EQ(cache->Stats().disk_errors, 1u);
}

TEST_F(LargeBodyTest, IsRefreshedInPlace) {
  const auto cache = OpenCache();
  ASSERT_EQ(Put(*cache, "a", 1), InsertResult::kStored);
  for (const bool committed : {false, true}) {
    if (committed) {
      ASSERT_TRUE(cache->Flush().ok());
    }
    const auto old = cache->Find("a", kAny).response;
    http::ResponseHead merged = old->head;
    merged.headers.Set("X-Round", committed ? "2" : "1");
    const auto fresh = cache->Refresh("a", kAny, old, merged);
    EXPECT_EQ(BodyFrom(*fresh->disk_body), BodyOf(1, kSize));
    EXPECT_LT(cache->Stats().pending_bytes, 1'000u) << "the head alone";
    const auto found = cache->Find("a", kAny).response;
    EXPECT_EQ(found->head.headers.Get("X-Round"), committed ? "2" : "1");
    EXPECT_EQ(BodyFrom(*found->disk_body), BodyOf(1, kSize));
  }
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(BytesInFile(), cache->Stats().bytes);
}

TEST_F(LargeBodyTest, AnotherVaryEndsTheObjectButNotItsReaders) {
  const auto cache = OpenCache();
  ASSERT_EQ(Put(*cache, "a", 1), InsertResult::kStored);
  const auto old = cache->Find("a", kAny).response;
  http::ResponseHead merged = old->head;
  merged.headers.Set("Vary", "X");
  const auto fresh = cache->Refresh("a", kAny, old, merged);
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kUriMiss);
  EXPECT_EQ(BodyFrom(*fresh->disk_body), BodyOf(1, kSize));
}

TEST_F(LargeBodyTest, WithoutTheDiskThereIsNoPlaceForIt) {
  options_.path.clear();
  const auto cache = OpenCache();
  EXPECT_EQ(Begin(*cache), nullptr);
  EXPECT_TRUE(cache->FitsInMemoryAlone(kSize));
  EXPECT_EQ(cache->Insert("a", kAny, MakeResponse(1, kSize)), InsertResult::kStored);
  EXPECT_TRUE(IsIntact(*cache->Find("a", kAny).response)) << "it is stored whole";
}

TEST_F(LargeBodyTest, AReadLeavesNoTransactionThatKeepsTheWalFromStartingAnew) {
  const auto cache = OpenCache();
  ASSERT_EQ(Put(*cache, "a", 1), InsertResult::kStored);
  const auto slow = cache->Find("a", kAny).response;
  std::string chunk;
  for (uint64_t round = 0; round < 30; ++round) {
    ASSERT_TRUE(slow->disk_body->ReadChunk(round % 5, &chunk).ok());
    cache->Insert("b", kAny, MakeResponse(round, 1'000'000));
    ASSERT_TRUE(cache->Flush().ok());
  }
  EXPECT_LT(std::filesystem::file_size(options_.path + "-wal"), 10'000'000u);
}

}  // namespace
}  // namespace perigee::replica
