// The HTTP side on loopback before an origin that fails, when it is asked again and when not; and what its
// connections cost.
#include "services/replica/fetch/origin_pool.h"
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

// --- A circuit breaker (fetch/circuit_breaker.h) ---

class CircuitTest : public ServerTest {
 protected:
  CircuitTest() {
    limits_.max_origin_failures = 3;
    limits_.failure_hold = milliseconds(0);
  }
  void AwaitClosed() {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (server_->circuit().state() != CircuitState::kClosed &&
           std::chrono::steady_clock::now() < give_up) {
      Fetch("/trial");
    }
  }
};

TEST_F(CircuitTest, AnOriginThatIsGoneIsNotAskedUntilATrialSucceeds) {
  Start([](const std::string&, TestSocket&) { return false; });
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Fetch(fmt::format("/{}", i)).Field("Cache-Status"), HasSubstr("detail=closed"));
  }
  const TestResponse refused = Fetch("/x");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Field("Cache-Status"), "Perigee; fwd=uri-miss; detail=circuit-open");
  EXPECT_EQ(refused.Field("Retry-After"), "1");
  EXPECT_EQ(Ask(port(), "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab").status, 503);
  EXPECT_EQ(origin_->requests(), 3);
  EXPECT_EQ(server_->circuit().openings(), 1u);

  origin_->SetScript(Answer(Ok("back")));
  AwaitClosed();
  EXPECT_EQ(Fetch("/x").body, "back");
}

TEST_F(CircuitTest, StoredAnswersStandInWhileItIsOpen) {
  Start(Answer(Ok("old", kAlwaysValidate)));
  Fetch("/old");
  origin_->SetScript([](const std::string&, TestSocket&) { return false; });
  for (int i = 0; i < 3; ++i) Fetch(fmt::format("/{}", i));
  const TestResponse stale = Fetch("/old");
  EXPECT_EQ(stale.body, "old");
  EXPECT_THAT(stale.Field("Cache-Status"), HasSubstr("detail=circuit-open"));
}

TEST_F(CircuitTest, ASlowUrlAndErrorAnswersDoNotOpenIt) {
  limits_.first_byte_timeout = milliseconds(300);
  Gate never;
  Start([never](const std::string& head, TestSocket& socket) {
    if (head.starts_with("GET /slow")) return never.Wait();
    return socket.Send("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
  });
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Fetch(fmt::format("/slow?{}", i)).status, 504);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Fetch(fmt::format("/{}", i)).status, 500);
  EXPECT_EQ(server_->circuit().openings(), 0u);
  never.Open();
}

TEST_F(CircuitTest, ClientsThatBreakOffDoNotOpenIt) {
  Start([](const std::string&, TestSocket& socket) { return !socket.ReadBytes(10).empty(); });
  for (int i = 0; i < 6; ++i) {
    TestSocket client = TestSocket::ConnectTo(port());
    client.Send(fmt::format("POST /{} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", i));
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (origin_->requests() <= i && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (server_->Stats().connections > 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  EXPECT_EQ(server_->circuit().openings(), 0u);
}

TEST(Server, AnHttpsOriginIsNeverAskedInClear) {
  const ServerOptions options{.listen = {{.address = *IpAddress::Parse("127.0.0.1"), .port = 0}},
                              .origin = *OriginAddress::Parse("https://localhost")};
  EXPECT_EQ(Server::Listen(options).status().code(), absl::StatusCode::kInvalidArgument);
}

// --- A failure is held (fetch/flight_table.h) ---

TEST_F(ServerTest, ThoseWhoComeShortlyAfterAFailureDoNotAskAgain) {
  Start([](const std::string&, TestSocket&) { return false; });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Fetch("/a").status, 502);
  EXPECT_EQ(origin_->requests(), 1);
  EXPECT_EQ(Fetch("/b").status, 502);
  EXPECT_EQ(origin_->requests(), 2);
}

// --- Connections ---

TEST_F(ServerTest, AnAnswerThatNobodyReadsToItsEndCostsNoConnection) {
  threads_ = 1;
  Start([](const std::string& head, TestSocket& socket) {
    if (head.starts_with("GET /private"))
      return socket.Send(Ok("hello", "Cache-Control: private\r\nETag: \"1\"\r\n"));
    const bool first = head.find("If-None-Match") == std::string::npos;
    return socket.Send(first ? Ok("old", "Cache-Control: max-age=0, stale-if-error=60\r\nETag: \"1\"\r\n")
                             : "HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n");
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Fetch("/private", "If-None-Match: \"1\"\r\n").status, 304);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Fetch("/a").body, "old");
  EXPECT_EQ(origin_->requests(), 6);
  EXPECT_EQ(origin_->connections(), 1);
}

TEST_F(ServerTest, WhatIsLeftOfALargeAnswerIsNotRead) {
  threads_ = 1;
  const std::string large(OriginPool::kMaxUnwantedBytes + 1, 'x');
  Start(Answer(Ok(large, "Cache-Control: private\r\nETag: \"1\"\r\n")));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Fetch("/a", "If-None-Match: \"1\"\r\n").status, 304);
  EXPECT_EQ(origin_->connections(), 2);
}

}  // namespace
}  // namespace perigee::replica
