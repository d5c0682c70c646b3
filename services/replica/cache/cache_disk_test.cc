// What the cache does when the process or the disk fails.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "lib/sqlite/bus_guard.h"
#include "services/replica/cache/cache.h"
#include "services/replica/cache/cache_testing.h"

namespace perigee::replica {
namespace {

const http::HeaderList kAny;

TEST_F(CacheTest, ReopensWithTheSameObjectsAndTheirHits) {
  options_.budget_bytes = 3 * 1'200;
  http::ResponseHead head;
  {
    const auto cache = OpenCache();
    for (const char* key : {"a", "b", "c"}) {
      cache->Insert(key, {{"X", "1"}}, MakeResponse(1, 1'000, {{"Vary", "X"}, {"ETag", "\"e\""}}));
    }
    cache->Find("a", {{"X", "1"}});
    head = cache->Find("c", {{"X", "1"}}).response->head;
  }
  const auto cache = OpenCache();
  EXPECT_EQ(cache->Stats().objects, 3u);
  EXPECT_EQ(cache->Find("c", {{"X", "2"}}).lookup, Lookup::kVaryMiss);
  cache->Insert("d", kAny, MakeResponse(1, 1'000));
  EXPECT_EQ(cache->Find("b", {{"X", "1"}}).lookup, Lookup::kUriMiss) << "b had no hits";
  const auto found = cache->Find("c", {{"X", "1"}});
  ASSERT_EQ(found.lookup, Lookup::kDisk);
  EXPECT_TRUE(IsIntact(*found.response));
  EXPECT_EQ(found.response->head.status, head.status);
  EXPECT_EQ(found.response->head.reason, head.reason);
  EXPECT_EQ(found.response->head.headers, head.headers);
  EXPECT_EQ(found.response->head.request_time, head.request_time);
  EXPECT_EQ(found.response->head.response_time, head.response_time);
}

// --- Heads that are known from their last reading ---

TEST_F(CacheTest, AKnownHeadNeedsNoRow) {
  options_.memory_budget_bytes = 1;
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 1'000));
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kDisk);
  ASSERT_TRUE(sqlite::Database::Open(options_.path, sqlite::Database::Mode::kReadWriteCreate)
                  ->Execute("UPDATE object SET headers = 'no fields'")
                  .ok());
  cache->Insert("b", kAny, MakeResponse(2, 10));
  ASSERT_TRUE(cache->Flush().ok());  // so that what is read from now on is read anew
  const FindResult found = cache->Find("a", kAny);
  ASSERT_EQ(found.lookup, Lookup::kDisk);
  EXPECT_TRUE(IsIntact(*found.response));
  EXPECT_EQ(cache->Stats().memory_objects, 0u);
}

TEST_F(CacheTest, AKnownHeadIsForgottenWithEveryChange) {
  options_.memory_budget_bytes = 1;
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 1'000));
  ASSERT_TRUE(cache->Flush().ok());
  const auto old = cache->Find("a", kAny).response;
  http::ResponseHead merged = old->head;
  merged.headers.Set("X-New", "1");
  cache->Refresh("a", kAny, old, merged);
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_TRUE(cache->Find("a", kAny).response->head.headers.Has("X-New"));

  cache->Insert("a", kAny, MakeResponse(2, 1'000));
  ASSERT_TRUE(cache->Flush().ok());
  const FindResult replaced = cache->Find("a", kAny);
  ASSERT_EQ(replaced.lookup, Lookup::kDisk);
  EXPECT_EQ(replaced.response->head.headers.Get("X-Seed"), "2");
  EXPECT_TRUE(IsIntact(*replaced.response));
}

TEST_F(CacheTest, AKnownHeadHeedsASoftPurgeUntilItIsValidated) {
  options_.memory_budget_bytes = 1;
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 1'000));
  ASSERT_TRUE(cache->Flush().ok());
  const auto lifetime = [&] { return cache->Find("a", kAny).response->freshness.lifetime; };
  const auto whole = lifetime();
  cache->Purge({.keys = {"a"}}, PurgeKind::kSoft);
  EXPECT_LT(lifetime(), whole);
  const auto stale = cache->Find("a", kAny).response;
  cache->Refresh("a", kAny, stale, stale->head, cache->PurgeGeneration());
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(lifetime(), whole);
}

TEST_F(CacheTest, WhatIsErasedIsNotWrittenAgain) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 1'000'000));
  ASSERT_TRUE(cache->Flush().ok());
  const auto written = std::filesystem::file_size(options_.path + "-wal");
  ASSERT_GT(written, 1'000'000u);
  cache->Erase("a");
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_LT(std::filesystem::file_size(options_.path + "-wal") - written, 200'000u);
}

TEST_F(CacheTest, ASmallerBudgetEvictsTheFewestHitsAtOpen) {
  {
    const auto cache = OpenCache();
    for (int i = 0; i < 10; ++i) cache->Insert(std::to_string(i), kAny, MakeResponse(1, 1'000));
    cache->Find("0", kAny);
  }
  options_.budget_bytes = 2'200;
  const auto cache = OpenCache();
  EXPECT_EQ(cache->Stats().objects, 2u);
  EXPECT_EQ(cache->Find("0", kAny).lookup, Lookup::kDisk);
  EXPECT_EQ(cache->Find("9", kAny).lookup, Lookup::kDisk);
  ASSERT_TRUE(cache->Flush().ok());
  EXPECT_EQ(BytesInFile(), cache->Stats().bytes);
}

TEST_F(CacheTest, RememberedHitsSurviveARestartOnceTheObjectIsBack) {
  options_.budget_bytes = 2'200;  // two objects
  {
    const auto cache = OpenCache();
    cache->Insert("a", kAny, MakeResponse(1, 1'000));
    cache->Insert("b", kAny, MakeResponse(1, 1'000));
    cache->Insert("c", kAny, MakeResponse(1, 1'000));  // a goes
    cache->Insert("a", kAny, MakeResponse(1, 1'000));  // and is back, for b; it has been asked for twice
  }
  const auto cache = OpenCache();
  cache->Insert("d", kAny, MakeResponse(1, 1'000));
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kDisk);
  EXPECT_EQ(cache->Find("c", kAny).lookup, Lookup::kUriMiss);
}

TEST_F(CacheTest, TheWalStaysBoundedWhileMuchIsWritten) {
  const auto cache = OpenCache();
  for (int i = 0; i < 200; ++i) {  // 40 MB
    cache->Insert(std::to_string(i), kAny, MakeResponse(i, 200'000));
    ASSERT_TRUE(cache->Flush().ok());
  }
  EXPECT_LT(std::filesystem::file_size(options_.path + "-wal"), 8'000'000u);
}

// Asks until it is so; the writer's own timer is under test, so that there is nothing to call instead.
template <typename Condition>
bool ComesTrue(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
  }
  return true;
}

TEST_F(CacheTest, TheFileShrinksWithItsBudgetThoughNothingIsWritten) {
  {
    const auto cache = OpenCache();
    for (int i = 0; i < 90; ++i) cache->Insert(std::to_string(i), kAny, MakeResponse(1, 100'000));
  }
  const int64_t pages = *OpenFile().QueryNumber("PRAGMA page_count");
  options_.budget_bytes = 300'000;
  const auto cache = OpenCache();
  EXPECT_TRUE(ComesTrue([&] { return *OpenFile().QueryNumber("PRAGMA page_count") < pages / 4; }));
  EXPECT_EQ(cache->Stats().objects, 2u);
}

TEST_F(CacheTest, HitCountsAreWrittenFromTimeToTimeAlsoWhileObjectsAre) {
  options_.hits_flush_interval = std::chrono::milliseconds(30);
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 100));
  ASSERT_TRUE(cache->Flush().ok());
  cache->Find("a", kAny);
  EXPECT_TRUE(ComesTrue([&] {
    cache->Insert("b", kAny, MakeResponse(1, 100));
    return *OpenFile().QueryNumber("SELECT hits FROM object WHERE key = CAST('a' AS BLOB)") == 1;
  }));
}

TEST_F(CacheTest, TheDiskIsTriedAgainFromTimeToTime) {
  options_.path = folder_ / "later/cache.sqlite";
  options_.disk_retry = std::chrono::milliseconds(1);
  const auto cache = OpenCache();
  std::filesystem::create_directory(folder_ / "later");
  EXPECT_TRUE(ComesTrue([&] { return cache->Stats().disk_ok; }));
}

std::vector<std::string> DamagedFiles(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    const std::string name = file.path().filename().string();
    if (name.find(".damaged-1700000000") != std::string::npos && !name.ends_with("-wal") &&
        !name.ends_with("-shm")) {
      names.push_back(name);
    }
  }
  return names;
}

TEST_F(CacheTest, ADamagedFileIsMovedAsideAndAnEmptyCacheStarts) {
  { OpenCache()->Insert("a", kAny, MakeResponse(1, 100'000)); }
  {
    std::fstream file(options_.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(16'384 + 100);
    file << std::string(40'000, 'x');
  }
  const auto cache = OpenCache();
  EXPECT_TRUE(cache->Stats().disk_ok);
  EXPECT_EQ(cache->Stats().objects, 0u);
  EXPECT_EQ(cache->Stats().disk_errors, 1u);
  EXPECT_EQ(DamagedFiles(folder_.path()).size(), 1u);
  EXPECT_EQ(cache->Insert("a", kAny, MakeResponse(1, 100)), InsertResult::kStored);
  EXPECT_TRUE(cache->Flush().ok());
}

TEST_F(CacheTest, AFileThatIsNoCacheIsMovedAside) {
  std::ofstream(options_.path) << std::string(50'000, 'x');
  std::ofstream(options_.path + ".damaged-17000000001");
  std::ofstream(options_.path + ".damaged-17000000001-wal");
  std::ofstream(folder_ / "other.damaged-1700000000");
  EXPECT_TRUE(OpenCache()->Stats().disk_ok);
  EXPECT_THAT(DamagedFiles(folder_.path()),
              testing::UnorderedElementsAre("cache.sqlite.damaged-1700000000", "other.damaged-1700000000"))
      << "the last that was ours, and what is not";
}

TEST_F(CacheTest, AFileOfAnotherVersionIsMovedAside) {
  { OpenCache(); }
  {
    auto file = *sqlite::Database::Open(options_.path, sqlite::Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(file.Execute("PRAGMA user_version=99").ok());
  }
  EXPECT_TRUE(OpenCache()->Stats().disk_ok);
  EXPECT_EQ(DamagedFiles(folder_.path()).size(), 1u);
}

TEST_F(CacheTest, AFileInUseIsRefused) {
  const auto cache = OpenCache();
  const absl::Status status = Cache::Open(options_, clock_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr(options_.path));
}

TEST_F(CacheTest, AMissingDirectoryMeansMemoryAloneUntilItIsThere) {
  options_.path = folder_ / "later/cache.sqlite";
  {
    const auto cache = OpenCache();
    EXPECT_FALSE(cache->Stats().disk_ok);
    EXPECT_EQ(cache->Insert("a", kAny, MakeResponse(1, 100)), InsertResult::kStored);
    EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kMemory);
    EXPECT_FALSE(cache->Flush().ok());
    std::filesystem::create_directory(folder_ / "later");
    EXPECT_TRUE(cache->Flush().ok());
    EXPECT_TRUE(cache->Stats().disk_ok);
  }
  EXPECT_EQ(OpenCache()->Find("a", kAny).lookup, Lookup::kDisk);
}

// No file of this process may grow beyond `bytes`: to SQLite, a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(CacheTest, AStartOnAFullDiskMeansMemoryAloneUntilThereIsRoom) {
  const auto cache = [&] {
    const FileSizeLimit limit(4'096);
    return OpenCache();
  }();
  EXPECT_FALSE(cache->Stats().disk_ok);
  cache->Insert("a", kAny, MakeResponse(1, 100));
  EXPECT_TRUE(cache->Flush().ok());
  EXPECT_TRUE(cache->Stats().disk_ok);
}

TEST_F(CacheTest, AFullDiskMeansMemoryAloneUntilThereIsRoom) {
  options_.memory_budget_bytes = 300'000;
  {
    const auto cache = OpenCache();
    cache->Insert("before", kAny, MakeResponse(1, 10'000));
    ASSERT_TRUE(cache->Flush().ok());
    {
      const FileSizeLimit limit(200'000);
      for (int i = 0; i < 50; ++i) cache->Insert(std::to_string(i), kAny, MakeResponse(i, 20'000));
      EXPECT_FALSE(cache->Flush().ok());
      const CacheStats stats = cache->Stats();
      EXPECT_FALSE(stats.disk_ok);
      EXPECT_GT(stats.disk_errors, 0u);
      EXPECT_LE(stats.memory_bytes, options_.memory_budget_bytes);
      EXPECT_EQ(stats.pending_bytes, 0u) << "memory stays bounded";
      EXPECT_EQ(cache->Insert("now", kAny, MakeResponse(7, 20'000)), InsertResult::kStored);
      EXPECT_TRUE(IsIntact(*cache->Find("now", kAny).response));
      EXPECT_EQ(cache->Insert("large", kAny, MakeResponse(7, 400'000)), InsertResult::kTooLarge);
      ASSERT_TRUE(cache->Find("before", kAny).response) << "what SQLite had can still be read";
    }
    ASSERT_TRUE(cache->Flush().ok());
    EXPECT_TRUE(cache->Stats().disk_ok);
    EXPECT_EQ(BytesInFile(), cache->Stats().bytes);
    EXPECT_EQ(IntegrityOfFile(), "ok");
  }
  const auto cache = OpenCache();
  EXPECT_TRUE(IsIntact(*cache->Find("now", kAny).response));
}

TEST_F(CacheTest, AHeadRefreshedWhileTheDiskIsFullNeverTurnsOldAgain) {
  options_.memory_budget_bytes = 30'000;
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 10'000));
  ASSERT_TRUE(cache->Flush().ok());
  const FileSizeLimit limit(1);
  cache->Insert("b", kAny, MakeResponse(1, 10'000));
  ASSERT_FALSE(cache->Flush().ok());
  const auto old = cache->Find("a", kAny).response;
  http::ResponseHead merged = old->head;
  merged.headers.Set("X-Round", "2");
  cache->Refresh("a", kAny, old, merged);
  EXPECT_EQ(cache->Find("a", kAny).response->head.headers.Get("X-Round"), "2");
  cache->Insert("c", kAny,
                MakeResponse(1, 25'000));  // drives it out of memory, the only place that has the new head
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kUriMiss);
}

TEST_F(CacheTest, WhatIsCommittedAfterAReadIsReadNext) {
  options_.memory_budget_bytes = 10;
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 600'000));
  ASSERT_TRUE(cache->Flush().ok());
  const auto old = cache->Find("a", kAny).response;
  ASSERT_TRUE(old);
  http::ResponseHead merged = old->head;
  merged.headers.Set("X-Round", "2");
  cache->Refresh("a", kAny, old, merged);
  cache->Insert("b", kAny, MakeResponse(2, 20'000));
  ASSERT_TRUE(cache->Flush().ok());
  const FindResult a = cache->Find("a", kAny);
  ASSERT_EQ(a.lookup, Lookup::kDisk);
  EXPECT_EQ(a.response->head.headers.Get("X-Round"), "2");
  EXPECT_TRUE(IsIntact(*a.response));
  const FindResult b = cache->Find("b", kAny);
  ASSERT_EQ(b.lookup, Lookup::kDisk);
  EXPECT_TRUE(IsIntact(*b.response));
}

TEST_F(CacheTest, ReadsDoNotKeepTheWalFromStartingAnew) {
  options_.memory_budget_bytes = 10;
  const auto cache = OpenCache();
  // Ten times what is checkpointed at once, with a read between any two commits.
  for (int round = 0; round < 40; ++round) {
    cache->Insert("a", kAny, MakeResponse(1, 1'000'000));
    ASSERT_TRUE(cache->Flush().ok());
    ASSERT_EQ(cache->Find("a", kAny).lookup, Lookup::kDisk);
  }
  EXPECT_LT(std::filesystem::file_size(options_.path + "-wal"), 10'000'000u);
}

TEST_F(CacheTest, AnObjectThatCannotBeReadIsForgotten) {
  options_.memory_budget_bytes = 10;
  const auto cache = OpenCache();
  cache->Insert("a", kAny, MakeResponse(1, 100'000));
  ASSERT_TRUE(cache->Flush().ok());
  {
    auto file = *sqlite::Database::Open(options_.path, sqlite::Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(file.Execute("DELETE FROM chunk").ok());
  }
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kUriMiss);
  EXPECT_EQ(cache->Stats().objects, 0u);
  EXPECT_EQ(cache->Stats().disk_errors, 1u);
}

TEST_F(CacheTest, AFileThatLosesItsPagesUnderItsReadersCostsTheirObjects) {
  options_.memory_budget_bytes = 10;
  {
    const auto cache = OpenCache();
    for (int i = 0; i < 20; ++i) cache->Insert(std::to_string(i), kAny, MakeResponse(1, 100'000));
  }  // what is in the WAL comes into the file
  const auto cache = OpenCache();
  ASSERT_EQ(cache->Find("0", kAny).lookup, Lookup::kDisk);
  const uint64_t before = sqlite::BusGuard::failed_pages();
  std::filesystem::resize_file(options_.path, 5 * 16'384);
  EXPECT_EQ(cache->Find("19", kAny).lookup, Lookup::kUriMiss);
  EXPECT_GT(sqlite::BusGuard::failed_pages(), before) << "it was mapped";
  EXPECT_EQ(cache->Stats().disk_errors, 1u);
  EXPECT_EQ(cache->Insert("new", kAny, MakeResponse(1, 100)), InsertResult::kStored);
}

// Inserts without end, flushes now and then, and writes a byte to `progress` after each.
[[noreturn]] void InsertForever(const CacheOptions& options, int progress, uint64_t seed) {
  FakeClock clock;
  const auto cache = *Cache::Open(options, clock);
  std::mt19937_64 rng(seed);
  for (;;) {
    const uint64_t n = rng() % 1'000;
    cache->Insert(std::to_string(n % 50), kAny, MakeResponse(n, n * 50));
    cache->Find(std::to_string(rng() % 50), kAny);
    if (rng() % 16 == 0) cache->Flush().IgnoreError();
    if (write(progress, "x", 1) != 1) _exit(1);
  }
}

void KillWhileInserting(const CacheOptions& options, uint64_t seed) {
  int progress[2];
  ASSERT_EQ(pipe(progress), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) InsertForever(options, progress[1], seed);
  close(progress[1]);
  char byte = 0;
  for (uint64_t left = 1 + seed * 37 % 500; left > 0; --left) ASSERT_EQ(read(progress[0], &byte, 1), 1);
  kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  close(progress[0]);
}

TEST_F(CacheTest, KillNineAtAnyTimeLeavesAUsableCache) {
  options_.budget_bytes = 500'000;
  size_t seen = 0;
  for (uint64_t round = 0; round < 20; ++round) {
    ASSERT_NO_FATAL_FAILURE(KillWhileInserting(options_, round));
    EXPECT_EQ(IntegrityOfFile(), "ok") << round;
    EXPECT_LE(BytesInFile(), options_.budget_bytes) << round;
    const auto cache = OpenCache();
    EXPECT_EQ(cache->Stats().bytes, BytesInFile()) << round;
    for (int key = 0; key < 50; ++key) {
      const FindResult found = cache->Find(std::to_string(key), kAny);
      if (!found.response) continue;
      ++seen;
      EXPECT_TRUE(IsIntact(*found.response)) << round;
    }
    EXPECT_EQ(cache->Stats().disk_errors, 0u) << round;
  }
  EXPECT_GT(seen, 20u) << "the children got something written";
  EXPECT_TRUE(DamagedFiles(folder_.path()).empty());
}

}  // namespace
}  // namespace perigee::replica
