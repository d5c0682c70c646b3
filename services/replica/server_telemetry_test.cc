// What a server on loopback writes down of its requests.
#include <unistd.h>

#include <fstream>

#include "lib/base/testing/files.h"
#include "services/replica/counters.h"
#include "services/replica/telemetry/access_log.h"
#include "services/replica/telemetry/beacons.h"
#include "services/replica/telemetry/client_rtts.h"
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica::testing {
namespace {

class ServerTelemetryTest : public ServerTest {
 protected:
  ServerTelemetryTest() {
    access_log_ = AccessLog::Open(path(), AccessLogFormat::kCombined).value();
    more_.access_log = access_log_.get();
    threads_ = 1;  // lines of different Workers come in any order
  }
  ~ServerTelemetryTest() override { server_.reset(); }

  std::string path() const { return folder_ / "access.log"; }

  // Ends the server: every request has been written down then.
  std::vector<std::string> Lines() {
    server_->Drain(std::chrono::seconds(5));
    server_->AddUp(&sum_);
    server_.reset();
    EXPECT_TRUE(access_log_->Reopen().ok());
    return perigee::Lines(path());
  }

  std::unique_ptr<AccessLog> access_log_;
  Counters sum_;

 private:
  TemporaryFolder folder_;
};

TEST_F(ServerTelemetryTest, MissHitAndPassedThroughAreLogged) {
  Start(Answer(Ok("five!")));
  Fetch("/a", "Referer: http://x/\r\n");
  Fetch("/a", "User-Agent: forger\"\\\xff\r\n");
  Ask(port(), "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[0], ::testing::MatchesRegex(
                            R"re(127\.0\.0\.1 - - \[.*\] "GET /a HTTP/1\.1" 200 5 "http://x/" "-" )re"
                            R"re("fwd=uri-miss; fwd-status=200; stored" 0\.[0-9]* 0\.[0-9]*)re"));
  EXPECT_THAT(lines[1], HasSubstr(R"("GET /a HTTP/1.1" 200 5 "-" "forger\x22\x5C\xFF" "hit; ttl=)"));
  EXPECT_THAT(lines[1], HasSubstr(R"(detail=memory" - 0.)"));
  EXPECT_THAT(lines[2], HasSubstr(R"("POST /a HTTP/1.1" 200 5 "-" "-" "fwd=method; fwd-status=200" 0.)"));
}

TEST_F(ServerTelemetryTest, RefusedRequestsAreLoggedAndCounted) {
  Start(Answer(Ok("x")));
  {
    TestSocket client = TestSocket::ConnectTo(port());
    client.Send("GET /first HTTP/1.1\r\nHost: x\r\n\r\n");
    ReadResponse(client);
    client.Send("nonsense\r\n\r\n");
    EXPECT_EQ(ReadResponse(client).status, 400);
  }
  EXPECT_EQ(Fetch("/a", "Transfer-Encoding: gzip, chunked\r\n").status, 501);
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 3u);
  // Nothing of the request before it.
  EXPECT_THAT(lines[1], HasSubstr(R"("-" 400 )"));
  EXPECT_THAT(lines[1], HasSubstr(R"("fwd=bypass; detail=rejected" - )"));
  EXPECT_EQ(sum_.refused[Refusal::kMalformed].value(), 1u);
  EXPECT_EQ(sum_.refused[Refusal::kNotImplemented].value(), 1u);
}

TEST_F(ServerTelemetryTest, AForeignHostIsMisdirected) {
  more_.served_names = ServedNames::Parse({"cdn.example.org"}).value();
  Start(Answer(Ok("x")));
  const auto ask = [this](std::string_view host) {
    return Ask(port(), fmt::format("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", host));
  };
  EXPECT_EQ(ask("cdn.example.org:8080").status, 200);
  const TestResponse foreign = ask("evil.example");
  EXPECT_EQ(foreign.status, 421);
  EXPECT_THAT(foreign.head, StartsWith("HTTP/1.1 421 Misdirected Request\r\n"));
  EXPECT_EQ(origin_->requests(), 1);
  Lines();
  EXPECT_EQ(sum_.refused[Refusal::kForeignHost].value(), 1u);
}

TEST_F(ServerTelemetryTest, ABeaconIsToldAndDoesNotGoToTheOrigin) {
  more_.served_names = ServedNames::Parse({"cdn.example.org"}, "beacon.example.org").value();
  Start(Answer(Ok("x")));
  const auto ask = [this](std::string_view method) {
    return Ask(port(), fmt::format("{} / HTTP/1.1\r\nHost: 0123456789-abcdef.beacon.example.org\r\n"
                                   "Connection: close\r\n\r\n",
                                   method));
  };
  const TestResponse answer = ask("GET");
  EXPECT_EQ(answer.status, 204);
  EXPECT_THAT(answer.head, HasSubstr("\r\nCache-Control: no-store\r\n"));
  EXPECT_EQ(ask("DELETE").status, 421);
  EXPECT_EQ(origin_->requests(), 0);
  const auto told = server_->beacons().Since(0).beacons;
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].client.ToString(), "127.0.0.1");
  EXPECT_EQ(told[0].token.text(), "0123456789-abcdef");
}

TEST_F(ServerTelemetryTest, WhatTheOriginDoesIsCounted) {
  Start(Answer(Ok("x", "")));
  Fetch("/a");
  origin_->Stop();
  EXPECT_EQ(Fetch("/b").status, 502);
  Lines();
  EXPECT_EQ(sum_.origin_requests.value(), 2u);
  EXPECT_EQ(sum_.origin_failures[static_cast<size_t>(FetchError::kConnect)].value(), 1u);
  EXPECT_EQ(sum_.by_status[StatusClass::k5xx].value(), 1u);
  EXPECT_EQ(sum_.by_status[StatusClass::k2xx].value(), 1u);
}

TEST_F(ServerTelemetryTest, BytesAreThoseThatClientsGot) {
  Start(Answer(Ok(std::string(100'000, 'x'))));
  uint64_t got = 0;
  for (int i = 0; i < 2; ++i) {
    const TestResponse answer = Fetch("/a");
    got += answer.head.size() + 2 + answer.body.size();  // the empty line
  }
  Lines();
  EXPECT_EQ(sum_.sent_bytes.value(), got);
  EXPECT_EQ(sum_.connections_opened.value(), 2u);
}

TEST_F(ServerTelemetryTest, EachConnectionLeavesItsRtt) {
  Start(Answer(Ok("x")));
  for (int i = 0; i < 3; ++i) Fetch("/a");
  server_->Drain(std::chrono::seconds(5));
  const auto report = server_->client_rtts().Since(0);
  ASSERT_EQ(report.prefixes.size(), 1u);
  EXPECT_EQ(report.prefixes[0].prefix.ToString(), "127.0.0.0/24");
  EXPECT_EQ(report.prefixes[0].connections, 3u);
  EXPECT_LT(report.prefixes[0].least, std::chrono::seconds(10));
}

}  // namespace
}  // namespace perigee::replica::testing
