// The HTTP side on loopback: other methods, origins and clients in trouble, start and stop.
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <semaphore>

#include "services/replica/counters.h"
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

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

TEST_F(ServerTest, RefusesConnectAndTrace) {
  Start(Answer(Ok("hello")));
  EXPECT_EQ(Ask(port(), "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n").status, 405);
  EXPECT_EQ(Ask(port(), "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n").status, 405);
  EXPECT_EQ(origin_->requests(), 0);
}

TEST_F(ServerTest, WhoSendsMoreAfterTheLastAnswerHoldsNoConnection) {
  Start(Answer(Ok("x")));
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send("nonsense\r\n\r\n");
  EXPECT_EQ(ReadResponse(client).status, 400);
  client.Send("more");
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (server_->Stats().connections > 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  EXPECT_EQ(server_->Stats().connections, 0u);
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

TEST_F(ServerTest, EmptyLinesKeepNoConnectionOpen) {
  limits_.keep_alive_timeout = milliseconds(200);
  Start(Answer(Ok("hello")));
  TestSocket client = TestSocket::ConnectTo(port());
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (client.Send("\r\n") && std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(milliseconds(20));
  EXPECT_LT(std::chrono::steady_clock::now(), give_up);
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

TEST_F(ServerTest, UploadThatDripsIs408) {
  limits_.body_timeout = milliseconds(400);
  limits_.min_rate = 1'000;
  Start([](const std::string&, TestSocket& socket) { return !socket.ReadBytes(1'000).empty(); });
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  std::atomic<bool> answered = false;
  std::thread drip([&] {
    for (int i = 0; i < 100 && !answered && client.Send("x"); ++i)
      std::this_thread::sleep_for(milliseconds(50));
  });
  EXPECT_EQ(ReadResponse(client).status, 408) << "no silence is as long as body_timeout";
  answered = true;
  drip.join();
}

TEST_F(ServerTest, ReaderBelowTheLeastRateIsCutOff) {
  limits_.write_timeout = milliseconds(2'000);
  limits_.min_rate = 100'000'000;
  Start(Answer(Ok(std::string(8'000'000, 'x'))));
  TestSocket client = TestSocket::ConnectTo(port(), 65'536);
  client.Send(Get("/a"));
  size_t taken = 0;
  for (size_t piece = 1; piece > 0; taken += piece) {  // at no time does it pause for long
    piece = client.ReadBytes(20'000).size();
    std::this_thread::sleep_for(milliseconds(20));
  }
  EXPECT_LT(taken, 8'000'000u);
  Counters sum;
  server_->AddUp(&sum);
  EXPECT_EQ(sum.refused[Refusal::kSlowReader].value(), 1u);
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
  limits_.drain_idle_timeout = milliseconds(100);
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

TEST_F(ServerTest, DrainAnswersWhatComesOnAKeptConnection) {
  Start(Answer(Ok("hello")));
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send(Get("/a"));
  EXPECT_EQ(ReadResponse(client).Field("Connection"), "");
  std::thread drain([this] { server_->Drain(std::chrono::seconds(5)); });
  while (TestSocket::ConnectTo(port()).fd() != TestSocket::kNone) std::this_thread::yield();
  client.Send(Get("/a"));  // it could not know
  const TestResponse last = ReadResponse(client);
  EXPECT_EQ(last.body, "hello");
  EXPECT_EQ(last.Field("Connection"), "close");
  EXPECT_TRUE(client.AtEnd());
  drain.join();
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
