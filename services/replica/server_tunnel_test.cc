// The HTTP side on loopback: WebSocket carried through.
#include "services/replica/counters.h"
#include "services/replica/testing/server_fixture.h"

namespace perigee::replica {
namespace {

using namespace testing;

// RFC 6455 §1.2's own example.
constexpr std::string_view kHandshake =
    "GET /chat HTTP/1.1\r\nHost: cdn.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c, websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
constexpr std::string_view kAgreed =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
// A masked "Hello" of the client, the same from the server (§5.7), and a server's close.
constexpr std::string_view kMaskedHello("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
constexpr std::string_view kHello("\x81\x05\x48\x65\x6c\x6c\x6f", 7);
constexpr std::string_view kClose("\x88\x00", 2);

// Answers each masked hello with a plain one, until something else comes.
bool Greet(TestSocket& socket) {
  while (socket.ReadBytes(kMaskedHello.size()) == kMaskedHello) socket.Send(kHello);
  return false;
}
bool AgreeAndGreet(const std::string&, TestSocket& socket) {
  socket.Send(kAgreed);
  return Greet(socket);
}

class TunnelTest : public ServerTest {
 protected:
  // A tunnel, its handshake done.
  TestSocket Open() {
    TestSocket client = TestSocket::ConnectTo(port());
    client.Send(kHandshake);
    EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
    return client;
  }
  static void ExpectGreeting(TestSocket& client) {
    client.Send(kMaskedHello);
    EXPECT_EQ(client.ReadBytes(kHello.size()), kHello);
  }
  uint64_t Tunnels() const {
    Counters sum;
    server_->AddUp(&sum);
    return sum.tunnels();
  }
  void AwaitTunnels(uint64_t n) const {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (Tunnels() != n && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
    EXPECT_EQ(Tunnels(), n);
  }
};

TEST_F(TunnelTest, BytesGoBothWaysOnceTheOriginAgrees) {
  Start(AgreeAndGreet);
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send(kHandshake);
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nConnection: Upgrade\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nUpgrade: websocket\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nCache-Status: Perigee; fwd=bypass; fwd-status=101\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Connection: close")));
  const std::string asked = origin_->last_head();
  EXPECT_THAT(asked, HasSubstr("\r\nConnection: Upgrade\r\n"));
  EXPECT_THAT(asked, HasSubstr("\r\nUpgrade: websocket\r\n"));
  EXPECT_THAT(asked, HasSubstr("\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
  EXPECT_THAT(asked, Not(HasSubstr("h2c"))) << "nothing but WebSocket";
  for (int i = 0; i < 3; ++i) ExpectGreeting(client);
  AwaitTunnels(1);
  client.Close();
  AwaitTunnels(0);
}

TEST_F(TunnelTest, WhatComesTogetherWithTheHeadsIsCarriedOn) {
  Start([](const std::string&, TestSocket& socket) {
    socket.Send(std::string(kAgreed) + std::string(kHello));
    return Greet(socket);
  });
  TestSocket client = TestSocket::ConnectTo(port());
  client.Send(std::string(kHandshake) + std::string(kMaskedHello));
  client.ReadUntil("\r\n\r\n");
  EXPECT_EQ(client.ReadBytes(2 * kHello.size()), std::string(kHello) + std::string(kHello));
}

TEST_F(TunnelTest, MuchGoesThroughWhole) {
  const std::string much(5'000'000, 'x');
  Start([much](const std::string&, TestSocket& socket) {
    socket.Send(kAgreed);
    return socket.ReadBytes(much.size()) == much && socket.Send(much);
  });
  TestSocket client = Open();
  client.Send(much);
  EXPECT_EQ(client.ReadBytes(much.size()), much);
}

TEST_F(TunnelTest, TheOriginsEndIsTheClientsWithAllThatCameBefore) {
  Start([](const std::string&, TestSocket& socket) {
    socket.Send(std::string(kAgreed) + std::string(kClose));
    return false;
  });
  TestSocket client = Open();
  EXPECT_EQ(client.ReadAll(), kClose);
}

TEST_F(TunnelTest, SilenceInBothDirectionsEndsIt) {
  limits_.tunnel_idle_timeout = milliseconds(500);
  Start(AgreeAndGreet);
  TestSocket client = Open();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) {
    Gate().WaitFor(milliseconds(100));
    ExpectGreeting(client);
  }
  EXPECT_TRUE(client.AtEnd());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(900));
  AwaitTunnels(0);
}

TEST_F(TunnelTest, LivesLongerThanAnyFetch) {
  limits_.fetch_timeout = limits_.idle_timeout = limits_.body_timeout = milliseconds(300);
  Start(AgreeAndGreet);
  TestSocket client = Open();
  Gate().WaitFor(milliseconds(500));
  ExpectGreeting(client);
}

TEST_F(TunnelTest, BeyondTheLimitIs503) {
  threads_ = 1;
  limits_.max_tunnels = 1;
  Start(AgreeAndGreet);
  TestSocket client = Open();
  AwaitTunnels(1);
  EXPECT_EQ(Ask(port(), kHandshake).status, 503);
  EXPECT_EQ(origin_->requests(), 1);
  ExpectGreeting(client);
  client.Close();
  AwaitTunnels(0);
  TestSocket next = Open();
  ExpectGreeting(next);
}

TEST_F(TunnelTest, NoneAreAllowedWithALimitOfNone) {
  limits_.max_tunnels = 0;
  Start(AgreeAndGreet);
  EXPECT_EQ(Ask(port(), kHandshake).status, 503);
}

TEST_F(TunnelTest, AnOriginThatDoesNotAgreeIsRelayedAndNotStored) {
  Start(
      Answer("HTTP/1.1 426 Upgrade Required\r\nCache-Control: max-age=60\r\nUpgrade: foo\r\n"
             "Content-Length: 2\r\n\r\nno"));
  TestSocket client = TestSocket::ConnectTo(port());
  for (int i = 1; i <= 2; ++i) {
    client.Send(kHandshake);
    const TestResponse response = ReadResponse(client);
    EXPECT_EQ(response.status, 426);
    EXPECT_EQ(response.body, "no");
    EXPECT_EQ(origin_->requests(), i);
  }
  EXPECT_EQ(cache_->Stats().objects, 0u);
}

TEST_F(TunnelTest, AnUpgradeToSomethingElseIsAnError) {
  Start(Answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"));
  EXPECT_EQ(Ask(port(), kHandshake).status, 502);
  origin_->SetScript([](const std::string&, TestSocket&) { return false; });
  EXPECT_EQ(Ask(port(), kHandshake).status, 502);
}

TEST_F(TunnelTest, AServerThatStopsDoesNotWaitForTunnels) {
  limits_.drain_idle_timeout = milliseconds(200);
  Start(AgreeAndGreet);
  TestSocket silent = Open(), busy = Open();
  std::thread chat([&busy] {
    while (busy.Send(kMaskedHello) && busy.ReadBytes(kHello.size()) == kHello) continue;
  });
  const auto begin = std::chrono::steady_clock::now();
  server_->Drain(std::chrono::seconds(20));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_TRUE(silent.AtEnd());
  server_.reset();
  chat.join();
}

TEST_F(TunnelTest, StopsWithTunnelsOpen) {
  Start(AgreeAndGreet);
  TestSocket client = Open();
  server_.reset();
  EXPECT_TRUE(client.AtEnd());
}

}  // namespace
}  // namespace perigee::replica
