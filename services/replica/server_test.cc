// The whole HTTP side on loopback: real sockets, real threads, a scripted origin.
#include "services/replica/server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include "services/replica/testing/scripted_origin.h"

namespace perigee::replica {
namespace {

using ::testing::AnyOf;
using testing::Ask;
using testing::Gate;
using testing::Get;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Ok;
using testing::ReadResponse;
using testing::ScriptedOrigin;
using ::testing::StartsWith;
using testing::TestResponse;
using testing::TestSocket;

constexpr std::string_view kPrivate = "Cache-Control: private\r\n";
constexpr std::string_view kAlwaysValidate = "Cache-Control: max-age=0\r\nETag: \"v1\"\r\n";

ScriptedOrigin::Script Answer(std::string response) {
  return [response](const std::string&, TestSocket& socket) { return socket.Send(response); };
}

class ServerTest : public ::testing::Test {
 protected:
  void Start(ScriptedOrigin::Script script) {
    origin_ = std::make_unique<ScriptedOrigin>(std::move(script));
    StartServer(fmt::format("127.0.0.1:{}", origin_->port()));
  }

  void StartServer(const std::string& origin) {
    server_.reset();
    cache_.reset();
    cache_ = *Cache::Open(cache_options_, clock_);
    ServerOptions options{.listen = {{.address = *IpAddress::Parse("127.0.0.1"), .port = 0}},
                          .origin = *OriginAddress::Parse(origin),
                          .threads = threads_,
                          .limits = limits_};
    auto server = Server::Start(std::move(options), *cache_, clock_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  uint16_t port() const { return server_->port(); }
  TestResponse Fetch(std::string_view path, std::string_view fields = "") {
    return Ask(port(), Get(path, fields));
  }

  // Sends `n` requests at once, each on a connection of its own.
  std::vector<TestSocket> SendMany(int n, std::string_view request) {
    std::vector<TestSocket> clients;
    for (int i = 0; i < n; ++i) {
      clients.push_back(TestSocket::ConnectTo(port()));
      clients.back().Send(request);
    }
    return clients;
  }
  // Waits until a counter has reached `n`.
  void Await(uint64_t ServerStats::*counter, uint64_t n) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (server_->Stats().*counter < n && std::chrono::steady_clock::now() < give_up)
      std::this_thread::yield();
    EXPECT_GE(server_->Stats().*counter, n);
  }

  SystemClock clock_;
  int threads_ = 2;
  Limits limits_;
  CacheOptions cache_options_;
  std::unique_ptr<ScriptedOrigin> origin_;
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Server> server_;
};

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

// --- An origin in trouble ---

TEST_F(ServerTest, CutShortIsNoticedByTheClientAndNotStored) {
  Start([](const std::string&, TestSocket& socket) {
    socket.Send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nhalf");
    return false;
  });
  EXPECT_FALSE(Fetch("/a").complete);
  origin_->SetScript([](const std::string&, TestSocket& socket) {
    socket.Send(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    return false;
  });
  EXPECT_FALSE(Fetch("/a").complete);
  origin_->SetScript(Answer(Ok("whole")));
  EXPECT_EQ(Fetch("/a").body, "whole");
  EXPECT_EQ(origin_->requests(), 3);
}

TEST_F(ServerTest, UnreachableOriginIs502) {
  Start(Answer(Ok("hello")));
  origin_->Stop();
  const TestResponse response = Fetch("/a");
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(response.Field("Cache-Status"), "Perigee; fwd=uri-miss; detail=connect");
  EXPECT_EQ(server_->Stats().origin_errors, 1u);
}

TEST_F(ServerTest, UnresolvableOriginIs502) {
  StartServer("no-such-host.invalid");
  EXPECT_EQ(Fetch("/a").status, 502);
}

TEST_F(ServerTest, SilentOriginIs504ForAllWhoWait) {
  limits_.first_byte_timeout = milliseconds(200);
  Gate never;
  Start([never](const std::string&, TestSocket&) { return never.Wait(); });
  auto clients = SendMany(5, Get("/a"));
  for (TestSocket& client : clients) {
    const TestResponse response = ReadResponse(client);
    EXPECT_EQ(response.status, 504);
    EXPECT_THAT(response.Field("Cache-Status"), HasSubstr("detail=first-byte-timeout"));
  }
  EXPECT_EQ(origin_->requests(), 1);
  never.Open();
}

TEST_F(ServerTest, OriginThatStallsInsideTheBodyIsCutOff) {
  limits_.idle_timeout = milliseconds(200);
  Gate never;
  Start([never](const std::string&, TestSocket& socket) {
    socket.Send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nhalf");
    return never.Wait();
  });
  EXPECT_FALSE(Fetch("/a").complete);
  never.Open();
}

TEST_F(ServerTest, GarbageFromTheOriginIs502) {
  Start(Answer("SSH-2.0-OpenSSH_9.2\r\n\r\n"));
  EXPECT_EQ(Fetch("/a").status, 502);
  origin_->SetScript(Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"));
  EXPECT_EQ(Fetch("/b").status, 502);
  origin_->SetScript(Answer("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"));
  EXPECT_EQ(Fetch("/c").status, 502);
}

TEST_F(ServerTest, StaleIsServedOnlyWhereItMayBe) {
  Start(Answer(Ok("old", kAlwaysValidate)));
  Fetch("/may");
  origin_->SetScript(Answer(Ok("old", "Cache-Control: max-age=0, must-revalidate\r\nETag: \"v1\"\r\n")));
  Fetch("/must");
  origin_->Stop();
  const TestResponse stale = Fetch("/may");
  EXPECT_EQ(stale.body, "old");
  EXPECT_THAT(stale.Field("Cache-Status"), StartsWith("Perigee; fwd=stale; "));
  EXPECT_EQ(Fetch("/must").status, 504);
  EXPECT_EQ(server_->Stats().stale, 1u);
}

TEST_F(ServerTest, InformationalResponsesArePassedOver) {
  Start(Answer("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + Ok("hello")));
  EXPECT_EQ(Fetch("/a").body, "hello");
}

TEST_F(ServerTest, OriginConnectionsAreKeptAndAStaleOneIsReplacedOnce) {
  Start(Answer(Ok("hello", kPrivate)));
  TestSocket client = TestSocket::ConnectTo(port());
  for (int i = 0; i < 3; ++i) {
    client.Send(Get("/a"));
    EXPECT_EQ(ReadResponse(client).body, "hello");
  }
  EXPECT_EQ(origin_->connections(), 1);
  // The kept connection ends as soon as the next request has come on it; the new one answers.
  origin_->SetScript([this](const std::string&, TestSocket& socket) {
    return origin_->connections() > 1 && socket.Send(Ok("again", kPrivate));
  });
  client.Send(Get("/a"));
  EXPECT_EQ(ReadResponse(client).body, "again");
  EXPECT_EQ(origin_->connections(), 2);
}

TEST_F(ServerTest, OriginConnectionsAreBounded) {
  limits_.max_origin_connections = 1;  // a Worker always has one
  limits_.connect_timeout = milliseconds(200);
  Gate go;
  Start([go](const std::string&, TestSocket& socket) { return go.Wait() && socket.Send(Ok("x")); });
  std::vector<TestSocket> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(TestSocket::ConnectTo(port()));
    clients.back().Send(Get(fmt::format("/{}", i)));
  }
  int refused = 0;
  std::thread opener([&] {
    Await(&ServerStats::origin_errors, 4);
    go.Open();
  });
  for (TestSocket& client : clients) {
    const TestResponse response = ReadResponse(client);
    if (response.status == 504) ++refused;
  }
  opener.join();
  EXPECT_GE(refused, 4);
  EXPECT_LE(origin_->connections(), 2);
}

// --- Other methods ---

TEST_F(ServerTest, BodiesPassThroughAndSuccessInvalidates) {
  Start([](const std::string& head, TestSocket& socket) {
    if (head.starts_with("GET")) return socket.Send(Ok("stored"));
    return socket.Send(Ok(socket.ReadUntil("\r\n\r\n"), ""));
  });
  Fetch("/a");
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send(
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  const TestResponse response = ReadResponse(client);
  EXPECT_EQ(response.Field("Cache-Status"), "Perigee; fwd=method; fwd-status=200");
  EXPECT_EQ(response.body.substr(response.body.size() - 5), "0\r\n\r\n");
  EXPECT_THAT(response.body, HasSubstr("abc"));
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("fwd=uri-miss"));
}

TEST_F(ServerTest, LargeUploadArrivesWholeAndKeepsTheConnection) {
  const std::string body(3'000'000, 'u');
  Start([body](const std::string&, TestSocket& socket) {
    return socket.Send(Ok(socket.ReadBytes(body.size()) == body ? "same" : "different", ""));
  });
  TestSocket client = TestSocket::ConnectTo(port());
  for (int i = 0; i < 2; ++i) {
    client.Send(fmt::format("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.size()) + body);
    EXPECT_EQ(ReadResponse(client).body, "same");
  }
}

TEST_F(ServerTest, FailedWriteInvalidatesNothing) {
  Start(Answer(Ok("stored")));
  Fetch("/a");
  origin_->SetScript(Answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(Ask(port(), "DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n").status, 403);
  EXPECT_THAT(Fetch("/a").Field("Cache-Status"), HasSubstr("hit"));
}

TEST_F(ServerTest, AnswerBeforeTheEndOfTheUploadReachesTheClient) {
  Start(Answer("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbeginning");
  EXPECT_EQ(ReadResponse(client).status, 413);
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(ServerTest, ExpectContinueIsAnswered) {
  Start([](const std::string&, TestSocket& socket) { return socket.Send(Ok(socket.ReadBytes(4), "")); });
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("body");
  EXPECT_EQ(ReadResponse(client).body, "body");
}

TEST_F(ServerTest, PostIsNeverSentTwice) {
  Start([](const std::string&, TestSocket&) { return false; });
  EXPECT_EQ(Ask(port(), "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab").status, 502);
  EXPECT_EQ(origin_->requests(), 1);
}

// --- Clients in trouble ---

TEST_F(ServerTest, MalformedRequestsGet400AndTheServerLivesOn) {
  Start(Answer(Ok("hello")));
  for (const char* request :
       {"\r\n\r\nGET\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n",
        "\x01\x02\x03\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    TestSocket client = TestSocket::ConnectTo(port());
    client.Send(request);
    const TestResponse response = ReadResponse(client);
    EXPECT_EQ(response.status, 400) << request;
    EXPECT_THAT(response.Field("Cache-Status"), StartsWith("Perigee; fwd=")) << request;
    EXPECT_TRUE(client.AtEnd()) << request;
  }
  EXPECT_EQ(Fetch("/a").body, "hello");
}

TEST_F(ServerTest, RefusesTunnelsAndUpgrades) {
  Start(Answer(Ok("hello")));
  EXPECT_EQ(Ask(port(), "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n").status, 405);
  EXPECT_EQ(Ask(port(), "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n").status, 405);
  EXPECT_EQ(Fetch("/", "Connection: Upgrade\r\nUpgrade: websocket\r\n").status, 501);
  EXPECT_EQ(origin_->requests(), 0);
}

TEST_F(ServerTest, SlowHeaderIs408AndIdleIsClosedInSilence) {
  limits_.header_timeout = milliseconds(150);
  limits_.keep_alive_timeout = milliseconds(300);
  Start(Answer(Ok("hello")));
  TestSocket slow = TestSocket::ConnectTo(port());
  TestSocket idle = TestSocket::ConnectTo(port());
  slow.Send("GET / HTTP/1.1\r\nHost:");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(ReadResponse(slow).status, 408);
  EXPECT_TRUE(idle.AtEnd());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST_F(ServerTest, StalledUploadIs408) {
  limits_.body_timeout = milliseconds(150);
  Start([](const std::string&, TestSocket& socket) { return !socket.ReadBytes(10).empty(); });
  EXPECT_EQ(Ask(port(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").status, 408);
}

TEST_F(ServerTest, ReaderThatTakesNothingIsCutOff) {
  limits_.write_timeout = milliseconds(150);
  Start(Answer(Ok(std::string(8'000'000, 'x'))));
  TestSocket client = TestSocket::ConnectTo(port(), 4'096);
  client.Send(Get("/a"));
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (server_->Stats().connections == 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  while (server_->Stats().connections > 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  EXPECT_EQ(server_->Stats().connections, 0u);
}

TEST_F(ServerTest, ConnectionsBeyondTheLimitAreAnswered503) {
  limits_.max_connections = 2;  // one for each Worker
  Start(Answer(Ok("hello")));
  std::vector<TestSocket> clients = SendMany(20, Get("/a"));
  int served = 0, refused = 0;
  for (TestSocket& client : clients) {
    const TestResponse response = ReadResponse(client);
    served += response.status == 200;
    refused += response.status == 503;
  }
  EXPECT_LE(served, 2);
  EXPECT_GE(served, 1);
  EXPECT_GT(refused, 0);
}

TEST_F(ServerTest, TwoThousandConnectionsAreServedAtOnce) {
  constexpr int kConnections = 2'000;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ASSERT_GT(limit.rlim_cur, 2u * kConnections + 100u);
  Start(Answer(Ok("hello")));
  std::vector<TestSocket> clients = SendMany(kConnections, Get("/a"));
  for (TestSocket& client : clients) ASSERT_EQ(ReadResponse(client).body, "hello");
  EXPECT_EQ(server_->Stats().connections, static_cast<uint64_t>(kConnections));
  for (TestSocket& client : clients) client.Send(Get("/a"));
  for (TestSocket& client : clients) ASSERT_EQ(ReadResponse(client).body, "hello");
  EXPECT_EQ(origin_->requests(), 1);
}

// --- Start and stop ---

TEST_F(ServerTest, PortInUseIsSaid) {
  Start(Answer(Ok("hello")));
  ServerOptions options{.listen = {{.address = *IpAddress::Parse("127.0.0.1"), .port = port()}},
                        .origin = *OriginAddress::Parse("127.0.0.1")};
  const auto second = Server::Start(std::move(options), *cache_, clock_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
}

TEST_F(ServerTest, DrainFinishesWhatIsUnderWayAndClosesWhatIsIdle) {
  threads_ = 1;  // so that what the idle connection sees holds for the busy one
  Gate asked, go;
  Start([asked, go](const std::string&, TestSocket& socket) {
    asked.Open();
    return go.Wait() && socket.Send(Ok("finished"));
  });
  TestSocket idle = TestSocket::ConnectTo(port());
  TestSocket busy = TestSocket::ConnectTo(port());
  busy.Send(Get("/a"));
  ASSERT_TRUE(asked.Wait());
  std::thread drain([this] { server_->Drain(std::chrono::seconds(5)); });
  EXPECT_TRUE(idle.AtEnd());
  go.Open();
  const TestResponse response = ReadResponse(busy);
  EXPECT_EQ(response.body, "finished");
  EXPECT_EQ(response.Field("Connection"), "close");
  EXPECT_TRUE(busy.AtEnd());
  busy.Close();
  drain.join();
  EXPECT_EQ(server_->Stats().connections, 0u);
}

TEST_F(ServerTest, StopsWithFetchesUnderWay) {
  Gate never;
  Start([never](const std::string&, TestSocket&) { return never.Wait(); });
  auto clients = SendMany(20, Get("/a"));
  Await(&ServerStats::collapsed, 19);
  server_.reset();
  // Cut off, or told so by a Worker that outlived the one that fetched.
  for (TestSocket& client : clients) EXPECT_THAT(ReadResponse(client).status, AnyOf(0, 504));
  never.Open();
}

}  // namespace
}  // namespace perigee::replica
