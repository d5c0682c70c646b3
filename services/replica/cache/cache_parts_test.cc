// Parts of what is not stored whole: found together, each an object like others.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "lib/http_semantics/parts.h"
#include "services/replica/cache/cache_testing.h"
#include "services/replica/cache/large_body.h"

namespace perigee::replica {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const http::HeaderList kAny;
constexpr uint64_t kComplete = 4'000;
const std::string kWhole = BodyOf(1, kComplete);

StoredResponse Part(http::ByteRange range, std::string_view tag = "\"v1\"", uint64_t complete = kComplete) {
  StoredResponse part = MakeResponse(1, 0);
  part.head.status = 206;
  part.head.headers.Add("ETag", tag);
  part.head.headers.Add("Content-Range", fmt::format("bytes {}-{}/{}", range.first, range.last, complete));
  part.body = Body(std::make_shared<const std::string>(kWhole.substr(range.first, range.size())));
  return part;
}

class PartsTest : public CacheTest {
 protected:
  static std::vector<http::ByteRange> Ranges(Cache& cache, const http::HeaderList& request = kAny) {
    std::vector<http::ByteRange> ranges;
    const FindResult found = cache.Find("a", request);
    if (!found.response || !found.response->parts) return ranges;
    for (const StoredParts::Part& part : found.response->parts->parts) ranges.push_back(part.range);
    return ranges;
  }
  // The bytes of `range`, "" when they are not all there.
  static std::string Read(Cache& cache, http::ByteRange range) {
    const FindResult found = cache.Find("a", kAny);
    const auto slices = http::Cover(Ranges(cache), range);
    std::string bytes;
    if (!slices) return bytes;
    for (const http::Slice& slice : *slices) {
      const StoredParts::Part& stored = found.response->parts->parts[slice.part];
      const PartBody part = cache.FindPart(stored.object_id);
      std::string body;
      if (part.lookup == Lookup::kMemory) body = *part.body;
      if (part.lookup == Lookup::kDisk && !part.disk_body->ReadChunk(0, &body).ok()) return "";
      bytes += body.substr(slice.range.first - stored.range.first, slice.range.size());
    }
    return bytes;
  }
};

TEST_F(PartsTest, AreFoundTogetherAndAfterARestart) {
  const auto check = [](Cache& cache) {
    const FindResult found = cache.Find("a", kAny);
    ASSERT_TRUE(found.response && found.response->parts);
    EXPECT_EQ(found.response->head.status, 200);
    EXPECT_EQ(found.response->head.headers.Get("Content-Length"), "4000");
    EXPECT_FALSE(found.response->head.headers.Has("Content-Range"));
    EXPECT_EQ(found.response->body_bytes, kComplete);
    EXPECT_EQ(Read(cache, {150, 299}), kWhole.substr(150, 150));
    EXPECT_EQ(Read(cache, {1'000, 1'099}), kWhole.substr(1'000, 100));
    EXPECT_EQ(Read(cache, {299, 300}), "");
  };
  {
    const auto cache = OpenCache();
    ASSERT_EQ(cache->Insert("a", kAny, Part({1'000, 1'099})), InsertResult::kStored);
    ASSERT_EQ(cache->Insert("a", kAny, Part({100, 199})), InsertResult::kStored);
    ASSERT_EQ(cache->Insert("a", kAny, Part({200, 299})), InsertResult::kStored);
    check(*cache);
    ASSERT_TRUE(cache->Flush().ok());
    EXPECT_EQ(BytesInFile(), cache->Stats().bytes);
    EXPECT_EQ(cache->Stats().objects, 3u);
  }
  const auto cache = OpenCache();
  EXPECT_EQ(cache->Find("a", kAny).lookup, Lookup::kDisk);
  check(*cache);
}

TEST_F(PartsTest, AnotherValidatorOrLengthEndsThem) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, Part({0, 9}));
  cache->Insert("a", kAny, Part({100, 109}, "\"v2\""));
  EXPECT_THAT(Ranges(*cache), ElementsAre(http::ByteRange{100, 109}));
  cache->Insert("a", kAny, Part({200, 209}, "\"v2\"", kComplete + 1));
  EXPECT_THAT(Ranges(*cache), ElementsAre(http::ByteRange{200, 209}));
  EXPECT_EQ(cache->Stats().objects, 1u);
}

TEST_F(PartsTest, AWholeEndsThemAndOutlivesThoseThatComeLate) {
  const auto cache = OpenCache();
  cache->Insert("a", kAny, Part({0, 9}));
  cache->Insert("a", kAny, MakeResponse(1, 10));
  EXPECT_FALSE(cache->Find("a", kAny).response->parts);
  EXPECT_EQ(cache->Insert("a", kAny, Part({0, 9})), InsertResult::kWhole);
  EXPECT_FALSE(cache->Find("a", kAny).response->parts);
  EXPECT_EQ(cache->Stats().objects, 1u);
}

TEST_F(PartsTest, OfEachVariantThereAreItsOwn) {
  const auto cache = OpenCache();
  for (const auto& [language, range] : {std::pair{"de", http::ByteRange{0, 9}}, {"fr", {20, 29}}}) {
    StoredResponse part = Part(range);
    part.head.headers.Add("Vary", "Accept-Language");
    cache->Insert("a", {{"Accept-Language", language}}, std::move(part));
  }
  EXPECT_THAT(Ranges(*cache, {{"Accept-Language", "de"}}), ElementsAre(http::ByteRange{0, 9}));
  EXPECT_THAT(Ranges(*cache, {{"Accept-Language", "fr"}}), ElementsAre(http::ByteRange{20, 29}));
  EXPECT_EQ(cache->Find("a", {{"Accept-Language", "it"}}).lookup, Lookup::kVaryMiss);
}

TEST_F(PartsTest, WhatTheOthersHaveGoes) {
  const auto cache = OpenCache();
  for (const http::ByteRange range : {http::ByteRange{0, 9}, {5, 14}, {30, 39}, {10, 34}}) {
    cache->Insert("a", kAny, Part(range));
  }
  EXPECT_THAT(Ranges(*cache),
              ElementsAre(http::ByteRange{0, 9}, http::ByteRange{10, 34}, http::ByteRange{30, 39}));
  cache->Insert("a", kAny, Part({0, 39}));
  EXPECT_THAT(Ranges(*cache), ElementsAre(http::ByteRange{0, 39}));
  EXPECT_EQ(cache->Stats().objects, 1u);
}

TEST_F(PartsTest, NoMoreThanTheLimitTheOldestGoing) {
  const auto cache = OpenCache();
  for (size_t i = 0; i <= kMaxPartsPerKey; ++i) cache->Insert("a", kAny, Part({10 * i, 10 * i}));
  const auto ranges = Ranges(*cache);
  ASSERT_THAT(ranges, SizeIs(kMaxPartsPerKey));
  EXPECT_EQ(ranges.front().first, 10u);
  cache->Insert("a", {{"X", "1"}}, MakeResponse(1, 10, {{"Vary", "X"}}));
  EXPECT_EQ(cache->Stats().objects, kMaxPartsPerKey + 1) << "wholes have a limit of their own";
}

TEST_F(PartsTest, WhatItsContentRangeDoesNotTellIsNotStored) {
  const auto cache = OpenCache();
  StoredResponse short_one = Part({0, 9});
  short_one.body = Body(std::make_shared<const std::string>("123456789"));
  EXPECT_EQ(cache->Insert("a", kAny, std::move(short_one)), InsertResult::kBadRange);
  StoredResponse nowhere = Part({0, 9});
  nowhere.head.headers.Remove("Content-Range");
  EXPECT_EQ(cache->Insert("a", kAny, std::move(nowhere)), InsertResult::kBadRange);
  EXPECT_EQ(cache->Stats().objects, 0u);
}

TEST_F(PartsTest, EveryPurgeAndErasureMeansThemAll) {
  const auto cache = OpenCache();
  const auto fill = [&] {
    for (const http::ByteRange range : {http::ByteRange{0, 9}, {20, 29}}) {
      StoredResponse part = Part(range);
      part.head.tags = "film";
      cache->Insert("a", kAny, std::move(part));
    }
  };
  for (const PurgeSelection& selection : {PurgeSelection{.keys = {"a"}, .prefixes = {}, .tags = {}},
                                          {.keys = {}, .prefixes = {""}, .tags = {}},
                                          {.keys = {}, .prefixes = {}, .tags = {"film"}}}) {
    fill();
    EXPECT_EQ(cache->Purge(selection, PurgeKind::kHard), 2u);
    EXPECT_THAT(Ranges(*cache), IsEmpty());
  }
  fill();
  EXPECT_EQ(cache->Erase("a"), 2u);
  EXPECT_THAT(Ranges(*cache), IsEmpty());
  const uint64_t asked_at = cache->PurgeGeneration();
  cache->Purge({.prefixes = {""}}, PurgeKind::kHard);
  EXPECT_EQ(cache->Insert("a", kAny, Part({0, 9}), asked_at), InsertResult::kPurged);
}

TEST_F(PartsTest, ASoftPurgeMakesThemStaleUntilTheNextPartOrA304) {
  const auto cache = OpenCache();
  const auto stale = [&] { return cache->Find("a", kAny).response->soft_purged_at != kNotPurged; };
  cache->Insert("a", kAny, Part({0, 9}));
  cache->Insert("a", kAny, Part({20, 29}));
  cache->Purge({.keys = {"a"}}, PurgeKind::kSoft);
  EXPECT_TRUE(stale());
  cache->Insert("a", kAny, Part({40, 49}));
  EXPECT_FALSE(stale()) << "the origin has said that they are good";
  cache->Purge({.keys = {"a"}}, PurgeKind::kSoft);
  const auto newest = cache->Find("a", kAny).response->parts->newest;
  http::ResponseHead merged = newest->head;
  merged.headers.Add("X-New", "1");
  cache->Refresh("a", kAny, newest, std::move(merged));
  EXPECT_FALSE(stale());
  EXPECT_EQ(cache->Find("a", kAny).response->head.headers.Get("X-New"), "1");
  EXPECT_THAT(Ranges(*cache), SizeIs(3));
}

TEST_F(PartsTest, AreEvictedOneByOneFewestHitsFirst) {
  options_.budget_bytes = 4'500;
  const auto cache = OpenCache();
  cache->Insert("a", kAny, Part({0, 999}));
  cache->Insert("a", kAny, Part({1'000, 1'999}));
  cache->Insert("a", kAny, Part({2'000, 2'999}));
  for (int i = 0; i < 5; ++i) Read(*cache, {0, 9});
  cache->Insert("b", kAny, MakeResponse(1, 1'500));
  EXPECT_LE(cache->Stats().bytes, 4'500u);
  EXPECT_THAT(Ranges(*cache), ElementsAre(http::ByteRange{0, 999}, http::ByteRange{2'000, 2'999}))
      << "the newest, whose head counts for all, is asked for with each of them";
}

TEST_F(PartsTest, ALargeOneIsReadFromTheDisk) {
  options_.large_object_bytes = 1'000;
  const auto cache = OpenCache();
  const auto writer = cache->BeginBody(2'000, {});
  ASSERT_TRUE(writer->Append(kWhole.substr(1'000, 2'000)) && writer->End());
  ASSERT_TRUE(cache->Flush().ok());
  ASSERT_EQ(writer->Finish("a", kAny, Part({1'000, 2'999}).head, kAfterEveryPurge), InsertResult::kStored);
  const FindResult found = cache->Find("a", kAny);
  ASSERT_TRUE(found.response->parts);
  const PartBody part = cache->FindPart(found.response->parts->parts.front().object_id);
  std::string chunk;
  ASSERT_TRUE(part.disk_body->ReadChunk(0, &chunk).ok());
  EXPECT_EQ(chunk, kWhole.substr(1'000, 2'000));
}

TEST_F(PartsTest, OneThatIsOnTheDiskAloneIsReadThereByChunksAndStaysForItsReaders) {
  {
    const auto cache = OpenCache();
    cache->Insert("a", kAny, Part({0, 999}));
    cache->Insert("a", kAny, Part({2'000, 2'999}));
  }
  const auto cache = OpenCache();
  const auto parts = cache->Find("a", kAny).response->parts->parts;
  const PartBody part = cache->FindPart(parts.front().object_id);
  EXPECT_EQ(part.lookup, Lookup::kDisk);
  EXPECT_FALSE(part.body);
  cache->Erase("a");
  ASSERT_TRUE(cache->Flush().ok());
  std::string chunk;
  ASSERT_TRUE(part.disk_body->ReadChunk(0, &chunk).ok());
  EXPECT_EQ(chunk, kWhole.substr(0, 1'000));
  EXPECT_EQ(cache->FindPart(parts.front().object_id).lookup, Lookup::kUriMiss);
}

TEST_F(PartsTest, AFileWithAPartOfNothingIsDamaged) {
  {
    const auto cache = OpenCache();
    cache->Insert("a", kAny, Part({0, 9}));
  }
  {
    auto file = *sqlite::Database::Open(options_.path, sqlite::Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(file.Execute("UPDATE object SET headers = x''").ok());
  }
  const auto cache = OpenCache();
  EXPECT_EQ(cache->Stats().objects, 0u);
  EXPECT_EQ(cache->Stats().disk_errors, 1u);
}

}  // namespace
}  // namespace perigee::replica
