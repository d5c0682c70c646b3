// The HTTP side on loopback with a real SQLite file: bodies too large for memory.

#include <chrono>
#include <thread>

#include "lib/base/testing/files.h"
#include "lib/sqlite/sqlite.h"
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

constexpr size_t kSize = 3'000'000;

std::string LargeBody() {
  std::string body(kSize, '\0');
  for (size_t i = 0; i < kSize; ++i) body[i] = static_cast<char>(i * 7 + i / 251 + i / 65'537);
  return body;
}

class LargeServerTest : public ServerTest {
 protected:
  LargeServerTest() { cache_options_.path = folder_ / "cache.sqlite"; }
  ~LargeServerTest() override {
    server_.reset();
    cache_.reset();
  }

  // A client has the last byte of its answer a moment before the object is stored.
  TestResponse FetchAndStore(const std::string& target) {
    const TestResponse response = Fetch(target);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (cache_->Stats().objects == 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    return response;
  }

  void Damage(const char* sql) {
    ASSERT_TRUE(cache_->Flush().ok());
    auto file = *sqlite::Database::Open(cache_options_.path, sqlite::Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(file.Execute(sql).ok());
    // A commit of the cache's own, after which its readers look anew.
    cache_->Insert("another", {},
                   {.head = {.status = 200}, .body = Body(std::make_shared<const std::string>("x"))});
    ASSERT_TRUE(cache_->Flush().ok());
  }

  const std::string body_ = LargeBody();
  TemporaryFolder folder_;
};

TEST_F(LargeServerTest, IsAHitFromTheDiskOnceItsFirstAnswerIsComplete) {
  Start(Answer(Ok(body_, "Cache-Control: max-age=60\r\nETag: \"v1\"\r\n")));
  const TestResponse miss = FetchAndStore("/a");
  EXPECT_THAT(miss.Field("Cache-Status"), HasSubstr("stored"));
  EXPECT_TRUE(miss.complete && miss.body == body_);
  const TestResponse hit = Fetch("/a");
  EXPECT_THAT(hit.Field("Cache-Status"), HasSubstr("hit; ttl=60; detail=disk"));
  EXPECT_EQ(hit.Field("Content-Length"), fmt::format("{}", kSize));
  EXPECT_TRUE(hit.complete && hit.body == body_);
  EXPECT_EQ(Fetch("/a", "If-None-Match: \"v1\"\r\n").status, 304);
  const TestResponse head = Ask(port(), "HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(head.Field("Content-Length"), fmt::format("{}", kSize));
  EXPECT_EQ(origin_->requests(), 1);
  EXPECT_EQ(cache_->Stats().memory_bytes, 0u);
}

TEST_F(LargeServerTest, IsStoredWhenItsLengthIsNotKnown) {
  Start([this](const std::string&, TestSocket& socket) {
    socket.Send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < kSize; at += 100'000) {
      const std::string_view piece = std::string_view(body_).substr(at, 100'000);
      socket.Send(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece));
    }
    return socket.Send("0\r\n\r\n");
  });
  EXPECT_TRUE(FetchAndStore("/a").body == body_);
  const TestResponse hit = Fetch("/a");
  EXPECT_EQ(hit.Field("Content-Length"), fmt::format("{}", kSize));
  EXPECT_TRUE(hit.body == body_);
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(LargeServerTest, RangesTouchTheirOwnChunksOnly) {
  Start(Answer(Ok(body_)));
  ASSERT_EQ(FetchAndStore("/a").status, 200);
  Damage("DELETE FROM chunk WHERE id % 1048576 NOT IN (1, 2, 11)");
  const TestResponse one = Fetch("/a", "Range: bytes=300000-600000\r\n");
  EXPECT_EQ(one.status, 206);
  EXPECT_EQ(one.Field("Content-Range"), "bytes 300000-600000/3000000");
  EXPECT_TRUE(one.body == body_.substr(300'000, 300'001));
  EXPECT_TRUE(Fetch("/a", "Range: bytes=-5\r\n").body == body_.substr(kSize - 5));

  const TestResponse several = Fetch("/a", "Range: bytes=262144-262150,524287-524300,-3\r\n");
  EXPECT_EQ(several.status, 206);
  EXPECT_TRUE(several.complete);
  const std::string type = several.Field("Content-Type");
  const std::string boundary = type.substr(type.find("boundary=") + 9);
  std::string expected;
  for (const auto& [first, size] : {std::pair<size_t, size_t>{262'144, 7}, {524'287, 14}, {kSize - 3, 3}}) {
    expected += fmt::format("--{}\r\nContent-Range: bytes {}-{}/3000000\r\n\r\n{}\r\n", boundary, first,
                            first + size - 1, body_.substr(first, size));
  }
  EXPECT_EQ(several.body, expected + fmt::format("--{}--\r\n", boundary));

  const TestResponse none = Fetch("/a", "Range: bytes=3000000-\r\n");
  EXPECT_EQ(none.status, 416);
  EXPECT_EQ(none.Field("Content-Range"), "bytes */3000000");
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(LargeServerTest, OneFetchServesManyWhetherTheyComeEarlyOrLateReadFastOrSlowly) {
  const Gate gate;
  Start([this, gate](const std::string&, TestSocket& socket) {
    const std::string all = Ok(body_);
    socket.Send(all.substr(0, 2'500'000));
    return gate.Wait() && socket.Send(all.substr(2'500'000));
  });
  TestSocket slow = TestSocket::ConnectTo(port(), 4'096);
  slow.Send(Get("/a"));
  auto early = SendMany(10, Get("/a"));
  Await(&ServerStats::collapsed, 10);
  ASSERT_EQ(early.front().ReadBytes(2'000'000).size(), 2'000'000u) << "while the fetch is under way";
  early.pop_back();  // one client goes
  auto late = SendMany(10, Get("/a"));
  Await(&ServerStats::collapsed, 20);
  early.erase(early.begin());
  gate.Open();
  for (auto* clients : {&early, &late}) {
    for (TestSocket& client : *clients) {
      const TestResponse answer = ReadResponse(client);
      EXPECT_TRUE(answer.complete && answer.body == body_);
    }
  }
  cache_->Purge({.prefixes = {""}}, PurgeKind::kHard);
  EXPECT_TRUE(ReadResponse(slow).body == body_) << "what it has begun to read stays for it";
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(LargeServerTest, WhatTheOriginBreaksOffIsCutOffAndNotStored) {
  Start([this](const std::string&, TestSocket& socket) {
    socket.Send(Ok(body_).substr(0, 2'000'000));
    return false;
  });
  EXPECT_FALSE(Fetch("/a").complete);
  origin_->SetScript(Answer(Ok(body_)));
  EXPECT_TRUE(Fetch("/a").body == body_);
  EXPECT_EQ(origin_->requests(), 2);
}

TEST_F(LargeServerTest, ADamagedFirstChunkIsAMiss) {
  Start(Answer(Ok(body_)));
  FetchAndStore("/a");
  Damage(
      "UPDATE chunk SET data = substr(data, 1, 999) || x'00' || substr(data, 1001) WHERE id % 1048576 = 0");
  const TestResponse again = Fetch("/a");
  EXPECT_THAT(again.Field("Cache-Status"), HasSubstr("fwd=uri-miss; fwd-status=200; stored"));
  EXPECT_TRUE(again.body == body_);
  EXPECT_EQ(cache_->Stats().disk_errors, 1u);
  EXPECT_EQ(origin_->requests(), 2);
}

TEST_F(LargeServerTest, ADamagedLaterChunkCutsTheAnswerOffAndTheNextIsAMiss) {
  Start(Answer(Ok(body_)));
  FetchAndStore("/a");
  Damage(
      "UPDATE chunk SET data = substr(data, 1, 999) || x'00' || substr(data, 1001) WHERE id % 1048576 = 5");
  const TestResponse cut = Fetch("/a");
  EXPECT_FALSE(cut.complete);
  EXPECT_TRUE(body_.starts_with(cut.body));
  EXPECT_TRUE(Fetch("/a").body == body_);
  EXPECT_EQ(origin_->requests(), 2);
}

TEST_F(LargeServerTest, AStaleOneIsValidatedAndServedFromTheDisk) {
  Start(Answer(Ok(body_, kAlwaysValidate)));
  FetchAndStore("/a");
  origin_->SetScript(Answer("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n"));
  const TestResponse validated = Fetch("/a");
  EXPECT_THAT(validated.Field("Cache-Status"), HasSubstr("fwd-status=304"));
  EXPECT_TRUE(validated.body == body_);
  origin_->Stop();
  const TestResponse stale = Fetch("/a");
  EXPECT_THAT(stale.Field("Cache-Status"), HasSubstr("detail=connect"));
  EXPECT_TRUE(stale.body == body_) << "served in place of the origin that is gone";
}

TEST_F(LargeServerTest, SlowReadersBeyondTheMemoryOfFlightsAreServedAllTheSame) {
  limits_.max_flight_bytes = 2'000'000;
  Start(Answer(Ok(body_)));
  FetchAndStore("/a");
  std::vector<TestSocket> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(TestSocket::ConnectTo(port(), 4'096));
    clients.back().Send(Get("/a"));
  }
  for (TestSocket& client : clients) EXPECT_TRUE(ReadResponse(client).body == body_);
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(LargeServerTest, WithoutADiskItIsStoredInMemory) {
  cache_options_.path.clear();
  Start(Answer(Ok(body_)));
  FetchAndStore("/a");
  const TestResponse hit = Fetch("/a");
  EXPECT_THAT(hit.Field("Cache-Status"), HasSubstr("detail=memory"));
  EXPECT_TRUE(hit.body == body_);
}

}  // namespace
}  // namespace perigee::replica
