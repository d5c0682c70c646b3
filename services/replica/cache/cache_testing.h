// What the tests of the cache share: responses whose bytes follow from a seed, and a look into the SQLite
// file.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "lib/base/testing/files.h"
#include "lib/sqlite/sqlite.h"
#include "services/replica/cache/cache.h"

namespace perigee::replica {

inline std::string BodyOf(uint64_t seed, size_t size) {
  std::string body(size, '\0');
  for (size_t i = 0; i < size; ++i) body[i] = static_cast<char>((seed * 31 + i * 7 + i / 251) & 0xff);
  return body;
}

inline StoredResponse MakeResponse(uint64_t seed, size_t size, http::HeaderList more = {}) {
  const WallTime now{std::chrono::seconds(1'700'000'000)};
  StoredResponse response;
  response.head = {200, "OK", std::move(more), now - std::chrono::seconds(1), now};
  response.head.headers.Add("Cache-Control", "max-age=60");
  response.head.headers.Add("X-Seed", std::to_string(seed));
  response.body = Body(std::make_shared<const std::string>(BodyOf(seed, size)));
  return response;
}

// Whether `response` is one that MakeResponse made, byte for byte.
inline bool IsIntact(const StoredResponse& response) {
  const auto seed = response.head.headers.Get("X-Seed");
  return seed && *response.body == BodyOf(std::stoull(std::string(*seed)), response.body->size());
}

class CacheTest : public testing::Test {
 protected:
  CacheTest() {
    options_.path = folder_ / "cache.sqlite";
    // Nothing happens by itself during a test: Flush writes.
    options_.hits_flush_interval = options_.disk_retry = std::chrono::hours(1);
  }

  std::unique_ptr<Cache> OpenCache() { return *Cache::Open(options_, clock_); }

  // The weight of everything in the file, and what is wrong with it ("ok" if nothing).
  uint64_t BytesInFile() const {
    return static_cast<uint64_t>(*OpenFile().QueryNumber(
        "SELECT (SELECT coalesce(sum(length(key) + length(vary_names) + length(variant_key) + length(reason) "
        "+"
        " length(headers) + length(tags)), 0) FROM object) + (SELECT coalesce(sum(length(data) - 8), 0) FROM "
        "chunk)"));
  }
  int64_t ObjectsInFile() const { return *OpenFile().QueryNumber("SELECT count(*) FROM object"); }
  std::string IntegrityOfFile() const { return *OpenFile().QueryText("PRAGMA integrity_check"); }
  sqlite::Database OpenFile() const {
    return *sqlite::Database::Open(options_.path, sqlite::Database::Mode::kReadOnly);
  }

  TemporaryFolder folder_;
  CacheOptions options_;
  FakeClock clock_;
};

}  // namespace perigee::replica
