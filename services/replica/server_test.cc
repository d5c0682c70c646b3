// The HTTP side on loopback, real sockets and threads: cached answers and collapsed fetches.
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <semaphore>

#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

// --- From the cache ---

TEST_F(ServerTest, MissThenHitWithTheOriginsBytes) {
  std::string body(300'000, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7 + i / 251);
  Start(Answer(Ok(body)));
  const TestResponse miss = Fetch("/a?b=c");
  const TestResponse hit = Fetch("/a?b=c");
  EXPECT_EQ(miss.Field("Cache-Status"), "Perigee; fwd=uri-miss; fwd-status=200; stored");
  EXPECT_THAT(hit.Field("Cache-Status"), StartsWith("Perigee; hit; ttl="));
  EXPECT_EQ(hit.Field("Age"), "0");
  EXPECT_EQ(hit.Field("Via"), "1.1 perigee");
  EXPECT_NE(hit.Field("Date"), "");
  EXPECT_TRUE(miss.body == body && hit.body == body);
  EXPECT_EQ(origin_->requests(), 1);
  EXPECT_THAT(origin_->last_head(), StartsWith("GET /a?b=c HTTP/1.1\r\n"));
  EXPECT_THAT(origin_->last_head(), HasSubstr(fmt::format("Host: 127.0.0.1:{}\r\n", origin_->port())));
  EXPECT_THAT(origin_->last_head(), HasSubstr("X-Forwarded-For: 127.0.0.1\r\n"));
}

TEST_F(ServerTest, AConnectionThatWaitsForItsNextRequestHoldsNoBody) {
  Start(Answer(Ok("hello")));
  const std::string key = fmt::format("http://127.0.0.1:{}/a", origin_->port());
  TestSocket client = TestSocket::ConnectTo(port());
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  TestResponse answer;
  do {  // the first answers come before it is stored
    client.Send(Get("/a"));
    answer = ReadResponse(client);
  } while (answer.Field("Cache-Status").find("hit") == std::string::npos &&
           std::chrono::steady_clock::now() < give_up);
  const std::weak_ptr<const StoredResponse> stored = cache_->Find(key, {}).response;
  ASSERT_FALSE(stored.expired());
  cache_->Erase(key);
  while (!stored.expired() && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  EXPECT_TRUE(stored.expired());
}

TEST_F(ServerTest, HeadIsAnsweredFromAStoredGet) {
  Start(Answer(Ok("hello")));
  Fetch("/a");
  const TestResponse head = Ask(port(), "HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(head.Field("Content-Length"), "5");
  EXPECT_THAT(head.Field("Cache-Status"), HasSubstr("hit"));
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(ServerTest, HeadWithoutAStoredGetIsForwardedAsHead) {
  Start([](const std::string&, TestSocket& socket) {
    return socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  });
  TestSocket client = TestSocket::ConnectTo(port());
  for (int i = 0; i < 2; ++i) {
    client.Send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(ReadResponse(client, true).Field("Content-Length"), "9");
  }
  EXPECT_THAT(origin_->last_head(), StartsWith("HEAD /a "));
}

TEST_F(ServerTest, ClientsConditionIsAnsweredFromTheCache) {
  Start(Answer(Ok("hello", "Cache-Control: max-age=60\r\nETag: \"v1\"\r\n")));
  EXPECT_EQ(Fetch("/a", "If-None-Match: \"v1\"\r\n").status, 304)
      << "the origin is asked without the condition";
  EXPECT_THAT(origin_->last_head(), Not(HasSubstr("If-None-Match")));
  EXPECT_EQ(Fetch("/a", "If-None-Match: \"v1\"\r\n").status, 304);
  EXPECT_EQ(Fetch("/a", "If-None-Match: \"v2\"\r\n").body, "hello");
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(ServerTest, ExpiredIsValidatedAndRefreshed) {
  Start(Answer(Ok("hello", kAlwaysValidate)));
  EXPECT_EQ(Fetch("/a").body, "hello");
  origin_->SetScript(
      Answer("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Control: max-age=60\r\n\r\n"));
  const TestResponse validated = Fetch("/a");
  EXPECT_THAT(origin_->last_head(), HasSubstr("If-None-Match: \"v1\"\r\n"));
  EXPECT_EQ(validated.status, 200);
  EXPECT_EQ(validated.body, "hello");
  EXPECT_EQ(validated.Field("Cache-Status"), "Perigee; fwd=stale; fwd-status=304");
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("hit")) << "the 304 made it fresh";
  EXPECT_EQ(origin_->requests(), 2);
  EXPECT_EQ(server_->Stats().revalidated, 1u);
}

TEST_F(ServerTest, ForeignNotModifiedIsNotBelieved) {
  Start(Answer(Ok("hello", kAlwaysValidate)));
  Fetch("/a");
  origin_->SetScript([](const std::string& head, TestSocket& socket) {
    if (head.find("If-None-Match") == std::string::npos) return socket.Send(Ok("new"));
    return socket.Send("HTTP/1.1 304 Not Modified\r\nETag: \"other\"\r\n\r\n");
  });
  EXPECT_EQ(Fetch("/a").body, "new");
}

TEST_F(ServerTest, VariantsAreKeptApart) {
  Start([](const std::string& head, TestSocket& socket) {
    const bool german = head.find("Accept-Language: de") != std::string::npos;
    return socket.Send(
        Ok(german ? "hallo" : "hello", "Cache-Control: max-age=60\r\nVary: Accept-Language\r\n"));
  });
  EXPECT_EQ(Fetch("/a", "Accept-Language: de\r\n").body, "hallo");
  EXPECT_EQ(Fetch("/a", "Accept-Language: en\r\n").Field("Cache-Status"),
            "Perigee; fwd=vary-miss; fwd-status=200; stored");
  EXPECT_EQ(Fetch("/a", "Accept-Language: de\r\n").body, "hallo");
  EXPECT_EQ(origin_->requests(), 2);
}

TEST_F(ServerTest, RequestDirectivesAreObeyed) {
  Start(Answer(Ok("hello")));
  EXPECT_EQ(Fetch("/a", "Cache-Control: only-if-cached\r\n").status, 504);
  EXPECT_EQ(origin_->requests(), 0);
  Fetch("/a");
  EXPECT_EQ(Fetch("/a", "Cache-Control: only-if-cached\r\n").body, "hello");
  EXPECT_THAT(Fetch("/a", "Cache-Control: no-cache\r\n").Field("Cache-Status"), HasSubstr("fwd=request"));
  EXPECT_EQ(origin_->requests(), 2);
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Start([](const std::string& head, TestSocket& socket) { return socket.Send(Ok(head.substr(4, 2))); });
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send(Get("/a") + Get("/b") + Get("/a") + Get("/c"));
  for (const char* path : {"/a", "/b", "/a", "/c"}) EXPECT_EQ(ReadResponse(client).body, path);
}

TEST_F(ServerTest, OldClientsGetOldAnswers) {
  Start(
      Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: "
             "max-age=60\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
  const TestResponse miss = Ask(port(), "GET /a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(miss.body, "hello");
  EXPECT_EQ(miss.Field("Transfer-Encoding"), "");
  EXPECT_EQ(miss.Field("Connection"), "close");
  EXPECT_EQ(Ask(port(), "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").Field("Connection"),
            "keep-alive");
}

TEST_F(ServerTest, RestartKeepsTheCache) {
  const std::string path = ::testing::TempDir() + fmt::format("server_test_{}.sqlite", ::getpid());
  cache_options_.path = path;
  Start(Answer(Ok("hello")));
  Fetch("/a");
  StartServer(fmt::format("127.0.0.1:{}", origin_->port()));
  const TestResponse hit = Fetch("/a");
  EXPECT_EQ(hit.body, "hello");
  EXPECT_THAT(hit.Field("Cache-Status"), HasSubstr("hit"));
  EXPECT_EQ(origin_->requests(), 1);
  server_.reset();
  cache_.reset();
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(path + suffix);
}

// --- Collapsed fetches ---

TEST_F(ServerTest, ManyRequestsMakeOneFetchAndStreamAsItArrives) {
  Gate rest;
  Start([rest](const std::string&, TestSocket& socket) {
    socket.Send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nfirst");
    return rest.Wait() && socket.Send("-rest");
  });
  auto clients = SendMany(100, Get("/a"));
  for (TestSocket& client : clients) {
    EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(client.ReadBytes(5), "first") << "before the origin has sent the rest";
  }
  rest.Open();
  for (TestSocket& client : clients) EXPECT_EQ(client.ReadBytes(5), "-rest");
  EXPECT_EQ(origin_->requests(), 1);
  EXPECT_EQ(server_->Stats().collapsed, 99u);
  EXPECT_EQ(Fetch("/a").body, "first-rest");
}

TEST_F(ServerTest, WaitersOfAPrivateAnswerFetchForThemselves) {
  Gate go;
  const auto serial = std::make_shared<std::atomic<int>>(0);
  Start([go, serial](const std::string&, TestSocket& socket) {
    return go.Wait() && socket.Send(Ok(fmt::format("secret {}", (*serial)++), kPrivate));
  });
  auto clients = SendMany(10, Get("/a"));
  Await(&ServerStats::collapsed, 9);
  go.Open();
  std::vector<std::string> bodies;
  for (TestSocket& client : clients) bodies.push_back(ReadResponse(client).body);
  std::sort(bodies.begin(), bodies.end());
  EXPECT_EQ(std::unique(bodies.begin(), bodies.end()), bodies.end()) << "nobody got another's answer";
  EXPECT_EQ(origin_->requests(), 10);
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("fwd=uri-miss; fwd-status=200; detail=private"));
}

TEST_F(ServerTest, WhatIsKnownToBePrivateIsAskedForAtOnce) {
  Gate go;
  const auto serial = std::make_shared<std::atomic<int>>(0);
  const auto asked = std::make_shared<std::counting_semaphore<>>(0);
  Start([go, serial, asked](const std::string&, TestSocket& socket) {
    asked->release();
    return ((*serial)++ == 0 || go.Wait()) && socket.Send(Ok("secret", kPrivate));
  });
  EXPECT_EQ(Fetch("/a").status, 200);
  auto clients = SendMany(10, Get("/a"));
  for (int i = 0; i < 11; ++i) ASSERT_TRUE(asked->try_acquire_for(std::chrono::seconds(5))) << i;
  go.Open();
  for (TestSocket& client : clients) EXPECT_EQ(ReadResponse(client).body, "secret");
  EXPECT_EQ(server_->Stats().collapsed, 0u);
}

TEST_F(ServerTest, FetchGoesOnWithoutTheClientThatStartedIt) {
  Gate started, rest;
  Start([started, rest](const std::string&, TestSocket& socket) {
    socket.Send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nfirst");
    started.Open();
    return rest.Wait() && socket.Send("-rest");
  });
  {
    TestSocket leader = TestSocket::ConnectTo(port());
    leader.Send(Get("/a"));
    ASSERT_TRUE(started.Wait());
    EXPECT_EQ((leader.ReadUntil("\r\n\r\n"), leader.ReadBytes(5)), "first");
  }
  rest.Open();
  EXPECT_EQ(Fetch("/a").body, "first-rest");
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(ServerTest, SlowReaderOfAnEndlessBodyNeitherStopsOthersNorGrowsMemory) {
  limits_.max_object_bytes = 200'000;
  constexpr size_t kChunks = 400;
  constexpr size_t kChunkBytes = 65'536;
  // The origin sends a chunk whenever the fast reader has read one, so that it is the fast one for certain.
  const auto turns = std::make_shared<std::counting_semaphore<>>(0);
  Start([turns](const std::string&, TestSocket& socket) {
    socket.Send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < kChunks; ++i) {
      if (!turns->try_acquire_for(std::chrono::seconds(5))) return false;
      if (!socket.Send("10000\r\n" + std::string(kChunkBytes, 'x') + "\r\n")) return false;
    }
    return socket.Send("0\r\n\r\n");
  });
  TestSocket slow = TestSocket::ConnectTo(port(), 4'096);
  slow.Send(Get("/a"));
  TestSocket fast = TestSocket::ConnectTo(port());
  fast.Send(Get("/a"));
  const std::string slow_head = slow.ReadUntil("\r\n\r\n");
  fast.ReadUntil("\r\n\r\n");
  for (size_t read = 0; read < kChunks * kChunkBytes;) {
    if (read % kChunkBytes == 0) turns->release();
    const std::string line = fast.ReadUntil("\r\n");
    ASSERT_TRUE(line.ends_with("\r\n")) << "cut off after " << read;
    const size_t size = std::stoul(line, nullptr, 16);
    ASSERT_EQ(fast.ReadBytes(size + 2).size(), size + 2);
    read += size;
  }
  EXPECT_EQ(fast.ReadUntil("0\r\n\r\n"), "0\r\n\r\n");
  EXPECT_EQ(origin_->requests(), 1);
  slow.Unread(slow_head);
  EXPECT_FALSE(ReadResponse(slow).complete) << "it fell a window behind, and must be able to tell";
  EXPECT_EQ(cache_->Stats().objects, 0u);
}

TEST_F(ServerTest, TooLargeIsRelayedAndNotStored) {
  limits_.max_object_bytes = 1'000;
  Start(Answer(Ok(std::string(2'000, 'x'))));
  EXPECT_EQ(Fetch("/a").body.size(), 2'000u);
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("detail=too-large"));
  EXPECT_EQ(origin_->requests(), 2);
}

// --- Bodies that lie in files (cache/body.h) ---

TEST_F(ServerTest, ABodyInAFileIsSentWholeAndInParts) {
  std::string body(100'000, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i / 251 + i);
  Start(Answer(Ok(body)));
  Fetch("/a");
  const TestResponse hit = Fetch("/a");
  EXPECT_THAT(hit.Field("Cache-Status"), HasSubstr("hit"));
  EXPECT_EQ(hit.body, body);
  EXPECT_EQ(Fetch("/a", "Range: bytes=20000-30009\r\n").body, body.substr(20'000, 10'010));
  const TestResponse parts = Fetch("/a", "Range: bytes=0-1,20000-20001\r\n");
  EXPECT_THAT(parts.body, HasSubstr(body.substr(20'000, 2)));
  EXPECT_EQ(origin_->requests(), 1);
}

TEST_F(ServerTest, AClientThatLeavesAmidABodyInAFileHarmsNobody) {
  const std::string body(100'000, 'x');
  cache_options_.large_object_bytes = body.size();
  Start(Answer(Ok(body)));
  Fetch("/a");
  for (int i = 0; i < 3; ++i) TestSocket::ConnectTo(port()).Send(Get("/a"));
  EXPECT_EQ(Fetch("/a").body, body);
}

}  // namespace
}  // namespace perigee::replica
